"""Descriptions of columns, in our own words, where the name alone does not say it.

Keyed by property, or by stream.property where a name means something else there. What a number of
an enum stands for is not here: `documents.py` reads the names from the documents.
"""

from __future__ import annotations

AGREEMENT_NUMBER = "The company (agreement) the record was read from."
PARAMETER = "Taken from the address of the listing the record came from."

ENTRY_AMOUNT = "In the currency of the entry; debit is positive, credit negative."

DESCRIPTIONS = {
    "agreements.agreementNumber": "The company (agreement), the same number as on every record.",
    "accounts.balance": "Balance today, in the base currency.",
    "accounts.draftBalance": "Balance with the entries that are not booked yet.",
    "accounting_period_totals.totalInBaseCurrency": (
        "What the entries of the account add up to in the period, in the base currency."
    ),
    "accounting_year_totals.totalInBaseCurrency": (
        "What the entries of the account add up to in the fiscal year, in the base currency."
    ),
    "booked_entries.amount": ENTRY_AMOUNT,
    "draft_entries.amount": ENTRY_AMOUNT,
    "entries.amount": ENTRY_AMOUNT,
    "journal_entries.amount": ENTRY_AMOUNT,
    "amountDefaultCurrency": "The amount in the base currency of the company.",
    "amountInBaseCurrency": "The amount in the base currency of the company.",
    "booked_entries.customerInvoiceNumber": (
        "The customer invoice the entry belongs to; where type is 1, a booked invoice."
    ),
    "booked_entries.remainder": "What is still open. Changes when entries are matched.",
    "booked_entries.vatAccountNumber": "VAT code: letters and digits in spite of the name.",
    "booked_entry_dimension_changes.timestamp": "When the dimension of the entry was changed.",
    "customers.balance": "What the customer owes.",
    "customers.dueAmount": "The part of the balance that is due for payment.",
    "documentId": "The document of the line, by an id that may differ from its printed number.",
    "documentStatus": "drafts, sent or archived: the listing the line was read from.",
    "entries.remainder": "What is still open. Changes when entries are matched.",
    "entryNumber": "Serial number of the entry in the ledger.",
    "draft_entries.entryNumber": "Number of the entry in its journal until it is booked.",
    "draft_entry_accruals.entryNumber": "The draft entry that is spread over a period.",
    "draft_entry_dimensions.entryNumber": "The draft entry the dimension belongs to.",
    "exchangeRate": "Price of 100 units of the currency in the base currency.",
    "fromEntryAmount": "The whole amount of the entry, not the part that was matched.",
    "fromEntryAmountDKK": "The whole amount of the entry in the base currency.",
    "toEntryAmount": "The whole amount of the entry, not the part that was matched.",
    "toEntryAmountDKK": "The whole amount of the entry in the base currency.",
    "grossAmount": "With VAT, in the currency of the document.",
    "grossAmountInBaseCurrency": "With VAT, in the base currency of the company.",
    "inventoryLastUpdated": "When the stock figures last changed, as UTC.",
    "isDeleted": "Deleted records stay in the listing with this flag set.",
    "lastDisabledDate": "When the webhook was last switched off, as UTC.",
    "lastUpdated": "When the record was created or last changed, as UTC.",
    "netAmount": "Without VAT, in the currency of the document.",
    "netAmountInBaseCurrency": "Without VAT, in the base currency of the company.",
    "objectVersion": "Changes with every change of the record; opaque otherwise.",
    "projects.status": "Number of the project's status (project_statuses.number).",
    "remainder": "What is still open.",
    "remainderInBaseCurrency": "What is still open, in the base currency of the company.",
    "userInterfaceNumber": "The number that e-conomic's own pages show.",
    "year": "Fiscal year: 2025, or 2025/2026 where it is not a calendar year.",
    "accountingYear": "Fiscal year: 2025, or 2025/2026 where it is not a calendar year.",
}


def describe(stream: str, path: str) -> str | None:
    """The description of a property of a stream, by its dotted path, or none."""
    name = path.rpartition(".")[2]
    return DESCRIPTIONS.get(f"{stream}.{path}") or DESCRIPTIONS.get(name)
