"""What the tap takes for granted, and how to find out: the table behind docs/unsure.md.

A request is a path of the older API (`/customers`), or a module and a path of the newer one
(`q2capi:/invoices/drafts`, `accountsapi@7.0.1:/Accounts`), or a function that makes one of the
answers before it. The same request is sent once, whichever checks need its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from scripts.live_check import answers
from scripts.live_check.answers import rows, some
from tap_visma_economic.paths import encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.live_check.answers import Judge, Reply

    Request: TypeAlias = "str | Callable[..., str]"


@dataclass(frozen=True)
class Check:
    """One question to e-conomic.

    Args:
        judge: tells from the answers which it is.
        requests: what to ask, in this order; nothing: the judge sees every answer of the run.
        name: tells it from the other checks of its assumption.
    """

    judge: Judge
    requests: tuple[Request, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class Assumption:
    """One row of docs/unsure.md, in Markdown.

    Args:
        key: what reports know it by.
        takes: what the tap takes for granted.
        source: where that is from.
        otherwise: what the tap does if it is otherwise.
        test: the test that holds it to that, counted from `tests/`.
        checks: how to ask e-conomic.
    """

    key: str
    takes: str
    source: str
    otherwise: str
    test: str
    checks: tuple[Check, ...]


DIMENSION_DATA = "dimensionsapi:/dimension-data"
CHANGELOG = f"{DIMENSION_DATA}/booked-entries/changelog?pageSize=100"
ENTRIES = "/booked-entries/paged?sort=-entryNumber&pageSize=100"
CONTACTS = "customersapi:/Contacts"
LOCATIONS = "customersapi:/DeliveryLocations"
PRODUCTS = "productsapi:/products"
CUSTOMERS = "/customers?sort=-lastUpdated&pagesize=1000"
INVOICES = "/invoices/booked?sort=-bookedInvoiceNumber&pagesize=100"
GROUPS = "productsapi:/productgroups"
YEARS = "/accounting-years?pagesize=1000"
OPENINGS = "bookedEntriesapi:/booked-entries?filter=type$eq:7"

MODULES = {
    "accountingyearsapi": "/accountingYears/periods",
    "accountsapi": "/Accounts",
    "bookedEntriesapi": ENTRIES,
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
"""What to ask of each module, to see whether it answers."""

NEWER = (
    "bookedEntriesapi@5.0.0",
    "bookedEntriesapi@6.0.0",
    "bookedEntriesapi@7.0.0",
    "accountsapi@7.0.1",
    "journalsapi@15.0.1",
    "journalsapi@16.0.1",
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


def _module(name: str) -> str:
    return f"{name}:{MODULES[name.partition('@')[0]]}"


def _since(path: str, name: str) -> Request:
    return lambda page: f"{path}filter={name}$gte:{answers.latest(page, name).isoformat()}"


def _entries_of_year(condition: str) -> Check:
    def request(years: Reply) -> str:
        year = encoded(some(rows(years), "fiscal years")[-1]["year"])
        return f"/accounting-years/{year}/entries?pagesize=1&filter={condition}"

    return Check(answers.refused, (YEARS, request), condition.partition("$")[0])


def _split_year(years: Reply) -> str:
    split = [row["year"] for row in rows(years) if "/" in row["year"]]
    name = max((*split, ""), key=len)  # 2025/2026a rather than 2025/2026
    if not name:
        raise answers.CannotTell("every fiscal year is a calendar year")
    return f"/accounting-years/{encoded(name)}"


def _year_totals(opening: Reply, years: Reply) -> str:
    year = answers.opening_of(opening, years)[1]
    return f"/accounting-years/{encoded(year['year'])}/totals?pagesize=1000"


def _year_entries(opening: Reply, years: Reply, _: Reply) -> str:
    entry, year = answers.opening_of(opening, years)
    account = f"accountNumber$eq:{entry['accountNumber']}"
    span = f"date$gte:{year['fromDate']}$and:date$lte:{year['toDate']}"
    return f"bookedEntriesapi:/booked-entries?filter={account}$and:{span}"


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


def _of_customer(what: str) -> Request:
    return lambda newer: f"/customers/{answers.latest_customer(newer)}/{what}?pagesize=1000"


ASSUMPTIONS = (
    Assumption(
        "instants-in-filters",
        "The newer API takes an instant in a filter, `lastUpdated$gte:2026-01-02T03:04:05`.",
        "Only a day is documented.",
        "It asks by day, and if that is refused too it reads everything. Each time a warning says "
        "so.",
        "test_open_questions.py::test_what_has_changed_arrives_however_it_may_be_asked_for",
        (
            Check(
                answers.taken_since("lastUpdated"),
                (CONTACTS, _since(f"{CONTACTS}?", "lastUpdated")),
            ),
        ),
    ),
    Assumption(
        "instants-in-changelog",
        "So does the changelog of dimensions.",
        "The same.",
        "The same.",
        "test_open_questions.py::"
        "test_edited_dimensions_arrive_however_the_changelog_may_be_asked_for",
        (
            Check(
                answers.taken_since("timestamp"), (CHANGELOG, _since(f"{CHANGELOG}&", "timestamp"))
            ),
        ),
    ),
    Assumption(
        "module-versions",
        "e-conomic serves the versions of its modules that the schemas describe.",
        "Old versions were still in use by others in 2026.",
        "404, 410, or a 400 about the version: the stream fails and names the setting "
        "`openapi_versions`.",
        "test_bad_input.py::test_a_version_that_is_not_served_is_named",
        tuple(Check(answers.served, (_module(name),), name) for name in MODULES),
    ),
    Assumption(
        "newer-versions",
        "Newer versions answer as well, where `openapi_versions` names them: `bookedEntriesapi` "
        "5.0.0 to 7.0.0, `accountsapi` 7.0.1, `journalsapi` 15.0.1 and 16.0.1 are known of.",
        "e-conomic's lists of changes.",
        "The stream fails and names the setting. What these versions are known to add is typed; "
        "with any other, columns that the schemas lack come along, and the log lists them.",
        "test_bad_input.py::test_a_version_that_is_not_served_is_named",
        tuple(Check(answers.served, (_module(name),), name.replace("@", " ")) for name in NEWER),
    ),
    Assumption(
        "gone-versions",
        "A version that is not served is told with 404, 410 or 400.",
        "Not documented.",
        "403 is taken for a missing role, and the stream is skipped. With another status it fails "
        "without naming the setting.",
        "test_bad_input.py::test_a_version_that_is_not_served_is_named",
        (Check(answers.gone, (_module("bookedEntriesapi"), _module("bookedEntriesapi@1.0.0"))),),
    ),
    Assumption(
        "sorted-by-key",
        "REST listings sort by their key.",
        "e-conomic's schemas; for currencies, suppliers, units, VAT zones, product groups and "
        "supplier groups only reports of others.",
        "It reads them in the order in which they come. More than one page is read until two "
        "readings hold the same rows.",
        "test_open_questions.py::test_listings_that_are_not_sorted_are_read_all_the_same",
        tuple(
            Check(answers.sorted_by(key), (f"/{name}?sort=-{key}&pagesize=20",), name)
            for name, key in SORTED.items()
        ),
    ),
    Assumption(
        "sort-obeyed",
        "They obey the sort.",
        "Listings of the newer API were seen to ignore one.",
        "The same.",
        "test_open_questions.py::"
        "test_a_long_listing_that_is_not_sorted_by_its_key_is_read_by_position",
        (
            Check(
                answers.sorted_by("customerNumber"),
                ("/customers?sort=-customerNumber&pagesize=20",),
            ),
        ),
    ),
    Assumption(
        "missing-module",
        "A missing role or module is told with 403, in the form of e-conomic's other errors "
        "(`logId`, `httpStatusCode`, `traceId` or `errorCode`).",
        "Documented; for projects also seen. For dimensions only a code is documented, and no "
        "status. REST's body is not known.",
        "Another 4xx with such a code is a skip as well. A 403 in another form is taken for a "
        "gateway's: the stream fails.",
        "test_open_questions.py::"
        "test_a_missing_module_is_a_skip_whatever_the_status_it_is_told_with",
        (Check(answers.missing_module, (_module("dimensionsapi"), _module("projectsapi"))),),
    ),
    Assumption(
        "instants-in-utc",
        "Instants are UTC.",
        "REST marks them so. Of the newer API only dates were seen, without a zone. Nobody has "
        "proved either.",
        "The look-back of 180 minutes covers Danish time.",
        "test_incremental.py::"
        "test_changes_around_the_repeated_hour_in_october_arrive_in_either_zone",
        (Check(answers.in_utc, (CUSTOMERS,)),),
    ),
    Assumption(
        "same-clock",
        "Both APIs show the same time for the same change.",
        "Not documented.",
        "The look-back covers that too.",
        "test_incremental.py::"
        "test_changes_around_the_repeated_hour_in_october_arrive_in_either_zone",
        (Check(answers.same_clock, ("/products?pagesize=1000", PRODUCTS)),),
    ),
    Assumption(
        "dates-are-days",
        "A date is a day. The newer API puts a midnight behind it.",
        "Seen.",
        "With another time of day the day is kept; with a zone as well, it is the day in Denmark. "
        "The log counts both.",
        "test_open_questions.py::test_a_day_with_a_time_of_day_is_that_day_and_is_told",
        (Check(answers.days, (_module("bookedEntriesapi"),)),),
    ),
    Assumption(
        "no-remainder",
        "An entry of which nothing can be open has the remainder 0, or `remainder$ne:0` does not "
        "find it.",
        "Not documented: the remainder may be missing.",
        "It asks for remainders above or below zero instead.",
        "test_open_questions.py::test_entries_without_a_remainder_are_not_taken_for_open_ones",
        (
            Check(
                answers.open_ones,
                ("bookedEntriesapi:/booked-entries/paged?pageSize=100&filter=remainder$ne:0",),
            ),
        ),
    ),
    Assumption(
        "counts",
        "e-conomic counts what it lists.",
        "Documented, seen.",
        "A listing is read to its end, with a warning that it could not be compared. Its bookmark "
        "stays where it was, so that it is read again each time; where the bookmark itself rests "
        "on a count, everything is.",
        "test_open_questions.py::test_a_listing_that_is_not_counted_is_read_to_its_end",
        (
            Check(
                answers.counted,
                (_module("bookedEntriesapi"), "bookedEntriesapi:/booked-entries/count"),
            ),
        ),
    ),
    Assumption(
        "pages-told",
        "REST listings tell of their pages (`pagination`).",
        "Seen; some schemas of nested listings lack it.",
        "A full page is taken to be followed by another.",
        "test_open_questions.py::"
        "test_a_rest_listing_that_tells_nothing_of_its_pages_is_read_to_its_end",
        (Check(answers.tells_of_pages, (CUSTOMERS, _locations)),),
    ),
    Assumption(
        "budget-told",
        "Answers tell of the call budget, in one form.",
        "Seen by some; others saw another form, or none.",
        "It is understood in several forms. Where it is missing the tap does not slow down before "
        "a 429.",
        "test_call_budget.py::"
        "test_whatever_the_headers_say_a_run_that_is_refused_nothing_does_not_crawl",
        (Check(answers.one_form),),
    ),
    Assumption(
        "budget-used",
        "The figure of the call budget tells tokens used.",
        "Seen; the name does not say.",
        "If it told what is left, the tap would keep to a tenth of its pace.",
        "test_call_budget.py::"
        "test_whatever_the_headers_say_a_run_that_is_refused_nothing_does_not_crawl",
        (Check(answers.means_used),),
    ),
    Assumption(
        "retry-after",
        "A 429 says how long to wait.",
        "Nobody has shown a real one.",
        "It waits for 60 seconds, the time in which a budget is said to refill.",
        "test_faults.py::test_a_fault_that_stays_fails_its_stream_and_the_next_run_completes_it",
        (Check(answers.says_how_long),),
    ),
    Assumption(
        "no-settings",
        "A product group without accrual or project settings answers 404, in the form of "
        "e-conomic's other errors.",
        "Not documented.",
        "204 or `null` mean the same. An object without any documented property, or a 404 in "
        "another form, fails the stream.",
        "test_open_questions.py::test_a_group_without_settings_is_no_failure_however_that_is_told",
        (Check(answers.no_settings, (GROUPS, _first_group)),),
    ),
    Assumption(
        "numbers-rise",
        "Entry and invoice numbers rise.",
        "Partly documented. Credit notes are booked later under earlier dates: numbers rise, dates "
        "need not.",
        "They are not trusted: counts tell what came below the bookmark.",
        "test_numbers_not_trusted.py::test_entries_that_become_visible_late_arrive_with_the_next_run",
        (Check(answers.rising, (_module("bookedEntriesapi@7.0.0"),)),),
    ),
    Assumption(
        "unpaid-complete",
        "`/invoices/unpaid` lists every invoice that is open.",
        "Not documented for credit notes.",
        "An invoice that was open and is not in that listing is read by its number.",
        "test_open_questions.py::"
        "test_an_open_invoice_that_is_not_listed_as_unpaid_is_read_by_its_number",
        (
            Check(
                answers.all_unpaid,
                (INVOICES, "/invoices/unpaid?sort=-bookedInvoiceNumber&pagesize=1000"),
            ),
        ),
    ),
    Assumption(
        "year-totals",
        "`accounting_year_totals` are sums of all booked entries of the year, opening entries "
        "among them.",
        'They are documented as "total entry amount"; of opening entries nothing is said.',
        "`reconcile`, and a check of the [dbt models](models.md), tell of differences on the "
        "accounts of the balance sheet, though no row is missing.",
        "test_reconciliation.py::test_a_difference_of_one_oere_is_reported_with_both_amounts",
        (Check(answers.totals_of, (OPENINGS, YEARS, _year_totals, _year_entries)),),
    ),
    Assumption(
        "inferred-keys",
        "The keys of `matched_entries`, of the seven streams of dimension data and of "
        "`openapi_accounting_periods` identify a row.",
        "Inferred.",
        "The log tells how many rows have the key of another row of their page. A target that "
        "replaces rows by key keeps one of them.",
        "test_open_questions.py::test_rows_with_the_same_key_are_told",
        tuple(
            Check(answers.distinct(*keys), (path,), path.partition(":/")[2].partition("?")[0])
            for path, keys in INFERRED.items()
        ),
    ),
    Assumption(
        "document-ids",
        "`invoices_booked_lines.documentId` is the invoice's number.",
        "Not promised; for drafts it is not.",
        "Lines arrive all the same, but do not join to `invoices_booked`. Nothing in the log gives "
        "that away.",
        "test_live_check.py::test_each_of_the_answers_is_named",
        (Check(answers.same_documents, (INVOICES, _lines)),),
    ),
    Assumption(
        "joined-numbers",
        "The newer API's contacts and delivery locations are numbered as the older one's.",
        "Not promised.",
        "As with lines: they do not join, and nothing gives it away.",
        "test_live_check.py::test_each_of_the_answers_is_named",
        (
            Check(
                answers.same_numbers("customerContactNumber"),
                (CONTACTS, _of_customer("contacts")),
                "contacts",
            ),
            Check(
                answers.same_numbers("deliveryLocationNumber"),
                (LOCATIONS, _of_customer("delivery-locations")),
                "delivery locations",
            ),
        ),
    ),
    Assumption(
        "draft-numbers",
        "The newer API's `number` of a draft invoice is not the older one's; its "
        "`draftInvoiceNumber` is.",
        "Seen by one client.",
        "Every row arrives; only what joins to what is another.",
        "test_live_check.py::test_each_of_the_answers_is_named",
        (Check(answers.other_drafts, ("/invoices/drafts?pagesize=1000", _module("q2capi"))),),
    ),
    Assumption(
        "year-names",
        "A fiscal year is found under its name in e-conomic's own encoding: `2025/2026a` as "
        "`2025_6_2026a`.",
        "e-conomic's table for links; seen by one client.",
        "The streams that are read by year fail with the 404.",
        "test_live_check.py::test_each_of_the_answers_is_named",
        (Check(answers.year_found, (YEARS, _split_year)),),
    ),
    Assumption(
        "filters-of-entries",
        "`/accounting-years/{year}/entries` cannot be filtered by remainder or account.",
        "Told in a real 400; the schema says otherwise.",
        "Nothing: `entries` is filtered by number and date alone.",
        "test_live_check.py::test_each_of_the_answers_is_named",
        (
            _entries_of_year("remainder$ne:0"),
            _entries_of_year("account.accountNumber$gt:0"),
        ),
    ),
    Assumption(
        "balance-alone",
        "A customer's `balance` changes without `lastUpdated`.",
        "Seen in the demo company.",
        "`customers` is read in full each time; that would then be more than is needed.",
        "test_live_check.py::test_each_of_the_answers_is_named",
        (Check(answers.stands_still, (CUSTOMERS, INVOICES)),),
    ),
)


def table() -> str:
    """Return the table of docs/unsure.md."""
    head = [
        "| What the tap takes for granted | Where it is from | If it is otherwise | Test |",
        "|---|---|---|---|",
    ]
    cells = [
        f"| {it.takes} (`{it.key}`) | {it.source} | {it.otherwise} | `{it.test}` |"
        for it in ASSUMPTIONS
    ]
    return "\n".join([*head, *cells, ""])
