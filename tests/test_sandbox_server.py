"""The sandbox answers as e-conomic's documents and recorded answers say, over real sockets."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.sandbox import Budget, Grant, Sandbox
from tests.sandbox.books.rows import Lazy
from tests.sandbox.client import filtered, get
from tests.sandbox.company import build_company
from tests.sandbox.filters import parse_filter
from tests.sandbox.values import Link, Row

ENTRIES = "/bookedEntriesapi/v4.0.0/booked-entries"


@dataclass
class Books:
    """A company of a handful of rows; what is not given is an empty listing.

    ``kept`` holds them by endpoint, below a parent by the parent's key as well.
    """

    agreement_number: int = 1
    modules: frozenset[str] = frozenset({"Project", "Dimension", "Subscription"})
    kept: dict[str | tuple[str, ...], Sequence[Row]] = field(default_factory=dict)

    def rows(self, endpoint: str, params: tuple[str, ...] = ()) -> Sequence[Row]:
        return self.kept[(endpoint, *params)] if params else self.kept.setdefault(endpoint, [])


def entry(number: int) -> Row:
    return {
        "entryNumber": number,
        "accountNumber": 1000 + number % 7,
        "amount": Decimal("12.50"),
        "date": date(2024, 1 + number % 12, 1),
        "text": f"Bilag {number}",
        "type": 1 + number % 10,
        "remainder": Decimal("0.00") if number % 100 else Decimal("-3.10"),
    }


def customer(number: int, **more: object) -> Row:
    return {
        "customerNumber": number,
        "name": f"Kunde {number}",
        "balance": Decimal("1.10") * number,
        "barred": number == 2,
        "eInvoicingDisabledByDefault": False,
        "customerGroup": {"customerGroupNumber": 1, "self": Link("/customer-groups/1")},
        "lastUpdated": datetime(2024, 7, 1, 22, 0, number % 60, tzinfo=timezone.utc),
        "ean": None,
        "self": Link(f"/customers/{number}"),
        **more,
    }


def product(number: str, **more: object) -> Row:
    return {"productNumber": number, "name": f"Vare {number}", "barred": False, **more}


def books() -> Books:
    kept: dict[str | tuple[str, ...], Sequence[Row]] = {
        "rest:/self": [{"agreementNumber": 1, "signupDate": date(2016, 2, 17)}],
        "rest:/customers": [customer(number) for number in range(1, 46)],
        "rest:/orders/drafts": [{"orderNumber": 1, "lines": []}],
        "rest:/accounting-years": [{"year": "2025/2026", "fromDate": date(2025, 7, 1)}],
        ("rest:/accounting-years/{accountingYear}/periods", "2025/2026"): [{"periodNumber": 1}],
        "rest:/products": [product("A"), product("TEST-19:34"), product("b")],
        ("rest:/invoices/booked/{bookedInvoiceNumber}", "7"): [{"bookedInvoiceNumber": 7}],
        ("rest:/journals/{journalNumber}/entries", "1"): [
            {"journalEntryNumber": 3, "self": Link("/journals/1/entries/3")}
        ],
        "bookedEntriesapi:/booked-entries": Lazy(range(1, 2501), entry),
        "customersapi:/Customers": [
            {"customerNumber": number, "barred": number == 2} for number in (1, 2, 3)
        ],
        "journalsapi:/journals": [{"number": 1, "name": "Kasse"}],
        "accountingyearsapi:/AccountingYears": [
            {"year": "2025/2026", "dateFrom": date(2025, 7, 1)}
        ],
        "projectsapi:/project-employees": [{"number": 1, "cutOffDate": date(2022, 5, 31)}],
        "productsapi:/products": [
            {"productNumber": "A", "lastUpdated": datetime(2024, 7, 1, 22, 0, tzinfo=timezone.utc)}
        ],
        ("q2capi:/orders/{documentStatus}/lines", "sent"): [
            {"documentId": document, "number": number} for document in (1, 2) for number in (1, 2)
        ],
        "webhooksapi:/EventTypes": [{"name": "INVOICE_BOOKED"}],
        "dimensionsapi:/dimension-data/booked-entries/changelog": [
            {
                "entryNumber": number,
                "dimension": 1,
                "timestamp": datetime(2024, 1, 1, tzinfo=timezone.utc),
            }
            for number in range(12_000, 0, -1)
        ],
    }
    return Books(kept=kept)


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """One sandbox for the tests that only read."""
    company = books()
    grants = {
        "demo": Grant(company),
        "sales": Grant(company, role="Sales"),
        "bookkeeping": Grant(company, role="Bookkeeping"),
        "no-modules": Grant(Books(2, frozenset())),
    }
    with Sandbox(grants) as sandbox:
        yield sandbox


@pytest.fixture
def company() -> Books:
    return books()


@pytest.fixture
def sandbox(company: Books) -> Iterator[Sandbox]:
    """A sandbox of its own for a test that changes it."""
    with Sandbox({"demo": Grant(company), "other": Grant(Books(2))}) as sandbox:
        yield sandbox


CUSTOMERS = "/customersapi/v3.1.0/Customers"
DIMENSIONS = "/dimensionsapi/v5.3.1/dimensions"
HOOKS = "/webhooksapi/v1.0.0"
PROJECTS = "/projectsapi/v1.1.0"
PRODUCTS = "/productsapi/v2.0.0"
CHANGELOG = "/dimensionsapi/v5.3.1/dimension-data/booked-entries/changelog"
LINES = "/q2capi/v5.3.0/orders/sent/2/lines"

PAGES: dict[str, tuple[str, Sequence[object]]] = {
    "a REST page has twenty rows unless asked": ("/customers", range(1, 21)),
    "page size and number are taken in any case": (
        "/customers?pageSize=10&SkipPages=4",
        range(41, 46),
    ),
    "an unknown parameter is ignored": ("/customers?page_size=5", range(1, 21)),
    "a broken year is addressed as links do": ("/accounting-years/2025_6_2026/periods", [1]),
    "a broken year is addressed as URLs do": ("/accounting-years/2025%2F2026/periods", [1]),
    "text sorts without case": ("/products?sort=productNumber", ["A", "b", "TEST-19:34"]),
    "a list finds no text": ("/customers?filter=name$in:[Kunde%201]", []),
    "a cursor's listing ignores the sort": (f"{ENTRIES}?sort=-entryNumber", range(1, 1001)),
    "a cursor's listing ignores the page size": (f"{ENTRIES}?pageSize=1", range(1, 1001)),
    "bounds on a long ledger": (
        f"{ENTRIES}?filter=entryNumber$gt:100$and:entryNumber$lte:103$and:text$ne:bilag%20102",
        [101, 103],
    ),
    "a classic page is a bare array of twenty": (f"{ENTRIES}/paged", range(1, 21)),
    "a classic page honours the sort": (
        f"{ENTRIES}/paged?sort=-entryNumber&pageSize=2&skipPages=1",
        [2498, 2497],
    ),
    "years are only paged": ("/accountingyearsapi/v2.0.1/AccountingYears/paged", ["2025/2026"]),
    "products have a path of their own": (f"{PRODUCTS}/productspaged/paged", ["A"]),
    "the changelog is paged without saying so": (CHANGELOG, range(12_000, 11_980, -1)),
    "the changelog has ten thousand rows": (
        f"{CHANGELOG}?pageSize=100&skipPages=99",
        range(2100, 2000, -1),
    ),
    "nothing comes after them": (f"{CHANGELOG}?pageSize=100&skipPages=100", []),
    "the changelog filters by entry": (
        f"{CHANGELOG}?filter=entryNumber$gte:3$and:entryNumber$lt:5",
        [4, 3],
    ),
}

BODIES: dict[str, tuple[str, object]] = {
    "a singleton has no envelope": ("/self", {"agreementNumber": 1, "signupDate": "2016-02-17"}),
    "a booked invoice is a document": ("/invoices/booked/7", {"bookedInvoiceNumber": 7}),
    "products send false": (
        "/products/A",
        {"productNumber": "A", "name": "Vare A", "barred": False},
    ),
    "an OpenAPI row has a path and sends true": (
        f"{CUSTOMERS}/2",
        {"customerNumber": 2, "barred": True},
    ),
    "a product number is addressed as links do": (
        "/products/TEST-19_4_34",
        {"productNumber": "TEST-19:34", "name": "Vare TEST-19:34", "barred": False},
    ),
    "an OpenAPI row omits false": (f"{CUSTOMERS}/1", {"customerNumber": 1}),
    "the cut-off date is served as a timestamp": (
        f"{PROJECTS}/project-employees",
        {"items": [{"number": 1, "cutOffDate": "2022-05-31T00:00:00"}]},
    ),
    "an unknown parent is an empty listing": (
        f"{PRODUCTS}/pricegroups/99/specialprices",
        {"items": []},
    ),
    "a count is a bare integer": (f"{ENTRIES}/count", 2500),
    "names match without regard to case": ("/bookedentriesAPI/V4.0.0/Booked-Entries/count", 2500),
    "a count respects the filter": (f"{ENTRIES}/count?filter=remainder$ne:0", 25),
    "an enum matches by number": (f"{ENTRIES}/count?filter=type$eq:1", 250),
    "an enum matches by name": (f"{ENTRIES}/count?filter=type$eq:customerInvoice", 250),
    "a date takes a day": (f"{ENTRIES}/count?filter=date$gte:2024-12-01", 208),
    "a date takes a time": (f"{ENTRIES}/count?filter=date$gte:2024-12-01T00:00:00", 208),
    "a date takes a zone": (f"{ENTRIES}/count?filter=date$gte:2024-12-01T00:00:00Z", 208),
    "lines below a document are a plain array": (
        LINES,
        [{"documentId": 2, "number": 1}, {"documentId": 2, "number": 2}],
    ),
    "a line has a path below its document": (f"{LINES}/1", {"documentId": 2, "number": 1}),
    "event types are a plain array": (f"{HOOKS}/EventTypes", [{"name": "INVOICE_BOOKED"}]),
}

STATUSES = {
    "any version answers": ("/customersapi/v99.0.1/Customers", 200),
    "no row is 404": (f"{CUSTOMERS}/9", 404),
    "a setting that a group lacks is 404": (f"{PRODUCTS}/productgroups/1/accrualsettings", 404),
    "an operator that is not offered is refused": (f"{ENTRIES}?filter=type$gt:0", 400),
    "an unsortable property of a classic page is refused": (f"{CUSTOMERS}/paged?sort=name", 400),
    "a cursor is a number": (f"{ENTRIES}?cursor=x", 400),
    "a cursor has as many parts as the key": (f"{ENTRIES}?cursor=1,2", 400),
    "a cursor has at most fifty characters": (f"{ENTRIES}?cursor={'1' * 51}", 400),
    "a thousand rows are allowed": ("/customers?pagesize=1000", 200),
    "suppliers sort, as they do live": ("/suppliers?sort=supplierNumber", 200),
    "currencies sort, as they do live": ("/currencies?sort=code", 200),
    "units sort, as they do live": ("/units?sort=unitNumber", 200),
}


class TestWhatAPathAnswers:
    @pytest.mark.parametrize("what", PAGES)
    def test_a_page_has_these_rows(self, shared: Sandbox, what: str) -> None:
        path, numbers = PAGES[what]
        assert get(shared, path).numbers == list(numbers)

    @pytest.mark.parametrize("what", BODIES)
    def test_a_body_is_this(self, shared: Sandbox, what: str) -> None:
        path, body = BODIES[what]
        assert get(shared, path).json == body

    @pytest.mark.parametrize("what", STATUSES)
    def test_a_status_is_this(self, shared: Sandbox, what: str) -> None:
        path, status = STATUSES[what]
        assert get(shared, path).status == status


class TestTokens:
    @pytest.mark.parametrize("grant", ["revoked", "", "DEMO"])
    def test_a_bad_grant_is_401_in_the_rest_form(self, shared: Sandbox, grant: str) -> None:
        answer = get(shared, "/self", grant)
        assert answer.status == 401
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json["httpStatusCode"] == 401
        assert answer.json["demoLink"] == f"{shared.url}/self?demo=true"
        assert {"message", "developerHint", "logId", "logTime"} <= answer.json.keys()

    def test_a_bad_grant_is_401_in_the_openapi_form(self, shared: Sandbox) -> None:
        answer = get(shared, ENTRIES, "revoked")
        assert (answer.status, answer.json["status"]) == (401, 401)
        assert answer.headers["Content-Type"] == "application/problem+json"
        told = {"type", "title", "detail", "errors", "traceId", "traceTimeUtc"}
        assert told <= answer.json.keys()

    def test_a_bad_app_secret_is_401(self, shared: Sandbox) -> None:
        assert get(shared, "/self", headers={"X-AppSecretToken": "wrong"}).status == 401

    def test_a_grant_can_be_revoked_while_it_runs(self, sandbox: Sandbox) -> None:
        before = get(sandbox, "/self").status
        sandbox.revoke("demo")
        assert (before, get(sandbox, "/self").status) == (200, 401)


class TestRolesAndModules:
    @pytest.mark.parametrize("role", ["Sales", "Bookkeeping", "SuperUser"])
    def test_self_names_the_role_that_decides_what_may_be_read(self, role: str) -> None:
        company = build_company(1, "Firma 0", seed=1, entries=60)
        with Sandbox({"a": Grant(company, role=role)}) as sandbox:
            told = json.loads(get(sandbox, "/self", "a").body)["application"]["requiredRoles"]
        assert [each["name"] for each in told] == [role]

    @pytest.mark.parametrize(
        ("grant", "status", "paths"),
        [
            ("sales", 200, ["/customers", "/self"]),
            ("sales", 403, ["/accounting-years", ENTRIES]),
            ("bookkeeping", 200, ["/accounting-years", ENTRIES, f"{HOOKS}/EventTypes", DIMENSIONS]),
            ("bookkeeping", 403, ["/customers", f"{HOOKS}/webhooks"]),
            ("no-modules", 200, [f"{PROJECTS}/Employees", f"{PROJECTS}/EmployeeGroups"]),
        ],
    )
    def test_a_role_reads_what_the_documents_grant(
        self, shared: Sandbox, grant: str, status: int, paths: list[str]
    ) -> None:
        assert {get(shared, path, grant).status for path in paths} == {status}

    def test_a_missing_module_is_named_and_dimensions_in_their_own_way(
        self, shared: Sandbox
    ) -> None:
        answer, other = (get(shared, p, "no-modules") for p in (f"{PROJECTS}/Projects", DIMENSIONS))
        assert (answer.status, answer.json["title"]) == (403, "Missing modules: Project")
        assert answer.json["errorCode"] == "AccessDeniedAgreementMissingModules"
        assert (other.status, other.json["errors"][0]["errorCode"]) == (
            403,
            "DimensionIncorrectModule",
        )


class TestPaths:
    @pytest.mark.parametrize("path", ["/nope", "/customers/1/nope", "/"])
    def test_an_unknown_rest_path_is_404(self, shared: Sandbox, path: str) -> None:
        answer = get(shared, path)
        assert (answer.status, answer.json["httpStatusCode"]) == (404, 404)

    @pytest.mark.parametrize(
        "path",
        [
            "/customersapi/v3.1.0/Nope",
            "/customersapi/Customers",
            "/customersapi/v3/Customers",
            "/accountingyearsapi/v2.0.1/AccountingYears",
            "/productsapi/v2.0.0/products/paged",
            "/productsapi/v2.0.0/products/count",
            f"{PROJECTS}/MileagePrices/count",
            "/bookedEntriesapi/v4.0.0/booked-entries/matched-pairs/paged",
            "/q2capi/v5.3.0/orders/nosuchstatus/lines",
        ],
    )
    def test_an_unknown_openapi_path_is_404(self, shared: Sandbox, path: str) -> None:
        answer = get(shared, path)
        assert answer.status == 404
        assert answer.json["errorCode"] == "ResourceNotFound"

    @pytest.mark.parametrize("version", ["3", "3.1.0"])
    def test_a_version_can_be_retired(self, sandbox: Sandbox, version: str) -> None:
        sandbox.retire("customersapi", version, status=410)
        assert get(sandbox, CUSTOMERS).status == 410
        assert get(sandbox, "/customersapi/v4.0.0/Customers").status == 200


class TestRestPages:
    @pytest.mark.parametrize("size", ["0", "1001", "-1", "x", ""])
    def test_a_page_size_out_of_range_is_refused(self, shared: Sandbox, size: str) -> None:
        answer = get(shared, f"/customers?pagesize={size}")
        assert (answer.status, answer.json["errorCode"]) == (400, "E04810")

    @pytest.mark.parametrize(
        ("query", "link", "numbers"),
        [
            ("", "?skippages={}&pagesize=20", (0, 1, 2)),
            ("?pagesize=10", "?pagesize=10&skippages={}", (0, 1, 4)),
            ("?skipPages=1&pageSize=9", "?skipPages={}&pageSize=9", (0, 2, 4)),
            (
                "?filter=name$like:Kunde&pagesize=20",
                "?filter=name%24like%3aKunde&pagesize=20&skippages={}",
                (0, 1, 2),
            ),
        ],
    )
    def test_links_keep_the_query_in_its_order(
        self, shared: Sandbox, query: str, link: str, numbers: tuple[int, ...]
    ) -> None:
        pagination = get(shared, f"/customers{query}").json["pagination"]
        assert [pagination[name] for name in ("firstPage", "nextPage", "lastPage")] == [
            f"{shared.url}/customers{link.format(number)}" for number in numbers
        ]

    def test_self_is_the_url_asked_for_and_results_count_before_and_after_the_filter(
        self, shared: Sandbox
    ) -> None:
        body = filtered(shared, "/customers", "customerNumber$gt:40").json
        assert body["self"] == f"{shared.url}/customers?filter=customerNumber%24gt%3a40"
        counts = body["pagination"]["results"], body["pagination"]["resultsWithoutFilter"]
        assert counts == (5, 45)

    def test_an_empty_listing_has_a_hint_for_links(self, shared: Sandbox) -> None:
        body = get(shared, "/units").json
        assert body["collection"] == []
        assert "developerHint" in body["pagination"]
        assert not {"firstPage", "nextPage", "lastPage"} & body["pagination"].keys()

    def test_past_the_end_is_an_empty_page_with_links(self, shared: Sandbox) -> None:
        body = get(shared, "/customers?skippages=9").json
        assert (body["collection"], body["pagination"]["results"]) == ([], 45)
        assert body["pagination"]["lastPage"].endswith("?skippages=2&pagesize=20")
        for page in (2, 9):  # the last one, and one beyond
            pagination = get(shared, f"/customers?skippages={page}").json["pagination"]
            assert "nextPage" not in pagination

    def test_rows_added_while_it_runs_are_served(self, sandbox: Sandbox, company: Books) -> None:
        kept = company.kept["rest:/customers"]
        assert isinstance(kept, list)
        kept.append(customer(99))
        assert get(sandbox, "/customers?skippages=2").numbers[-1] == 99

    @pytest.mark.parametrize(
        ("path", "meta"), [("/customers", {"create"}), ("/orders/drafts", set()), ("/units", None)]
    )
    def test_meta_data_is_there_where_recorded(
        self, shared: Sandbox, path: str, meta: set[str] | None
    ) -> None:
        found = get(shared, path).json.get("metaData")
        assert (None if found is None else set(found)) == meta

    def test_a_draft_entry_says_how_to_delete_it(self, shared: Sandbox) -> None:
        row = get(shared, "/journals/1/entries").json["collection"][0]
        assert row["metaData"]["delete"]["href"] == f"{shared.url}/journals/1/entries/3"

    def test_a_row_has_a_path(self, shared: Sandbox) -> None:
        body = get(shared, "/customers/7").json
        assert body["customerNumber"] == 7
        assert set(body["metaData"]) == {"delete", "replace"}

    @pytest.mark.parametrize(
        "path", ["/customers/777", "/journals/9/entries", "/invoices/booked/8"]
    )
    def test_what_does_not_exist_is_404(self, shared: Sandbox, path: str) -> None:
        answer = get(shared, path)
        assert (answer.status, answer.json["errorCode"]) == (404, "E06000")


class TestBodies:
    def test_a_rest_row(self, shared: Sandbox) -> None:
        row = get(shared, "/customers").json["collection"][0]
        assert row == {
            "customerNumber": 1,
            "name": "Kunde 1",
            "balance": Decimal("1.10"),
            "eInvoicingDisabledByDefault": False,
            "customerGroup": {"customerGroupNumber": 1, "self": f"{shared.url}/customer-groups/1"},
            "lastUpdated": "2024-07-01T22:00:01Z",
            "self": f"{shared.url}/customers/1",
        }

    def test_booleans_dates_and_decimals(self, shared: Sandbox) -> None:
        assert get(shared, "/customers/2").json["barred"] is True
        assert get(shared, ENTRIES).rows[0]["date"] == "2024-02-01T00:00:00", "no zone"
        assert b'"balance":11.00' in get(shared, "/customers").body, "all its digits"

    def test_an_openapi_instant_keeps_its_fraction_and_has_no_zone(
        self, sandbox: Sandbox, company: Books
    ) -> None:
        moment = datetime(2024, 1, 1, 8, 30, 5, 120_000, tzinfo=timezone.utc)
        company.kept["productsapi:/products"] = [{"productNumber": "A", "lastUpdated": moment}]
        path, text = "/productsapi/v2.0.0/products", "lastUpdated$gte:2024-01-01T08:30:05.12Z"
        assert filtered(sandbox, path, text).rows[0]["lastUpdated"] == "2024-01-01T08:30:05.12"

    def test_danish_time_is_served_as_if_it_were_utc(self, company: Books) -> None:
        with Sandbox({"demo": Grant(company)}, zone="copenhagen") as sandbox:
            row = get(sandbox, "/productsapi/v2.0.0/products").json["items"][0]
            summer = filtered(sandbox, "/customers", "lastUpdated$lt:2024-07-02T00:00:03Z")
            by_rest = get(sandbox, "/customers").json["collection"][0]
        assert row["lastUpdated"] == "2024-07-02T00:00:00"
        assert by_rest["lastUpdated"] == "2024-07-02T00:00:01Z"
        assert summer.numbers == [1, 2]


class TestCursors:
    def test_a_listing_comes_in_pages_of_a_thousand(self, shared: Sandbox) -> None:
        seen, cursors, path = [], [], ENTRIES
        while path:
            answer = get(shared, path)
            seen.append(len(answer.json["items"]))
            cursor = answer.json.get("cursor")
            cursors.append(cursor)
            path = f"{ENTRIES}?cursor={cursor}" if cursor else ""
        assert (seen, cursors) == ([1000, 1000, 500], ["1001", "2001", None])

    def test_the_filter_has_to_be_sent_again(self, shared: Sandbox) -> None:
        text = "accountNumber$eq:1001"
        again = filtered(shared, f"{ENTRIES}?cursor=2001", text)
        assert {row["accountNumber"] for row in again.json["items"]} == {1001}
        assert len(get(shared, f"{ENTRIES}?cursor=2001").numbers) == 500

    def test_rows_come_by_identifier(self, sandbox: Sandbox, company: Books) -> None:
        company.kept["customersapi:/Customers"] = [{"customerNumber": n} for n in (5, 3, 9)]
        assert get(sandbox, CUSTOMERS).numbers == [3, 5, 9]

    def test_a_row_deleted_between_pages_loses_none(self, sandbox: Sandbox, company: Books) -> None:
        rows: list[Row] = [{"customerNumber": n} for n in range(1, 1003)]
        company.kept["customersapi:/Customers"] = rows
        cursor = get(sandbox, CUSTOMERS).json["cursor"]
        del rows[0], rows[999]  # the first, and the one that the cursor names
        rest = get(sandbox, f"{CUSTOMERS}?cursor={cursor}")
        assert rest.numbers == [1002]

    def test_a_compound_key_makes_a_cursor(self, sandbox: Sandbox, company: Books) -> None:
        rows: list[Row] = [{"documentId": 1 + n // 600, "number": n} for n in range(1200)]
        company.kept["q2capi:/invoices/booked/lines"] = rows
        path = "/q2capi/v5.3.0/invoices/booked/lines"
        cursor = get(sandbox, path).json["cursor"]
        following = get(sandbox, f"{path}?cursor={quote(cursor)}").json["items"]
        assert following == rows[1000:]

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("pageSize=101", "The field PageSize must be between 1 and 100"),
            ("pageSize=0", "The field PageSize must be between 1 and 100"),
            ("skipPages=101", "The field SkipPages must be between 0 and 100"),
        ],
    )
    def test_sizes_have_limits(self, shared: Sandbox, query: str, message: str) -> None:
        answer = get(shared, f"{ENTRIES}/paged?{query}")
        assert (answer.status, answer.message) == (400, message)


class TestFilters:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("customerNumber$eq:7", [7]),
            ("customerNumber$lt:3", [1, 2]),
            ("customerNumber$lte:2", [1, 2]),
            ("customerNumber$gt:43", [44, 45]),
            ("customerNumber$gte:44", [44, 45]),
            ("customerNumber$in:[3,5,99]", [3, 5]),
            ("customerNumber$gt:42$and:customerNumber$ne:44", [43, 45]),
            ("customerNumber$eq:1$or:customerNumber$eq:3", [1, 3]),
            ("(customerNumber$eq:1$or:customerNumber$eq:3)$and:customerNumber$gt:2", [3]),
            ("customerNumber$lt:4$and:customerNumber$nin:[1,3]", [2]),
            ("name$eq:KUNDE 9", [9]),
            ("name$like:unde 4*$and:customerNumber$gt:40", []),
            ("name$like:*unde 4*$and:customerNumber$gt:44", [45]),
            ("name$like:unde 45", [45]),
            ("name$like:kunde [12]$and:customerNumber$lt:10", [1, 2]),
            ("name$gte:kunde 9", [9]),
            ("balance$lt:2.2", [1]),
            ("customerGroup.customerGroupNumber$eq:1$and:customerNumber$lt:2", [1]),
            ("ean$eq:$null:$and:customerNumber$lt:2", [1]),
            ("ean$ne:$null:", []),
            ("lastUpdated$gte:2024-07-01T22:00:44Z", [44, 45]),
            ("lastUpdated$gte:2024-07-02", []),
            ("lastUpdated$lt:2024-07-02$and:customerNumber$lt:2", [1]),
        ],
    )
    def test_rows_are_kept(self, shared: Sandbox, text: str, expected: list[int]) -> None:
        assert filtered(shared, "/customers", text).numbers == expected

    @pytest.mark.parametrize(
        ("name", "text", "found"),
        [
            ("a (b)", "name$eq:a (b$)", True),
            ("a$b", "name$eq:a$$b", True),
            ("a*b", "name$eq:a*b", True),
            ("a*b", "name$like:a$*b", True),
            ("axb", "name$like:a$*b", False),
            ("a,b", "name$eq:a,b", True),
            ("a[b", "name$eq:a[b", True),
            ("a[b", "name$eq:a$[b", False),
            ("a[b", "name$like:a[[]b", True),
            ("Ærø Ådal", "name$like:ÆRØ å*", True),
        ],
    )
    def test_escapes(
        self, sandbox: Sandbox, company: Books, name: str, text: str, found: bool
    ) -> None:
        company.kept["rest:/customers"] = [customer(1, name=name)]
        assert filtered(sandbox, "/customers", text).numbers == ([1] if found else [])

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("bogus$eq:1", "Filtering is not allowed on property 'bogus'."),
            ("barred$like:x", "Operator $like: not supported on property barred"),
            ("customerNumber$in:1,2", "Syntax error, expected: ["),
            ("nonsense", "Syntax error, expected: operator"),
            ("ean$null:", "Syntax error, expected: operator"),
            ("name$eq:a$b", "Syntax error, unexpected: $b"),
            ("name$eq:a)", "Syntax error, unexpected: )"),
            ("(name$eq:a", "Syntax error, expected: )"),
            ("customerNumber$eq:x", "The value 'x' is not valid for property customerNumber"),
            (
                "lastUpdated$gte:2024-01-01T00:00:00+00:00",
                "The value '2024-01-01T00:00:00+00:00' is not valid for property lastUpdated",
            ),
        ],
    )
    def test_a_bad_rest_filter_is_400_and_lists_what_is_allowed(
        self, shared: Sandbox, text: str, message: str
    ) -> None:
        answer = filtered(shared, "/customers", text)
        assert (answer.status, answer.message) == (400, message)
        assert answer.json["message"] == "Could not parse query string filter."
        assert "customerNumber" in answer.json["allowedFilteringFields"]

    @pytest.mark.parametrize(("count", "status"), [(200, 200), (201, 400)])
    def test_a_list_has_at_most_200_values(self, shared: Sandbox, count: int, status: int) -> None:
        text = f"entryNumber$in:[{','.join(map(str, range(count)))}]"
        assert filtered(shared, ENTRIES, text).status == status

    @pytest.mark.parametrize(
        ("path", "text", "status"),
        [
            ("/products", "barred$eq:false", 200),
            ("/products", "barred$ne:true", 500),
            ("/products", "barred$eq:$null:", 500),
            ("/products", "inventory.netWeight$gt:1", 400),
            ("/orders/drafts", "paymentTerms.paymentTermsNumber$eq:1", 500),
            ("/accounts", "debitCredit$like:debit", 400),
            ("/customer-groups", "account.accountNumber$eq:1", 400),
            ("/currencies", "code$eq:DKK", 400),
            ("/customers", "pNumber$eq:1", 200),
            ("/journalsapi/v15.0.0/journals", "number$eq:1", 500),
            ("/journalsapi/v15.0.0/journals/count", "number$eq:1", 500),
            ("/accountsapi/v7.0.0/Accounts", "assetGroupNumber$eq:1", 500),
            ("/accountsapi/v7.0.0/Accounts", "isDepartmentMandatory$eq:true", 500),
            ("/accountsapi/v7.0.0/Accounts", "isDepartmentMandatory$eq:$null:", 200),
        ],
    )
    def test_live_deviations(self, shared: Sandbox, path: str, text: str, status: int) -> None:
        assert filtered(shared, path, text).status == status

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("zzz$eq:1", "Filtering is not allowed on property 'zzz'"),
            ("name$eq:x", "Operator $eq: not supported on property name"),
            ("customerNumber$in:2", "Syntax error, expected: ["),
        ],
    )
    def test_a_bad_openapi_filter_is_a_problem(
        self, shared: Sandbox, text: str, message: str
    ) -> None:
        answer = filtered(shared, CUSTOMERS, text)
        assert (answer.status, answer.message) == (400, message)
        assert answer.json["errorCode"] == "BadFilterRequest"
        assert "allowedFilteringFields" not in answer.json

    def test_and_binds_tighter_than_or(self) -> None:
        loose = parse_filter("a$eq:1$or:b$eq:2$and:c$eq:3")
        assert loose == parse_filter("a$eq:1$or:(b$eq:2$and:c$eq:3)")


class TestSorting:
    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("customerNumber", [1, 2, 3]),
            ("-customerNumber", [45, 44, 43]),
            ("~customerNumber", [1, 10, 11]),
            ("currency,-customerNumber", [45, 44, 43]),
            ("-lastUpdated", [45, 44, 43]),
        ],
    )
    def test_rows_are_sorted(self, shared: Sandbox, sort: str, expected: list[int]) -> None:
        assert get(shared, f"/customers?sort={sort}&pagesize=3").numbers == expected

    @pytest.mark.parametrize(
        "path",
        [
            "/customers?sort=zzz",
            "/payment-terms?sort=paymentTermsNumber",
            "/invoices/drafts?sort=lastUpdated",
        ],
    )
    def test_an_unsortable_property_is_refused_without_alternatives(
        self, shared: Sandbox, path: str
    ) -> None:
        answer = get(shared, path)
        assert (answer.status, answer.message) == (
            400,
            "Could not parse query string sort parameter",
        )
        assert "allowedFilteringFields" not in answer.json


class TestHeadersAndBudget:
    @pytest.mark.parametrize("path", ["/customers", "/customers?pagesize=0", "/nope", ENTRIES])
    def test_every_answer_tells_cost_and_budget(self, shared: Sandbox, path: str) -> None:
        told = {"X-CallCost", "X-RateLimiting", "X-RequestId", "Date", "Content-Type"}
        assert told <= get(shared, path).headers.keys()

    def test_the_budget_is_told_in_the_form_seen_live(self, sandbox: Sandbox) -> None:
        sandbox.service.budget = Budget(limit=10_000, clock=lambda: 0.0)
        get(sandbox, "/customers")
        headers = get(sandbox, ENTRIES).headers
        assert headers["X-CallCost"] == "3"
        assert headers["X-RateLimiting"] == "token-limit-10000-per-60-seconds: 6/10000"

    def test_an_empty_bucket_answers_429_and_fills_again(self, sandbox: Sandbox) -> None:
        now = [0.0]
        sandbox.service.budget = Budget(
            limit=6, window=60, retry_after="seconds", clock=lambda: now[0]
        )
        answers = [get(sandbox, "/customers") for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[2].headers["Retry-After"] == "30"
        assert get(sandbox, "/customers", "other").status == 200
        now[0] = 30.0
        assert get(sandbox, "/customers").status == 200

    def test_both_apis_spend_one_bucket(self, sandbox: Sandbox) -> None:
        sandbox.service.budget = Budget(limit=4, clock=lambda: 0.0)
        get(sandbox, "/customers")
        answer = get(sandbox, ENTRIES)
        assert (answer.status, answer.json["status"]) == (429, 429)
        assert "Retry-After" not in answer.headers

    def test_the_headers_have_other_forms_or_are_absent(self, sandbox: Sandbox) -> None:
        form = "limit-{limit}-per-{window}-seconds: {figure}/{limit}"
        budget = Budget(limit=2000, form=form, counts="left", call_cost="L", clock=lambda: 0.0)
        sandbox.service.budget = budget
        headers = get(sandbox, "/customers").headers
        assert headers["X-RateLimiting"] == "limit-2000-per-60-seconds: 1997/2000"
        assert headers["X-CallCost"] == "L"
        budget.headers = False
        assert not {"X-RateLimiting", "X-CallCost"} & get(sandbox, "/customers").headers.keys()

    def test_the_date_follows_the_clock(self, company: Books) -> None:
        with Sandbox({"demo": Grant(company)}, clock=lambda: 0.0) as sandbox:
            assert get(sandbox, "/self").headers["Date"] == "Thu, 01 Jan 1970 00:00:00 GMT"


class TestFaults:
    def test_a_status_comes_once_and_then_no_more(self, sandbox: Sandbox) -> None:
        sandbox.faults.add("/customers", "status", status=503, retry_after="2")
        first, second = get(sandbox, "/customers"), get(sandbox, "/customers")
        assert (first.status, first.headers["Retry-After"], second.status) == (503, "2", 200)

    def test_the_nth_request_for_one_grant_only(self, sandbox: Sandbox) -> None:
        sandbox.faults.add("/self", "status", status=401, nth=2, times=None, grant="demo")
        mine = [get(sandbox, "/self").status for _ in range(3)]
        sandbox_of_other = get(sandbox, "/self", "other").status
        assert (mine, sandbox_of_other) == ([200, 401, 401], 404)

    def test_a_share_of_requests_is_drawn_from_the_seed(self, sandbox: Sandbox) -> None:
        drawn = []
        for _ in range(2):
            sandbox.faults.clear()
            sandbox.faults.add("/self", "status", times=None, rate=0.5, seed=7)
            drawn.append([get(sandbox, "/self").status for _ in range(12)])
        assert drawn[0] == drawn[1]
        assert set(drawn[0]) == {200, 500}

    def test_a_page_of_html_with_status_200(self, sandbox: Sandbox) -> None:
        sandbox.faults.add("/customers", "html200")
        answer = get(sandbox, "/customers")
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/html")

    @pytest.mark.parametrize(
        ("kind", "after"), [("truncate", None), ("reset", None), ("reset", 10), ("close", None)]
    )
    def test_a_connection_that_breaks(self, sandbox: Sandbox, kind: Any, after: int | None) -> None:
        sandbox.faults.add("/customers", kind, after=after)
        with pytest.raises((OSError, HTTPException)):
            get(sandbox, "/customers")

    def test_a_delay(self, sandbox: Sandbox) -> None:
        sandbox.faults.add("/self", "delay", seconds=0.2)
        started = time.perf_counter()
        assert get(sandbox, "/self").status == 200
        assert time.perf_counter() - started >= 0.2

    def test_a_request_that_hangs_is_in_the_log(self, sandbox: Sandbox) -> None:
        sandbox.faults.add("/self", "hang")
        with pytest.raises(TimeoutError):
            get(sandbox, "/self", timeout=0.2)
        assert (sandbox.log[-1].fault, sandbox.log[-1].status) == ("hang", 0)


class TestTheServer:
    def test_the_log_tells_what_was_asked(self, sandbox: Sandbox) -> None:
        get(sandbox, "/Customers?pageSize=5&filter=name$eq:x")
        seen = sandbox.log[-1]
        assert seen.endpoint == "rest:/customers"
        assert seen.query == {"pagesize": "5", "filter": "name$eq:x"}
        assert (seen.agreement_number, seen.status, seen.grant) == (1, 200, "demo")

    def test_requests_can_be_picked_from_the_log(self, sandbox: Sandbox) -> None:
        get(sandbox, "/self")
        get(sandbox, "/customers")
        assert [request.path for request in sandbox.requests("^/CUST")] == ["/customers"]

    def test_a_connection_serves_many_requests(self, shared: Sandbox) -> None:
        headers = {"X-AppSecretToken": "demo", "X-AgreementGrantToken": "demo"}
        sockets = set()
        with closing(HTTPConnection(urlsplit(shared.url).netloc, timeout=5)) as connection:
            for _ in range(3):
                connection.request("GET", "/self", headers=headers)
                connection.getresponse().read()
                sockets.add(connection.sock)
        assert len(sockets) == 1

    def test_fifty_requests_are_served_at_once(self, company: Books) -> None:
        with Sandbox({"demo": Grant(company)}, latency=0.2) as sandbox:
            started = time.perf_counter()
            with ThreadPoolExecutor(50) as threads:
                answers = list(threads.map(lambda _: get(sandbox, "/self"), range(50)))
            assert len(sandbox.log) == len(answers) == 50
            assert time.perf_counter() - started < 2

    def test_it_leaves_no_listener_behind(self, company: Books) -> None:
        with Sandbox({"demo": Grant(company)}) as sandbox:
            pass
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", sandbox.port)) != 0

    def test_a_defect_of_the_sandbox_fails_the_test_that_met_it(self, company: Books) -> None:
        company.kept["rest:/customers"] = [{"customerNumber": object()}]
        with pytest.raises(KeyError), Sandbox({"demo": Grant(company)}) as sandbox:
            assert get(sandbox, "/customers").status == 500
