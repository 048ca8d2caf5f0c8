"""Accounts, fiscal years, entries, journals, documents and budgets."""

from __future__ import annotations

from typing import ClassVar

from tap_visma_economic.client import OpenApiStream, RestApiStream
from tap_visma_economic.pagination import Paged
from tap_visma_economic.replication import ByNumber, ByTimestamp, OpenItems


class Accounts(RestApiStream):
    """Chart of accounts with today's balance and the balance of what is not booked yet."""

    name, path = "accounts", "/accounts"
    primary_keys = ("agreementNumber", "accountNumber")
    keyset = "accountNumber"


class OpenapiAccounts(OpenApiStream):
    """Chart of accounts as the newer API returns it, with `lastUpdated` but no balances."""

    name, module, path = "openapi_accounts", "accountsapi", "/Accounts"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByTimestamp("lastUpdated")
    opt_in = True


class AccountTotalIntervals(OpenApiStream):
    """Which account ranges a total account adds up."""

    name, module, path = "account_total_intervals", "accountsapi", "/TotalIntervals"
    primary_keys = ("agreementNumber", "accountNumber", "fromAccountNumber")


class KeyFigureCodes(OpenApiStream):
    """Key figures that accounts count towards."""

    name, module, path = "key_figure_codes", "accountsapi", "/KeyFigureCodes"
    primary_keys = ("agreementNumber", "number")


class AccountingYears(RestApiStream):
    """Fiscal years, broken ones too (`2025/2026`)."""

    name, path = "accounting_years", "/accounting-years"
    primary_keys = ("agreementNumber", "year")
    sort = "fromDate"


class OpenapiAccountingYears(OpenApiStream):
    """Fiscal years as the newer API returns them: its only collection without cursors."""

    name, module, path = "openapi_accounting_years", "accountingyearsapi", "/AccountingYears"
    paginator_class = Paged
    primary_keys = ("agreementNumber", "year")
    opt_in = True


class AccountingPeriods(RestApiStream):
    """Periods of each fiscal year, and whether they are closed."""

    name, path = "accounting_periods", "/accounting-years/{accountingYear}/periods"
    parent = AccountingYears
    path_params: ClassVar = {"accountingYear": "year"}
    primary_keys = ("agreementNumber", "accountingYear", "periodNumber")
    sort = "periodNumber"


class OpenapiAccountingPeriods(OpenApiStream):
    """Periods of all fiscal years as the newer API returns them, with barred ones marked."""

    name = "openapi_accounting_periods"
    module = "accountingyearsapi"
    path = "/accountingYears/periods"
    primary_keys = ("agreementNumber", "year", "periodNumber")
    key_is_inferred = True
    opt_in = True


class AccountingYearTotals(RestApiStream):
    """Control totals: what the entries of each fiscal year add up to, per account."""

    name, path = "accounting_year_totals", "/accounting-years/{accountingYear}/totals"
    parent = AccountingYears
    path_params: ClassVar = {"accountingYear": "year"}
    primary_keys = ("agreementNumber", "accountingYear", "accountNumber")


class AccountingPeriodTotals(RestApiStream):
    """What the entries of each period add up to, per account. One call per period."""

    name = "accounting_period_totals"
    path = "/accounting-years/{accountingYear}/periods/{accountingYearPeriod}/totals"
    parent = AccountingPeriods
    path_params: ClassVar = {
        "accountingYear": "accountingYear",
        "accountingYearPeriod": "periodNumber",
    }
    primary_keys = ("agreementNumber", "accountingYear", "periodNumber", "accountNumber")
    opt_in = True


class BookedEntries(OpenApiStream):
    """The ledger: every booked entry of every fiscal year. `remainder` changes after booking."""

    name, module, path = "booked_entries", "bookedEntriesapi", "/booked-entries"
    primary_keys = ("agreementNumber", "entryNumber")
    keyset = "entryNumber"
    replication = ByNumber("entryNumber", start_date="date", open_items=OpenItems("remainder$ne:0"))


class MatchedEntries(OpenApiStream):
    """Pairs of entries that settle one another, each with its full amount, not the part applied."""

    name, module, path = "matched_entries", "bookedEntriesapi", "/booked-entries/matched-pairs"
    counted = False
    primary_keys = ("agreementNumber", "fromEntry", "toEntry")
    key_is_inferred = True


class Entries(RestApiStream):
    """The ledger a year at a time, with units and departments, which booked_entries lacks."""

    name, path = "entries", "/accounting-years/{accountingYear}/entries"
    parent = AccountingYears
    path_params: ClassVar = {"accountingYear": "year"}
    primary_keys = ("agreementNumber", "entryNumber")
    keyset = "entryNumber"
    replication = ByNumber("entryNumber", start_date="date")
    opt_in = True


class Journals(RestApiStream):
    """Journals (daybooks) in which vouchers are drafted."""

    name, path = "journals", "/journals"
    primary_keys = ("agreementNumber", "journalNumber")
    keyset = "journalNumber"


class OpenapiJournals(OpenApiStream):
    """Journals as the newer API returns them. It returns 500 for every filter."""

    name, module, path = "openapi_journals", "journalsapi", "/journals"
    primary_keys = ("agreementNumber", "number")
    opt_in = True


class DraftEntries(OpenApiStream):
    """Entries waiting in journals, not booked yet."""

    name, module, path = "draft_entries", "journalsapi", "/draft-entries"
    primary_keys = ("agreementNumber", "entryNumber")
    keyset = "entryNumber"


class DraftEntryAccruals(OpenApiStream):
    """How draft entries are spread over months."""

    name, module, path = "draft_entry_accruals", "journalsapi", "/accruals"
    primary_keys = ("agreementNumber", "journalNumber", "entryNumber")


class JournalEntries(RestApiStream):
    """Draft entries per journal as the older API returns them."""

    name, path = "journal_entries", "/journals/{journalNumber}/entries"
    parent = Journals
    path_params: ClassVar = {"journalNumber": "journalNumber"}
    primary_keys = ("agreementNumber", "journalNumber", "journalEntryNumber")
    keyset = "journalEntryNumber"
    opt_in = True


class JournalVouchers(RestApiStream):
    """Draft vouchers per journal, with their entries nested by kind."""

    name, path = "journal_vouchers", "/journals/{journalNumber}/vouchers"
    parent = Journals
    path_params: ClassVar = {"journalNumber": "journalNumber"}
    primary_keys = ("agreementNumber", "journalNumber", "accountingYear", "voucherNumber")
    opt_in = True


class AttachedDocuments(OpenApiStream):
    """Scanned documents attached to vouchers: metadata, not the files."""

    name, module, path = "attached_documents", "documentsapi", "/AttachedDocuments"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    replication = ByNumber("number")


class BudgetFigures(OpenApiStream):
    """Budget amounts per account and span of dates."""

    name, module, path = "budget_figures", "budgetsapi", "/budget-figures"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
