"""The sandbox's companies keep their books in order, and both APIs tell the same of them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import pytest

from tests.sandbox.books import chart
from tests.sandbox.books.bicycle_shop import BicycleShop
from tests.sandbox.books.calendar import TODAY
from tests.sandbox.books.rows import LISTINGS
from tests.sandbox.company import Company, build_company
from tests.sandbox.values import decode_path_part, path_part

Rows = list[dict[str, Any]]
ACCOUNTS = "rest:/accounts"
INVOICES = "rest:/invoices/booked"
LINES = "q2capi:/invoices/booked/lines"
YEARS = "rest:/accounting-years"
ENTRIES = "rest:/accounting-years/{accountingYear}/entries"
TOTALS = "rest:/accounting-years/{accountingYear}/totals"
PERIODS = "rest:/accounting-years/{accountingYear}/periods"
PERIOD_TOTALS = PERIODS + "/{accountingYearPeriod}/totals"
BLOCKED = "blockDirectEntries=isBlockedForDirectEntries"
BOOKED = "bookedEntriesapi:/booked-entries"
MATCHES = "bookedEntriesapi:/booked-entries/matched-pairs"
MARKS = "dimensionsapi:/dimension-data/booked-entries"
SPARSE_EMPTY = {"rest:/orders/sent", "webhooksapi:/webhooks", "productsapi:/pricegroups"}


def small_company(seed: int = 7) -> Company:
    return build_company(1234567, "Havnens Handel A/S", seed=seed, entries=300)


@pytest.fixture(scope="module")
def small() -> Company:
    return small_company()


@pytest.fixture(scope="module")
def big() -> Company:
    return build_company(2, "Stor A/S", seed=8, entries=20_000)


@pytest.fixture(scope="module")
def sample() -> Company:
    """The sample company, as the demo reads it."""
    return build_company(1234567, "Nordlys", seed=1, entries=2_000, story=BicycleShop)


@pytest.fixture(scope="module", params=["small", "big", "sample"])
def company(request: pytest.FixtureRequest) -> Company:
    found: Company = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def mine() -> Company:
    """A company of the test's own, to play events on."""
    return small_company()


def listing(company: Company, endpoint: str, *params: str) -> Rows:
    return [dict(row) for row in company.rows(endpoint, params)]


def table(company: Company, endpoint: str, key: str) -> dict[Any, dict[str, Any]]:
    return {row[key]: row for row in listing(company, endpoint)}


def years(company: Company) -> list[str]:
    return [str(row["year"]) for row in company.rows(YEARS)]


def entries(company: Company) -> Iterator[tuple[str, dict[str, Any]]]:
    """The entries of all years as legacy REST lists them, each with its year."""
    for year in years(company):
        for row in listing(company, ENTRIES, year):
            yield year, row


def sums(amounts: Iterable[tuple[Any, Decimal | None]]) -> dict[Any, Decimal]:
    """Amounts added up by what they belong to."""
    found: dict[Any, Decimal] = defaultdict(Decimal)
    for key, amount in amounts:
        found[key] += amount or 0
    return found


def totals(company: Company, endpoint: str, *params: str) -> dict[int, Decimal]:
    return {
        row["account"]["accountNumber"]: row["totalInBaseCurrency"]
        for row in listing(company, endpoint, *params)
    }


def check_books(company: Company) -> None:
    """What must hold of a company at any moment, whatever was played on it."""
    for year in years(company):
        rows = listing(company, ENTRIES, year)
        booked = sums(
            (row["account"]["accountNumber"], row["amountInBaseCurrency"]) for row in rows
        )
        assert sum(booked.values()) == 0
        assert totals(company, TOTALS, year) == booked
        assert not any(sums((r["voucherNumber"], r["amountInBaseCurrency"]) for r in rows).values())
    owed = [(row["customer"], row) for _, row in entries(company) if row["customer"]]
    balances = sums((who["customerNumber"], row["amountInBaseCurrency"]) for who, row in owed)
    left = sums((who["customerNumber"], row["remainderInBaseCurrency"]) for who, row in owed)
    for customer in listing(company, "rest:/customers"):
        number = customer["customerNumber"]
        assert customer["balance"] == balances[number] == left[number]
    invoiced = {row["invoiceNumber"]: row["remainder"] for _, row in owed if row["bookedInvoice"]}
    invoices = table(company, INVOICES, "bookedInvoiceNumber")
    assert invoiced == {number: row["remainder"] for number, row in invoices.items()}


def test_books_are_in_order(company: Company) -> None:
    check_books(company)


def test_an_unknown_parent_is_an_error(small: Company) -> None:
    with pytest.raises(KeyError):
        small.rows(ENTRIES, ("2025",))


def test_an_invoice_that_does_not_exist_is_no_row(small: Company) -> None:
    assert list(small.rows("rest:/invoices/booked/{bookedInvoiceNumber}", ("4",))) == []


def test_listings_ascend_by_their_key(company: Company) -> None:
    for endpoint, key in (
        (BOOKED, "entryNumber"),
        ("rest:/customers", "customerNumber"),
        (INVOICES, "bookedInvoiceNumber"),
        ("customersapi:/Contacts", "number"),
        ("customersapi:/DeliveryLocations", "number"),
        ("suppliersapi:/Contacts", "number"),
        ("journalsapi:/draft-entries", "entryNumber"),
    ):
        keys = [row[key] for row in listing(company, endpoint)]
        assert keys == sorted(set(keys)), endpoint


def test_entries_of_a_year_ascend_and_lie_within_it(company: Company) -> None:
    for year in listing(company, YEARS):
        rows = listing(company, ENTRIES, year["year"])
        numbers = [row["entryNumber"] for row in rows]
        assert numbers == sorted(set(numbers))
        assert all(year["fromDate"] <= row["date"] <= year["toDate"] for row in rows)


def test_products_ascend_as_text_without_regard_to_case(company: Company) -> None:
    numbers = [str(row["productNumber"]).casefold() for row in company.rows("rest:/products")]
    assert numbers == sorted(set(numbers))


# -- years and the ledger


def test_years_and_their_periods_leave_no_day_out(small: Company) -> None:
    day = date(2023, 1, 1)
    for year in listing(small, YEARS):
        assert year["fromDate"] == day
        for period in listing(small, PERIODS, year["year"]):
            assert period["fromDate"] == day
            day = period["toDate"] + timedelta(days=1)
        assert year["toDate"] == day - timedelta(days=1)
    assert "2025/2026a" in years(small)


def test_entry_numbers_of_two_years_interleave(company: Company) -> None:
    numbers = [[r["entryNumber"] for r in listing(company, ENTRIES, y)] for y in years(company)]
    assert any(max(a) > min(b) for a, b in itertools.pairwise(numbers))


def test_entry_numbers_have_a_gap(company: Company) -> None:
    numbers = [row["entryNumber"] for row in listing(company, BOOKED)]
    assert max(numbers) - min(numbers) >= len(numbers)


def test_a_year_opens_with_the_balances_of_the_one_before(company: Company) -> None:
    kinds = {n: row["accountType"] for n, row in table(company, ACCOUNTS, "accountNumber").items()}
    for before, after in itertools.pairwise(years(company)):
        closing = sums(
            (account if kinds[account] == "status" else 6110, total)
            for account, total in totals(company, TOTALS, before).items()
        )
        opening = sums(
            (row["account"]["accountNumber"], row["amountInBaseCurrency"])
            for row in listing(company, ENTRIES, after)
            if row["entryType"] == "transferredOpeningEntry"
        )
        assert {a: v for a, v in opening.items() if v} == {a: v for a, v in closing.items() if v}


def test_period_totals_add_up_to_the_year(company: Company) -> None:
    for year in years(company):
        periods = [str(period["periodNumber"]) for period in listing(company, PERIODS, year)]
        parts = [totals(company, PERIOD_TOTALS, year, period) for period in periods]
        added = sums(pair for part in parts for pair in part.items())
        assert totals(company, TOTALS, year) == added


def test_account_balances_are_the_totals_of_the_current_year(company: Company) -> None:
    current = totals(company, TOTALS, years(company)[-1])
    postable = [
        row
        for row in listing(company, ACCOUNTS)
        if row["accountType"] in {"status", "profitAndLoss"}
    ]
    for account in postable:
        assert account["balance"] == current.get(account["accountNumber"], 0)
    drafted = [row["draftBalance"] - row["balance"] for row in postable]
    assert any(drafted)
    assert sum(drafted) == 0, "what is drafted balances itself"


def test_every_entry_type_occurs(company: Company) -> None:
    assert {row["type"] for row in listing(company, BOOKED)} == set(range(1, 11))


def test_both_apis_list_the_same_ledger(company: Company) -> None:
    booked = table(company, BOOKED, "entryNumber")
    listed = [row for _, row in entries(company)]
    assert len(listed) == len(booked)
    for row in listed:
        twin = booked[row["entryNumber"]]
        assert twin["accountNumber"] == row["account"]["accountNumber"]
        for name in ("amount", "amountInBaseCurrency", "date", "remainder", "text"):
            assert twin[name] == row[name]
        assert twin["customerInvoiceNumber"] == row["invoiceNumber"]
        vat = row["vatAccount"]
        assert (twin["vatAccountNumber"] or "").strip() == (vat["vatCode"] if vat else "")


def test_foreign_amounts_are_not_the_base_amounts(company: Company) -> None:
    foreign = [row for row in listing(company, BOOKED) if row["currencyCode"] in {"EUR", "SEK"}]
    assert foreign
    assert all(row["amount"] != row["amountInBaseCurrency"] for row in foreign if row["amount"])


def test_what_is_settled_is_settled_in_both_currencies(company: Company) -> None:
    for _, row in entries(company):
        assert (row["remainder"] == 0) == (row["remainderInBaseCurrency"] == 0)
        assert row["remainder"] * row["remainderInBaseCurrency"] >= 0


def test_the_ledger_has_what_is_rare(company: Company) -> None:
    rows = listing(company, BOOKED)
    assert [row for row in rows if row["accountNumber"] == 4300], "paid at another rate"
    assert date(2024, 2, 29) in {row["date"] for row in rows}
    codes = {row["vatAccountNumber"] for row in rows} - {None}
    assert "U25  " in codes
    assert {len(code) for code in codes} == {5}


def test_amounts_have_up_to_fifteen_digits_but_not_in_the_sample_company(
    small: Company, big: Company, sample: Company
) -> None:
    for company in (small, big):
        rows = listing(company, BOOKED)
        assert Decimal("1234567890123.45") in {row["amount"] for row in rows}
    assert max(abs(row["amountInBaseCurrency"]) for row in listing(sample, BOOKED)) < 2_000_000


def test_finance_entries_carry_remainders_on_demand(small: Company) -> None:
    assert not [r for r in listing(small, BOOKED) if r["type"] == 5 and r["remainder"]]
    company = build_company(4, "Gammel", seed=1, entries=300, finance_remainders=True)
    rows = [row for row in listing(company, BOOKED) if row["type"] == 5]
    assert rows
    assert all(row["remainder"] == row["amount"] for row in rows)


# -- invoices and matches


def test_matched_entries_exist_and_show_their_whole_amounts(company: Company) -> None:
    booked = table(company, BOOKED, "entryNumber")
    pairs = listing(company, MATCHES)
    keys = [(pair["fromEntry"], pair["toEntry"]) for pair in pairs]
    assert keys == sorted(set(keys))
    for pair in pairs:
        for side in ("from", "to"):
            entry = booked[pair[f"{side}Entry"]]
            assert entry["amount"] == pair[f"{side}EntryAmount"]
            assert entry["amountInBaseCurrency"] == pair[f"{side}EntryAmountDKK"]
            assert entry["date"] == pair[f"{side}EntryDate"]


def test_an_entry_with_a_settled_remainder_is_matched(company: Company) -> None:
    matched = {p[side] for p in listing(company, MATCHES) for side in ("fromEntry", "toEntry")}
    for row in listing(company, BOOKED):
        if row["customerNumber"] and row["remainder"] != row["amount"]:
            assert row["entryNumber"] in matched


def test_lines_add_up_to_the_header(company: Company) -> None:
    lines = listing(company, LINES)
    net = sums((line["documentId"], line.get("totalNetAmount")) for line in lines)
    vat = sums((line["documentId"], line["vatAmount"]) for line in lines)
    for number, row in table(company, INVOICES, "bookedInvoiceNumber").items():
        assert (row["netAmount"], row["vatAmount"]) == (net[number], vat[number])
        assert row["grossAmount"] == row["netAmount"] + row["vatAmount"] + row["roundingAmount"]


def test_vat_is_a_quarter_of_the_net_amount_or_none(company: Company) -> None:
    rates = set()
    for line in listing(company, LINES):
        if line["productNumber"]:
            rates.add(line["vatRate"])
            exact = line["totalNetAmount"] * line["vatRate"] / 100
            assert abs(line["vatAmount"] - exact) <= Decimal("0.005")
    assert rates == {0, 25}


def test_an_invoice_agrees_with_its_voucher(company: Company) -> None:
    vouchers: dict[int, Rows] = defaultdict(list)
    for row in listing(company, BOOKED):
        if row["type"] == 1:
            vouchers[row["customerInvoiceNumber"]].append(row)
    for invoice in listing(company, INVOICES):
        entries = vouchers[invoice["bookedInvoiceNumber"]]
        (debtor,) = [row for row in entries if row["customerNumber"]]
        assert debtor["customerNumber"] == invoice["customer"]["customerNumber"]
        assert debtor["amount"] == invoice["grossAmount"]
        assert debtor["amountInBaseCurrency"] == invoice["grossAmountInBaseCurrency"]
        assert debtor["dueDate"] == invoice["dueDate"]
        rest = [row for row in entries if not row["customerNumber"]]
        vat = sum(row["amount"] for row in rest if row["accountNumber"] == 6902)
        assert -vat == invoice["vatAmount"]
        assert -sum(row["amount"] for row in rest) == invoice["grossAmount"]


def test_the_views_divide_the_booked_invoices(company: Company) -> None:
    views: dict[str, list[Any]] = {"paid": [], "unpaid": [], "overdue": [], "not-due": []}
    for row in listing(company, INVOICES):
        views["unpaid" if row["remainder"] else "paid"].append(row)
        if row["remainder"]:
            views["overdue" if row["dueDate"] < TODAY else "not-due"].append(row)
    assert views == {view: listing(company, f"rest:/invoices/{view}") for view in views}


def test_invoices_in_every_state_occur(small: Company) -> None:
    rows = listing(small, INVOICES)
    assert [row for row in rows if row["grossAmount"] < 0]
    assert [row for row in rows if 0 < row["remainder"] < row["grossAmount"]]
    assert listing(small, "rest:/invoices/overdue")
    assert listing(small, "rest:/invoices/not-due")
    assert listing(small, "rest:/invoices/paid")
    assert rows[-1]["bookedInvoiceNumber"] == 900_001


def test_invoice_totals_agree_with_the_listings(company: Company) -> None:
    (totals,) = listing(company, "rest:/invoices/totals")
    unpaid = totals["booked"]["unpaid"]
    for block, view in (
        (totals["booked"], "booked"),
        (totals["booked"]["paid"], "paid"),
        (unpaid, "unpaid"),
        (unpaid["overdue"], "overdue"),
        (unpaid["notOverdue"], "not-due"),
        (totals["drafts"], "drafts"),
    ):
        rows = listing(company, f"rest:/invoices/{view}")
        assert block["invoiceCount"] == len(rows)
        assert block["netAmountInBaseCurrency"] == sum(r["netAmountInBaseCurrency"] for r in rows)
        if "grossRemainderInBaseCurrency" in block:
            owed = sum(row["remainderInBaseCurrency"] for row in rows)
            assert block["grossRemainderInBaseCurrency"] == owed


def test_a_single_invoice_is_the_listed_one_with_lines(company: Company) -> None:
    for row in listing(company, INVOICES)[:20]:
        number = str(row["bookedInvoiceNumber"])
        (single,) = listing(company, "rest:/invoices/booked/{bookedInvoiceNumber}", number)
        lines = single.pop("lines")
        assert sum(line.get("totalNetAmount", 0) for line in lines) == row["netAmount"]
        single.pop("references", None)
        row.pop("references", None)
        assert single == row


def test_the_due_amount_is_the_overdue_part_of_the_balance(small: Company) -> None:
    due = sums(
        (row["customer"]["customerNumber"], row["remainderInBaseCurrency"])
        for _, row in entries(small)
        if row["customer"] and row["dueDate"] and row["dueDate"] < TODAY
    )
    amounts = {r["customerNumber"]: r["dueAmount"] for r in listing(small, "rest:/customers")}
    assert amounts == {number: due[number] for number in amounts}
    assert any(amounts.values())


def test_supplier_remainders_add_up_to_what_is_owed(company: Company) -> None:
    rows = [row for row in listing(company, BOOKED) if row["supplierNumber"]]
    rows = [row for row in rows if row["currencyCode"] == "DKK"]
    left = sums((row["supplierNumber"], row["remainder"]) for row in rows)
    assert left == sums((row["supplierNumber"], row["amount"]) for row in rows)
    assert any(left.values())


# -- twins


@pytest.mark.parametrize(
    ("rest", "openapi", "names"),
    [
        (
            "customers",
            "customersapi:/Customers",
            "customerNumber name email currency vatNumber=vatNo",
        ),
        ("products", "productsapi:/products", "productNumber name salesPrice lastUpdated"),
        (
            "accounts",
            "accountsapi:/Accounts",
            f"accountNumber=number name barred=isBarred {BLOCKED}",
        ),
        (
            "accounting-years",
            "accountingyearsapi:/AccountingYears",
            "year fromDate=dateFrom toDate=dateTo closed=isClosed",
        ),
        (
            "invoices/drafts",
            "q2capi:/invoices/drafts",
            "draftInvoiceNumber grossAmount=amount vatAmount lastUpdated",
        ),
        ("employees", "projectsapi:/Employees", "employeeNumber=number name email barred=isBarred"),
        ("supplier-groups", "suppliersapi:/Groups", "supplierGroupNumber=number name"),
        ("product-groups", "productsapi:/productgroups", "productGroupNumber=id name"),
        ("journals", "journalsapi:/journals", "journalNumber=number name"),
    ],
)
def test_twins_agree(company: Company, rest: str, openapi: str, names: str) -> None:
    pairs = [name.partition("=") for name in names.split()]
    ours, theirs = listing(company, f"rest:/{rest}"), listing(company, openapi)
    assert [[row.get(name) for name, _, _ in pairs] for row in ours] == [
        [row.get(other or name) for name, _, other in pairs] for row in theirs
    ]


def test_contacts_and_locations_agree_in_both_apis(small: Company) -> None:
    contacts = table(small, "customersapi:/Contacts", "number")
    locations = table(small, "customersapi:/DeliveryLocations", "number")
    for customer in listing(small, "rest:/customers"):
        number = str(customer["customerNumber"])
        for row in listing(small, "rest:/customers/{customerNumber}/contacts", number):
            twin = contacts.pop(row["customerContactNumber"])
            assert (twin["name"], twin["isDeleted"]) == (row["name"], row["deleted"])
        for row in listing(small, "rest:/customers/{customerNumber}/delivery-locations", number):
            twin = locations.pop(row["deliveryLocationNumber"])
            assert (twin["address"], twin["isBarred"]) == (row["address"], row["barred"])
    assert not contacts
    assert not locations


def test_draft_entries_are_the_journals_entries_and_vouchers(company: Company) -> None:
    drafts = table(company, "journalsapi:/draft-entries", "entryNumber")
    in_vouchers = 0
    for journal in listing(company, "rest:/journals"):
        number = str(journal["journalNumber"])
        for row in listing(company, "rest:/journals/{journalNumber}/entries", number):
            twin = drafts[row["journalEntryNumber"]]
            assert (twin["amount"], twin["journalNumber"]) == (row["amount"], int(number))
            assert twin["voucherNumber"] == row["voucher"]["voucherNumber"]
        for voucher in listing(company, "rest:/journals/{journalNumber}/vouchers", number):
            in_vouchers += sum(map(len, voucher["entries"].values()))
    assert in_vouchers == len(drafts)


def test_prices_agree_in_both_apis(small: Company) -> None:
    prices = {
        (row["productNumber"], row["currency"]): row["salesPrice"]
        for row in listing(small, "productsapi:/salespriceincurrencies")
    }
    rest = {
        (row["product"]["productNumber"], row["currency"]["code"]): row["price"]
        for product in small.rows("rest:/products")
        for row in listing(
            small,
            "rest:/products/{productNumber}/pricing/currency-specific-sales-prices",
            str(product["productNumber"]),
        )
    }
    assert rest == prices


@pytest.mark.parametrize("kind", ["orders", "quotes"])
@pytest.mark.parametrize("status", ["drafts", "sent", "archived"])
def test_order_and_quote_lines_add_up(company: Company, kind: str, status: str) -> None:
    lines = listing(company, f"q2capi:/{kind}/{{documentStatus}}/lines", status)
    net = sums((line["documentId"], line.get("totalNetAmount")) for line in lines)
    rows = listing(company, f"rest:/{kind}/{status}")
    handle = f"{kind.removesuffix('s')}Handle"
    assert {row["soap"][handle]["id"]: row["netAmount"] for row in rows} == net
    assert all(row["lines"] == [] for row in rows)


# -- the rest refers to what exists


def test_attached_documents_belong_to_booked_vouchers(company: Company) -> None:
    vouchers = {(year, row["voucherNumber"]) for year, row in entries(company)}
    for row in listing(company, "documentsapi:/AttachedDocuments"):
        assert (row["accountingYear"], row["voucherNumber"]) in vouchers


def test_dimension_data_refers_to_what_exists(company: Company) -> None:
    keys = {
        (row["dimensionNumber"], row["key"])
        for kind in ("values", "distributions")
        for row in listing(company, f"dimensionsapi:/{kind}")
    }
    lines = {(line["documentId"], line["number"]) for line in listing(company, LINES)}
    budgets = table(company, "budgetsapi:/budget-figures", "number")
    entries = table(company, BOOKED, "entryNumber")
    for row in listing(company, MARKS):
        assert row["entryNumber"] in entries
        assert (row["dimensionNumber"], row["dimensionKey"]) in keys
    for row in listing(company, "dimensionsapi:/dimension-data/booked-invoice-lines"):
        assert (row["invoiceNumber"], row["lineNumber"]) in lines
    for row in listing(company, "dimensionsapi:/dimension-data/budget-figures"):
        assert row["budgetFigureNumber"] in budgets


def test_departments_on_entries_are_dimension_one(company: Company) -> None:
    marks = {
        row["entryNumber"]: row["dimensionKey"]
        for row in listing(company, MARKS)
        if row["dimensionNumber"] == 1
    }
    departments = {
        row["entryNumber"]: row["departmentalDistribution"]["departmentalDistributionNumber"]
        for _, row in entries(company)
        if row.get("departmentalDistribution")
    }
    assert departments == marks


def test_the_newest_change_of_an_entry_is_what_it_carries(company: Company) -> None:
    marks = {
        (row["entryNumber"], row["dimensionNumber"]): row["dimensionKey"]
        for row in listing(company, MARKS)
    }
    changes = listing(company, "dimensionsapi:/dimension-data/booked-entries/changelog")
    stamps = [row["timestamp"] for row in changes]
    assert stamps == sorted(stamps, reverse=True)
    for row in reversed(changes):
        now = marks.get((row["entryNumber"], row["dimension"]))
        assert now == row["dimensionKeyTo"]


def test_projects_add_up_their_time_mileage_and_invoices(small: Company) -> None:
    cost: dict[int, Decimal] = defaultdict(Decimal)
    for kind, prices in (("TimeEntries", "TimeEntryPrices"), ("Mileages", "MileagePrices")):
        price = table(small, f"projectsapi:/{prices}", "number")
        for row in listing(small, f"projectsapi:/{kind}"):
            cost[row["projectNumber"]] += price[row["number"]]["costPrice"]
    invoiced = sums(
        (row["project"]["projectNumber"], row["netAmountInBaseCurrency"])
        for row in listing(small, INVOICES)
        if row["project"]
    )
    for row in listing(small, "projectsapi:/Projects"):
        assert row["costPrice"] == cost[row["number"]]
        assert row["invoicedTotal"] == invoiced[row["number"]]


# -- shape and scale


def test_equal_arguments_make_equal_rows_and_another_seed_others(small: Company) -> None:
    same, other = small_company(), small_company(seed=8)
    for endpoint in (endpoint for endpoint in LISTINGS if "{" not in endpoint):
        assert listing(same, endpoint) == listing(small, endpoint)
    assert listing(other, BOOKED) != listing(small, BOOKED)


@pytest.mark.parametrize("entries", [300, 2_000, 20_000])
def test_the_size_is_about_what_was_asked_for(entries: int) -> None:
    company = build_company(5, "Målt", seed=3, entries=entries)
    assert 0.85 < len(company.rows(BOOKED)) / entries < 1.15


def test_twenty_thousand_entries_fill_more_than_a_page(big: Company) -> None:
    assert len(big.rows("rest:/customers")) > 1_000
    assert len(big.rows("rest:/products")) > 1_000
    assert len(big.rows(INVOICES)) > 2_000


def test_many_rows_share_a_timestamp_and_products_are_precise_to_the_minute(big: Company) -> None:
    stamps = [row["lastUpdated"] for row in listing(big, "rest:/products")]
    assert max(map(stamps.count, set(stamps))) > 100
    assert all(stamp.second == 0 and stamp.tzinfo == timezone.utc for stamp in stamps)
    assert len({row["lastUpdated"].second for row in listing(big, "rest:/customers")}) > 30


def test_a_sparse_company_has_phone_numbers_and_little_else() -> None:
    company = build_company(6, "Mager", seed=1, entries=60, sparse=True)
    check_books(company)
    customers = listing(company, "rest:/customers")
    assert all(10_000_000 <= row["customerNumber"] <= 99_999_999 for row in customers)
    assert not any(row["email"] for row in customers)
    for endpoint in SPARSE_EMPTY:
        assert len(company.rows(endpoint)) == 0


def test_a_company_without_modules_has_no_projects_nor_dimensions() -> None:
    company = build_company(7, "Bar", seed=1, entries=300, modules=frozenset())
    check_books(company)
    assert not company.rows("projectsapi:/Projects")
    assert not company.rows(MARKS)
    for _, row in entries(company):
        assert row.get("project") is None
        assert row.get("departmentalDistribution") is None


def test_a_slice_of_the_ledger_is_its_rows(small: Company) -> None:
    rows = small.rows(BOOKED)
    assert rows[10:13] == [rows[10], rows[11], rows[12]]
    assert rows[-1] == list(rows)[-1]


def test_links_escape_what_e_conomic_escapes() -> None:
    assert path_part("DK_AL") == "DK_8_AL"
    assert path_part("TEST-19:34") == "TEST-19_4_34"
    assert path_part('Tomme 1/2"') == "Tomme_9_1_6_2%22"


@pytest.mark.parametrize(
    "value", ["2025/2026a", "_6_", "a?b&c=d", "back\\slash*<>", "v1.0.0", "nr#1"]
)
def test_an_escaped_key_reads_back(value: str) -> None:
    assert decode_path_part(unquote(path_part(value))) == value


# -- the story of the sample company


def months_of(company: Company, kind: str) -> dict[date, Decimal]:
    """By month: what the accounts of a kind earn, less what they cost."""
    return sums(
        (row["date"].replace(day=1), -row["amountInBaseCurrency"])
        for row in listing(company, BOOKED)
        if (kind == "sales" and row["accountNumber"] < 1100)
        or (kind == "result" and chart.BY_NUMBER[row["accountNumber"]].kind == chart.PL)
    )


def span(amounts: dict[date, Decimal], year: int, *months: int) -> Decimal:
    return sum((amounts[date(year, month, 1)] for month in months), Decimal(0))


def test_summers_sell_more_than_winters_and_every_year_more_than_the_last(sample: Company) -> None:
    sales = months_of(sample, "sales")
    for year in (2023, 2024, 2025, 2026):
        assert span(sales, year, 4, 5, 6) > 1.3 * float(span(sales, year, 1, 2, 3))
    for months in ((1, 2, 3), (4, 5, 6)):
        grown = [span(sales, year, *months) for year in (2023, 2024, 2025, 2026)]
        assert grown == sorted(grown)


def test_one_quarter_is_bad(sample: Company) -> None:
    results = months_of(sample, "result")
    quarters = {
        (year, first): span(results, year, first, first + 1, first + 2)
        for year in (2023, 2024, 2025, 2026)
        for first in (1, 4, 7)
    }
    assert min(quarters, key=lambda quarter: quarters[quarter]) == (2025, 7)
    assert quarters[2025, 7] < 0 < quarters[2024, 7] < quarters[2026, 7]


def test_amounts_of_the_sample_company_are_believable(sample: Company) -> None:
    grosses = [row["grossAmountInBaseCurrency"] for row in listing(sample, INVOICES)]
    assert max(grosses) < 150_000
    assert min(row["salesPrice"] for row in listing(sample, "rest:/products")) > 100
    banks: dict[int, Decimal] = defaultdict(Decimal)
    rows = [row for row in listing(sample, BOOKED) if row["type"] != 8]
    for row in sorted(rows, key=lambda row: (row["date"], row["entryNumber"])):
        banks[row["accountNumber"]] += row["amountInBaseCurrency"]
        for account in (chart.BANK, chart.BANK_EUR, chart.CASH, chart.STOCK):
            assert banks[account] >= 0


# -- events


def test_a_listing_stays_the_same_object(mine: Company) -> None:
    rows = mine.rows("rest:/customers")
    assert isinstance(rows, list)
    rows[0]["name"] = "Changed"
    mine.book(TODAY, "Andet", [(3410, Decimal("0.10")), (5820, Decimal("-0.10"))])
    assert mine.rows("rest:/customers")[0]["name"] == "Changed"


def test_booking_moves_totals_and_balances(mine: Company) -> None:
    before = table(mine, ACCOUNTS, "accountNumber")[3410]
    mine.book(TODAY, "Papir", [(3410, Decimal("99.95")), (5820, Decimal("-99.95"))])
    after = table(mine, ACCOUNTS, "accountNumber")[3410]
    assert after["balance"] - before["balance"] == Decimal("99.95")
    assert after["draftBalance"] - before["draftBalance"] == Decimal("99.95")
    with pytest.raises(ValueError, match="balance"):
        mine.book(TODAY, "Skæv", [(3410, Decimal(1))])
    check_books(mine)


def test_booking_in_a_past_year_corrects_what_the_next_ones_opened_with(mine: Company) -> None:
    mine.book(date(2024, 2, 29), "Sent", [(3410, Decimal(1)), (5820, Decimal(-1))])
    check_books(mine)
    test_a_year_opens_with_the_balances_of_the_one_before(mine)


def test_entries_can_be_booked_under_lower_numbers(mine: Company) -> None:
    numbers = {row["entryNumber"] for row in listing(mine, BOOKED)}
    free = next(n for n in range(1, max(numbers)) if not {n, n + 1} & numbers)
    lines = [(3410, Decimal(1)), (5820, Decimal(-1))]
    mine.book(TODAY, "Indskudt", lines, first_number=free)
    assert {free, free + 1} <= {row["entryNumber"] for row in listing(mine, BOOKED)}
    test_listings_ascend_by_their_key(mine)
    test_entries_of_a_year_ascend_and_lie_within_it(mine)
    check_books(mine)


def test_a_match_that_is_undone_leaves_both_entries_open_again(mine: Company) -> None:
    invoice = listing(mine, "rest:/invoices/not-due")[0]
    number, owed = invoice["bookedInvoiceNumber"], invoice["remainder"]
    pairs = listing(mine, MATCHES)

    def is_left(remainder: Decimal) -> None:
        (single,) = listing(mine, "rest:/invoices/booked/{bookedInvoiceNumber}", str(number))
        assert single["remainder"] == remainder
        paid = table(mine, "rest:/invoices/paid", "bookedInvoiceNumber")
        assert (number in paid) == (remainder == 0)
        check_books(mine)

    mine.pay(number, Decimal("0.10"))
    is_left(owed - Decimal("0.10"))
    mine.pay(number)
    is_left(Decimal(0))
    mine.unmatch(number)
    is_left(owed - Decimal("0.10"))
    mine.unmatch(number)
    is_left(owed)
    assert listing(mine, MATCHES) == pairs
    first, second = [row for row in listing(mine, BOOKED) if row["customerNumber"]][-2:]
    assert (first["amount"], first["remainder"]) == (-Decimal("0.10"), -Decimal("0.10"))
    assert second["remainder"] == second["amount"]
    with pytest.raises(KeyError):
        mine.unmatch(number)


def test_a_number_can_be_picked_by_hand(mine: Company) -> None:
    customer = listing(mine, "rest:/customers")[3]["customerNumber"]
    assert mine.sell(customer, "T-shirt M", number=5) == 5
    assert listing(mine, INVOICES)[0]["bookedInvoiceNumber"] == 5
    check_books(mine)
    with pytest.raises(ValueError, match="taken"):
        mine.sell(customer, "T-shirt M", number=5)


def test_a_booked_draft_becomes_an_invoice(mine: Company) -> None:
    draft = listing(mine, "rest:/invoices/drafts")[0]
    number = mine.book_draft(draft["draftInvoiceNumber"])
    booked = table(mine, INVOICES, "bookedInvoiceNumber")[number]
    assert booked["grossAmount"] == draft["grossAmount"]
    drafts = table(mine, "q2capi:/invoices/drafts", "draftInvoiceNumber")
    assert draft["draftInvoiceNumber"] not in drafts
    check_books(mine)


def test_a_deleted_draft_is_gone_from_both_apis(mine: Company) -> None:
    number = listing(mine, "rest:/invoices/drafts")[1]["draftInvoiceNumber"]
    mine.delete_draft(number)
    for endpoint in ("rest:/invoices/drafts", "q2capi:/invoices/drafts"):
        assert number not in table(mine, endpoint, "draftInvoiceNumber")
    lines = listing(mine, "q2capi:/invoices/drafts/lines")
    assert number not in {line["draftInvoiceNumber"] for line in lines}


def test_an_edited_dimension_shows_in_the_changelog(mine: Company) -> None:
    entry = listing(mine, BOOKED)[5]["entryNumber"]
    at = datetime(2026, 11, 14, 12, tzinfo=timezone.utc)
    mine.redimension(entry, 2, 202, at)
    newest = listing(mine, "dimensionsapi:/dimension-data/booked-entries/changelog")[0]
    assert [newest[n] for n in ("entryNumber", "dimensionKeyTo", "timestamp")] == [entry, 202, at]
    test_the_newest_change_of_an_entry_is_what_it_carries(mine)
