"""What e-conomic's documents leave open: the tap copes with either answer, and says which it was.

The sandbox answers as the documents suggest; here it answers otherwise.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pytest

from tests.faulty import company_for, keys, truth
from tests.sandbox import Grant, listing, rest
from tests.sandbox.company import build_company
from tests.sandbox.values import Raw
from tests.support import VERSIONS, Altered, Firm, activated, filters, now, served, told

if TYPE_CHECKING:
    from tests.conftest import TapRunner
    from tests.sandbox.company import Company
    from tests.sandbox.grants import CompanyLike

NUMBER = 1234567
CONTACTS = "customersapi:/Contacts"
ENTRIES = "bookedEntriesapi:/booked-entries"
NO_FILTER = {"title": "Bad request.", "status": 400, "errorCode": "BadFilterRequest"}
NO_SORT = {"message": "Could not parse query string sort parameter"}


company, sandbox = served(lambda: build_company(NUMBER, "Åbne Spørgsmål ApS", seed=5, entries=1300))


def serving(tap: TapRunner, company: CompanyLike) -> Firm:
    """A sandbox of another company than the module's own."""
    return Firm(tap, {"demo": Grant(company)})


# How an instant stands in a filter: the newer API documents a day only


INSTANT = r"%24gte%3A\d{4}-\d\d-\d\dT"
ANY_SINCE = r"%24gte%3A\d{4}-"


@pytest.mark.parametrize(
    ("refused", "last"),
    [(INSTANT, "lastUpdated$gte:{day}"), (ANY_SINCE, None)],
    ids=["days alone", "neither"],
)
def test_what_has_changed_arrives_however_it_may_be_asked_for(
    sandbox: Firm, company: Company, refused: str, last: str | None
) -> None:
    first = sandbox.read("customer_contacts")
    bookmark = first.bookmark("customer_contacts")["replication_key_value"]
    since = dt.datetime.fromisoformat(bookmark[:-1]) - dt.timedelta(minutes=180)
    contact: Any = company.rows(CONTACTS)[3]
    contact.update(name="Ny Kontakt", lastUpdated=now())
    sandbox.log.clear()
    sandbox.always(f"/Contacts.*{refused}", 400, NO_FILTER)
    run = sandbox.read("customer_contacts", state=first.state)
    assert (contact["number"], "Ny Kontakt") in {
        (record["number"], record["name"]) for record in run.records["customer_contacts"]
    }
    assert filters(sandbox, CONTACTS)[-1] == (last and last.format(day=since.date()))
    assert told(
        run,
        "Cannot filter by change time exactly, so reading more than needed: e-conomic returned 400",
    )
    assert run.bookmark("customer_contacts")["replication_key_value"] > bookmark


def test_a_start_date_that_may_not_be_asked_for_leaves_out_nothing(
    sandbox: Firm, company: Company
) -> None:
    sandbox.always(f"/Contacts.*{ANY_SINCE}", 400, NO_FILTER)
    run = sandbox.read("customer_contacts", start_date="2026-01-01")
    assert len(run.records["customer_contacts"]) == len(company.rows(CONTACTS))


@pytest.mark.parametrize("refused", [INSTANT, ANY_SINCE], ids=["days alone", "neither"])
def test_edited_dimensions_arrive_however_the_changelog_may_be_asked_for(
    sandbox: Firm, company: Company, refused: str
) -> None:
    streams = ("booked_entry_dimensions", "booked_entry_dimension_changes")
    first = sandbox.read(*streams)
    oldest, *_, newest = first.records["booked_entry_dimensions"]
    assert oldest["entryNumber"] + 1000 < newest["entryNumber"]
    company.redimension(oldest["entryNumber"], oldest["dimensionNumber"], 2, now())
    sandbox.always(f"/changelog.*{refused}", 400, NO_FILTER)
    run = sandbox.read(*streams, state=first.state)
    for stream in streams:
        assert oldest["entryNumber"] in {row["entryNumber"] for row in run.records[stream]}


# What is sorted by what: the documents name too much and too little


SORTED = (
    "accounting_periods",
    "accounting_years",
    "currencies",
    "customers",
    "departments",
    "entries",
    "product_groups",
    "products",
    "suppliers",
    "units",
    "vat_zones",
)


def test_listings_that_are_not_sorted_are_read_all_the_same(sandbox: Firm) -> None:
    expected = sandbox.read(*SORTED).records
    sandbox.always(r"[?&]sort=", 400, NO_SORT)
    run = sandbox.read(*SORTED)
    for stream in SORTED:
        assert by_content(run.records[stream]) == by_content(expected[stream]), stream
        assert told(run, f"tap-visma-economic.{stream} "), stream
    assert len(told(run, "e-conomic does not sort")) < 2 * len(SORTED)


def by_content(records: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(record, sort_keys=True, default=str) for record in records)


def test_a_changelog_that_is_not_sorted_is_read_from_its_newest_row_on(sandbox: Firm) -> None:
    name = "booked_entry_dimension_changes"
    expected = sandbox.read(name).records
    sandbox.always(r"[?&]sort=", 400, NO_FILTER)
    run = sandbox.read(name)
    assert by_content(run.records[name]) == by_content(expected[name]) != []


def low_ones_last(rows: Any) -> list[Any]:
    """In the order of creation, say, with the low numbers picked by hand later on."""
    rising = sorted(rows, key=itemgetter("customerNumber"))
    return [*rising[50:], *rising[:50]]


@pytest.mark.parametrize(
    "order",
    [None, partial(sorted, key=itemgetter("name")), low_ones_last],
    ids=["refused", "ignored", "ignored, low ones last"],
)
def test_a_long_listing_that_is_not_sorted_by_its_key_is_read_by_position(
    warm_tap: TapRunner, monkeypatch: pytest.MonkeyPatch, order: Any
) -> None:
    """The sort is refused, or ignored; a first page may rise by chance."""
    company: Any = company_for("customers")
    with serving(
        warm_tap, Altered(company, "rest:/customers", order) if order else company
    ) as sandbox:
        if order:
            monkeypatch.setattr(listing, "parse_sort", lambda *_: ())
        else:
            sandbox.always(r"[?&]sort=", 400, NO_SORT)
        run = sandbox.read("customers")
        pages = [seen.target for seen in sandbox.requests("^/customers")]
    assert keys(run, "customers") == truth("customers")
    assert len(told(run, "e-conomic does not sort /customers as requested")) == 1
    assert order is low_ones_last or len([page for page in pages if "sort=" in page]) == 1


def test_a_new_invoice_arrives_where_invoices_are_not_sorted(
    sandbox: Firm, company: Company
) -> None:
    sandbox.always(r"[?&]sort=", 400, NO_SORT)
    first = sandbox.read("invoices_booked")
    invoices: Any = company.rows("rest:/invoices/booked")
    whole = sorted(row["bookedInvoiceNumber"] for row in invoices)
    read = sorted(record["bookedInvoiceNumber"] for record in first.records["invoices_booked"])
    assert read == whole
    state = first.bookmark("invoices_booked")
    assert (state["replication_key_value"], state["rows_to_bookmark"]) == (whole[-1], len(whole))
    second = sandbox.read("invoices_booked", state=first.state)
    assert second.bookmark("invoices_booked") == state


# Whether an entry that nothing can be open of has a remainder, and whether none is zero


def test_entries_without_a_remainder_are_not_taken_for_open_ones(
    warm_tap: TapRunner, company: Company
) -> None:
    """The sandbox finds them by `remainder$ne:0`, which no document decides."""
    open_ones: Any = [row["entryNumber"] for row in company.rows(ENTRIES) if row["remainder"]]
    latest: Any = company.rows(ENTRIES)[-1]["entryNumber"]

    def bare(rows: Any) -> Any:
        return [
            row if row["customerNumber"] or row["supplierNumber"] else {**row, "remainder": None}
            for row in rows
        ]

    with serving(warm_tap, Altered(company, ENTRIES, bare)) as sandbox:
        first = sandbox.read("booked_entries")
        second = sandbox.read("booked_entries", state=first.state)
    read = {record["entryNumber"] for record in second.records["booked_entries"]}
    assert read == {*open_ones, *(n for n in keys(first, "booked_entries") if n >= latest - 1000)}
    assert open_ones[0] < latest - 1000
    assert second.bookmark("booked_entries") == first.bookmark("booked_entries")


# Which open invoices the listing of unpaid ones leaves out: credit notes, it may be


def test_an_open_invoice_that_is_not_listed_as_unpaid_is_read_by_its_number(
    warm_tap: TapRunner, company: Company
) -> None:
    unpaid: Any = [row["bookedInvoiceNumber"] for row in company.rows("rest:/invoices/unpaid")]
    left_out = set(unpaid[::2])

    def some(rows: Any) -> Any:
        return [row for row in rows if row["bookedInvoiceNumber"] not in left_out]

    with serving(warm_tap, Altered(company, "rest:/invoices/unpaid", some)) as sandbox:
        first = sandbox.read("invoices_booked")
        again = sandbox.read("invoices_booked", state=first.state)
        for number in unpaid:
            company.pay(number)
        last = sandbox.read("invoices_booked", state=again.state)
    remainders = {
        record["bookedInvoiceNumber"]: record["remainder"]
        for run in (first, again, last)
        for record in run.records["invoices_booked"]
    }
    latest = first.bookmark("invoices_booked")["replication_key_value"]
    assert max(left_out) < latest - 1000, "they are not read again for their numbers"
    assert {number for number in unpaid if remainders[number]} == set()
    assert again.bookmark("invoices_booked")["open"] == first.bookmark("invoices_booked")["open"]


# What is counted


def test_a_listing_that_is_not_counted_is_read_to_its_end(warm_tap: TapRunner) -> None:
    """And without a count to compare with, nothing counts as deleted."""
    stream = "booked_entries"
    with serving(warm_tap, company_for(stream)) as sandbox:
        sandbox.always("/booked-entries/count", 404)
        first = sandbox.read(stream, **VERSIONS)
        second = sandbox.read(stream, state=first.state)
    for run in (first, second):
        assert {*keys(run, stream)} == {*truth(stream)}
    assert told(first, "cannot be compared with e-conomic's own count")
    assert activated(first) == set()
    assert told(first, "ACTIVATE_VERSION not sent for booked_entries")
    assert told(second, "Reading everything again, because the row count is unavailable")
    assert second.bookmark(stream) == first.bookmark(stream)


def test_a_rest_listing_that_tells_nothing_of_its_pages_is_read_to_its_end(
    warm_tap: TapRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some nested listings have no `pagination` (docs/economic-api.md#rest-collections)."""
    answer = rest.answer

    def bare(call: Any) -> Any:
        whole = answer(call)
        body = re.sub(rb',"pagination":\{[^}]*\}', b"", whole.body)
        return replace(whole, body=body)

    monkeypatch.setattr(rest, "answer", bare)
    with serving(warm_tap, company_for("customers")) as sandbox:
        run = sandbox.read("customers")
    assert keys(run, "customers") == truth("customers")
    assert told(run, "/customers does not report its number of rows")


# How it is told that a product group has no settings


@pytest.mark.parametrize(("status", "body"), [(204, b""), (200, b"null"), (404, None)])
def test_a_group_without_settings_is_no_failure_however_that_is_told(
    sandbox: Firm, status: int, body: bytes | None
) -> None:
    """The sandbox answers 404; what e-conomic answers is not known."""
    stream = "product_group_accrual_settings"
    whole = sandbox.read(stream).records[stream]
    first = whole[0]["productGroupNumber"]
    sandbox.always(f"/productgroups/{first}/accrualsettings", status, body)
    assert sandbox.read(stream).records[stream] == whole[1:]


# What says that a module is missing


def test_a_missing_module_is_a_skip_whatever_the_status_it_is_told_with(sandbox: Firm) -> None:
    says = {"title": "Bad request.", "errors": [{"errorCode": "DimensionIncorrectModule"}]}
    sandbox.always("^/dimensionsapi", 400, says)
    run = sandbox.read("dimensions", "booked_entry_dimensions")
    assert "Skipped for" in run.stderr
    assert "DimensionIncorrectModule" in run.stderr
    report = sandbox.test()
    assert re.search(r"\n  dimensions +no +module: Bad request. DimensionIncorrect", report.text)


# A day that is more than a day


def test_a_day_with_a_time_of_day_is_that_day_and_is_told(sandbox: Firm, company: Company) -> None:
    projects: Any = company.rows("projectsapi:/Projects")
    projects[0]["closedDate"] = Raw('"2026-03-31T14:05:00"')
    projects[1]["closedDate"] = Raw('"2026-03-31T22:00:00Z"')
    run = sandbox.read("projects")
    closed = {record["number"]: record.get("closedDate") for record in run.records["projects"]}
    assert closed[projects[0]["number"]] == "2026-03-31"
    assert closed[projects[1]["number"]] == "2026-04-01", "when it is in Denmark"
    assert told(run, "closedDate has a time of day where a day is documented: the day is kept")


# Whether keys that no document states identify a row


@pytest.mark.parametrize(
    ("stream", "endpoint", "other"),
    [
        ("account_dimensions", "dimensionsapi:/dimension-data/accounts", {"dimensionKey": 99}),
        ("booked_entry_dimensions", "dimensionsapi:/dimension-data/booked-entries", {}),
        ("matched_entries", "bookedEntriesapi:/booked-entries/matched-pairs", {}),
    ],
)
def test_rows_with_the_same_key_are_told(
    warm_tap: TapRunner, company: Company, stream: str, endpoint: str, other: dict[str, Any]
) -> None:
    def twice(rows: Any) -> Any:
        return [*rows, {**rows[0], **other}, {**rows[1], **other}]

    assert len(company.rows(endpoint)) < 1000, "all rows are on one page"
    with serving(warm_tap, Altered(company, endpoint, twice)) as sandbox:
        run = sandbox.read(stream)
    (line,) = told(run, "the key is that of another row")
    assert line.endswith("keeps one of them (2 rows)")


@pytest.mark.parametrize("place", [999, 500])
def test_rows_with_the_same_key_arrive_wherever_a_page_ends(
    warm_tap: TapRunner, place: int
) -> None:
    company = build_company(NUMBER, "Tvillinger ApS", seed=5, entries=7_000)

    def with_a_twin(rows: Any) -> list[Any]:
        return [*rows[: place + 1], dict(rows[place]), *rows[place + 1 :]]

    endpoint = "dimensionsapi:/dimension-data/booked-entries"
    count = len(company.rows(endpoint))
    assert count > 1_000
    with serving(warm_tap, Altered(company, endpoint, with_a_twin)) as sandbox:
        run = sandbox.read("booked_entry_dimensions")
    assert len(run.records["booked_entry_dimensions"]) > count, "a repeated row is no loss"


def test_edits_behind_a_changelog_that_did_not_stand_still_are_asked_for_again(
    sandbox: Firm, company: Company
) -> None:
    """It is read by position where it may not be sorted, and rows then slip between its pages."""
    state = sandbox.read("booked_entry_dimensions").state
    (partition,) = state["bookmarks"]["booked_entry_dimensions"]["partitions"]
    partition["changes_since"] = "2020-01-01T00:00:00Z"
    readings = iter(range(10_000))

    def moving(rows: Any) -> list[Any]:
        many = [{**rows[0], "entryNumber": number} for number in range(1, 251)]
        return [{**rows[0], "entryNumber": 1_000 + next(readings)}, *many]

    endpoint = "dimensionsapi:/dimension-data/booked-entries/changelog"
    sandbox.grants["demo"] = Grant(Altered(company, endpoint, moving))
    sandbox.always(r"changelog.*[?&]sort=", 400, NO_SORT)
    run = sandbox.read("booked_entry_dimensions", state=state)
    assert told(run, "kept changing during")
    assert run.bookmark("booked_entry_dimensions")["changes_since"] == "2020-01-01T00:00:00Z"
