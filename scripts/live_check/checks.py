"""How to find out about each row of docs/unsure.md.

A request is a path of the older API (`/customers`), or a module and a path of the newer one
(`q2capi:/invoices/drafts`, `accountsapi@7.0.1:/Accounts`), or a function that makes one of the
responses before it. The same request is sent once, whichever checks need its response.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from scripts.live_check import answers
from scripts.live_check.answers import need, rows, some
from tap_visma_economic.paths import encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.live_check.answers import Finding, Reply

    Request: TypeAlias = "str | Callable[..., str]"

PAGE = Path(__file__).parents[2] / "docs" / "unsure.md"
_ROW = re.compile(r"^\| (.+) \(`([a-z-]+)`\) \| .+ \| (.+) \| `.+` \|$", re.MULTILINE)


class Check(NamedTuple):
    """One question to e-conomic: requests, in this order, and who judges the responses.

    Without requests the judge sees every response of the run. The name tells it from the other
    checks of its row.
    """

    judge: Callable[..., Finding]
    requests: tuple[Request, ...] = ()
    name: str = ""


def assumptions() -> dict[str, tuple[str, str]]:
    """Return what the tap assumes, and what it does otherwise, by the key of the row."""
    page = PAGE.read_text(encoding="utf-8")
    return {key: (assumed, otherwise) for assumed, key, otherwise in _ROW.findall(page)}


DIMENSION_DATA = "dimensionsapi:/dimension-data"
CHANGELOG = f"{DIMENSION_DATA}/booked-entries/changelog?pageSize=100"
OPENAPI_ENTRIES = "bookedEntriesapi:/booked-entries"
CONTACTS = "customersapi:/Contacts"
LOCATIONS = "customersapi:/DeliveryLocations"
CUSTOMERS = "/customers?sort=-lastUpdated&pagesize=1000"
INVOICES = "/invoices/booked?sort=-bookedInvoiceNumber&pagesize=100"
YEARS = "/accounting-years?pagesize=1000"
OPENINGS = f"{OPENAPI_ENTRIES}?filter=type$eq:7"

MODULES = {
    "accountingyearsapi": "/accountingYears/periods",
    "accountsapi": "/Accounts",
    "bookedEntriesapi": "/booked-entries/paged?sort=-entryNumber&pageSize=100",
    "budgetsapi": "/budget-figures",
    "customersapi": "/Contacts",
    "dimensionsapi": "/dimension-data/accounts",
    "documentsapi": "/AttachedDocuments",
    "journalsapi": "/journals",
    "productsapi": "/products",
    "projectsapi": "/Projects",
    "q2capi": "/invoices/drafts",
    "subscriptionsapi": "/Subscriptions",
    "suppliersapi": "/Groups",
    "webhooksapi": "/EventTypes",
}
"""What to request from each module, to see whether it responds."""

NEWER = (
    *("bookedEntriesapi@5.0.0", "bookedEntriesapi@6.0.0", "bookedEntriesapi@7.0.0"),
    *("accountsapi@7.0.1", "journalsapi@15.0.1", "journalsapi@16.0.1"),
)
"""Versions that are known of and that no schema of the tap describes."""

SORTED = {
    "currencies": "code",
    "product-groups": "productGroupNumber",
    "supplier-groups": "supplierGroupNumber",
    "suppliers": "supplierNumber",
    "units": "unitNumber",
    "vat-zones": "vatZoneNumber",
}

INFERRED = {
    "bookedEntriesapi:/booked-entries/matched-pairs": ("fromEntry", "toEntry"),
    "accountingyearsapi:/accountingYears/periods": ("year", "periodNumber"),
    f"{DIMENSION_DATA}/accounts": ("accountNumber", "dimensionNumber"),
    f"{DIMENSION_DATA}/booked-entries": ("entryNumber", "dimensionNumber"),
    CHANGELOG: ("entryNumber", "dimension", "timestamp"),
    f"{DIMENSION_DATA}/booked-invoice-lines": ("invoiceNumber", "lineNumber", "dimensionNumber"),
    f"{DIMENSION_DATA}/budget-figures": ("budgetFigureNumber", "dimensionNumber"),
    f"{DIMENSION_DATA}/draft-entries": ("journalNumber", "entryNumber", "dimensionNumber"),
    f"{DIMENSION_DATA}/sales-document-lines": ("documentNumber", "lineNumber", "dimensionNumber"),
}
"""Listings whose keys are inferred, with the keys."""


_SERVED = partial(
    answers.by_status, {200: "served"}, dict.fromkeys((400, 404, 410), "not served: {}")
)
_YEAR_FOUND = partial(answers.by_status, {200: "found"}, dict.fromkeys((400, 404), "not found: {}"))
_REJECTED = partial(answers.by_status, {400: "rejected with 400"}, {200: "accepted"})


def _module(name: str) -> str:
    return f"{name}:{MODULES[name.partition('@')[0]]}"


BOOKED = _module("bookedEntriesapi")


def _served(name: str) -> Check:
    return Check(_SERVED, (_module(name),), name.replace("@", " "))


def _since(path: str, name: str) -> tuple[Check, ...]:
    since = f"{path}{'&' if '?' in path else '?'}filter={name}$gte:"
    judge = partial(answers.taken_since, name)
    return _one(judge, path, lambda page: f"{since}{answers.latest(page, name).isoformat()}")


def _sorted(name: str, key: str) -> Check:
    return Check(partial(answers.sorted_by, key), (f"/{name}?sort=-{key}&pagesize=20",), name)


def _entries_of_year(condition: str) -> Check:
    def request(years: Reply) -> str:
        year = encoded(some(rows(years), "fiscal years")[-1]["year"])
        return f"/accounting-years/{year}/entries?pagesize=1&filter={condition}"

    return Check(_REJECTED, (YEARS, request), condition.partition("$")[0])


def _split_year(years: Reply) -> str:
    split = [row["year"] for row in rows(years) if "/" in row["year"]]
    need(split, "every fiscal year is a calendar year")
    return f"/accounting-years/{encoded(max(split, key=len))}"  # rather 2025/2026a than 2025/2026


def _year_totals(opening: Reply, years: Reply) -> str:
    _, year = answers.opening_of(opening, years)
    return f"/accounting-years/{encoded(year['year'])}/totals?pagesize=1000"


def _year_entries(opening: Reply, years: Reply, _: Reply) -> str:
    entry, year = answers.opening_of(opening, years)
    account = f"accountNumber$eq:{entry['accountNumber']}"
    span = f"date$gte:{year['fromDate']}$and:date$lte:{year['toDate']}"
    return f"{OPENAPI_ENTRIES}?filter={account}$and:{span}"


def _lines(invoices: Reply) -> str:
    newest = some(rows(invoices), "booked invoices")[: answers.NEWEST]
    numbers = ",".join(str(row["bookedInvoiceNumber"]) for row in newest)
    return f"q2capi:/invoices/booked/lines?filter=documentId$in:[{numbers}]"


def _first_group(groups: Reply) -> str:
    number = some(rows(groups), "product groups")[0]["id"]
    return f"productsapi:/productgroups/{number}/accrualsettings"


def _locations(customers: Reply) -> str:
    number = some(rows(customers), "customers")[0]["customerNumber"]
    return f"/customers/{number}/delivery-locations?pagesize=1"


def _same_numbers(key: str, newer: str, older: str) -> Check:
    def request(page: Reply) -> str:
        return f"/customers/{answers.latest_customer(page)}/{older}?pagesize=1000"

    return Check(partial(answers.same_numbers, key), (newer, request), older.replace("-", " "))


def _one(judge: Callable[..., Finding], *requests: Request) -> tuple[Check, ...]:
    return (Check(judge, requests),)


# Read as: this row is decided by this judge, who sees the responses to these requests.
CHECKS: dict[str, tuple[Check, ...]] = {
    "instants-in-filters": _since(CONTACTS, "lastUpdated"),
    "instants-in-changelog": _since(CHANGELOG, "timestamp"),
    "module-versions": tuple(_served(name) for name in MODULES),
    "newer-versions": tuple(_served(name) for name in NEWER),
    "gone-versions": _one(answers.gone, BOOKED, _module("bookedEntriesapi@1.0.0")),
    "sorted-by-key": tuple(_sorted(name, key) for name, key in SORTED.items()),
    "sort-obeyed": (_sorted("customers", "customerNumber")._replace(name=""),),
    "missing-module": _one(
        answers.missing_module, _module("dimensionsapi"), _module("projectsapi")
    ),
    "instants-in-utc": _one(answers.in_utc, CUSTOMERS),
    "same-clock": _one(answers.same_clock, "/products?pagesize=1000", _module("productsapi")),
    "dates-are-days": _one(answers.days, BOOKED),
    "no-remainder": _one(
        answers.open_ones, f"{OPENAPI_ENTRIES}/paged?pageSize=100&filter=remainder$ne:0"
    ),
    "counts": _one(answers.counted, BOOKED, f"{OPENAPI_ENTRIES}/count"),
    "pages-told": _one(answers.tells_of_pages, CUSTOMERS, _locations),
    "budget-told": _one(answers.one_form),
    "budget-used": _one(answers.means_used),
    "retry-after": _one(answers.says_how_long),
    "no-settings": _one(answers.no_settings, "productsapi:/productgroups", _first_group),
    "numbers-rise": _one(answers.rising, _module("bookedEntriesapi@7.0.0")),
    "unpaid-complete": _one(
        answers.all_unpaid, INVOICES, "/invoices/unpaid?sort=-bookedInvoiceNumber&pagesize=1000"
    ),
    "year-totals": _one(answers.totals_of, OPENINGS, YEARS, _year_totals, _year_entries),
    "inferred-keys": tuple(
        Check(partial(answers.distinct, keys), (path,), path.partition(":/")[2].partition("?")[0])
        for path, keys in INFERRED.items()
    ),
    "document-ids": _one(answers.same_documents, INVOICES, _lines),
    "joined-numbers": (
        _same_numbers("customerContactNumber", CONTACTS, "contacts"),
        _same_numbers("deliveryLocationNumber", LOCATIONS, "delivery-locations"),
    ),
    "draft-numbers": _one(
        answers.other_drafts, "/invoices/drafts?pagesize=1000", _module("q2capi")
    ),
    "year-names": _one(_YEAR_FOUND, YEARS, _split_year),
    "filters-of-entries": (
        _entries_of_year("remainder$ne:0"),
        _entries_of_year("account.accountNumber$gt:0"),
    ),
    "balance-alone": _one(answers.stands_still, CUSTOMERS, INVOICES),
}
