"""Join keys: which column of a stream names a row of which other stream.

e-conomic names most references alike everywhere, so one table by name says nearly all; what is
named otherwise, or is no reference in spite of its name, is said per stream. Sources: e-conomic's
published schemas and OpenAPI documents. `tests/test_docs_relations.py` looks each one up in the
sandbox's rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.docs_site.domains import DOMAINS
from tap_visma_economic import schemas

if TYPE_CHECKING:
    from collections.abc import Iterator

Target = tuple[str, str]


@dataclass(frozen=True)
class Relation:
    """A column that names a row of another stream.

    Args:
        stream: where the column is.
        column: its name.
        target: the stream whose row it names.
        key: that stream's column. `agreementNumber` belongs to every join.
        proven: False where e-conomic's documents do not say that the two numbers are equal.
        only: the values of the column `type` with which it names a row; empty: any.
    """

    stream: str
    column: str
    target: str
    key: str
    proven: bool = True
    only: tuple[int, ...] = ()


BY_NAME: dict[str, Target] = {
    "accountNumber": ("accounts", "accountNumber"),
    "accountingYear": ("accounting_years", "year"),
    "activityNumber": ("activities", "number"),
    "bookedInvoiceNumber": ("invoices_booked", "bookedInvoiceNumber"),
    "costTypeNumber": ("cost_types", "number"),
    "currency": ("currencies", "code"),
    "currencyCode": ("currencies", "code"),
    "customerContactNumber": ("customer_contacts", "number"),
    "customerGroupNumber": ("customer_groups", "customerGroupNumber"),
    "customerNumber": ("customers", "customerNumber"),
    "deliveryLocationNumber": ("customer_delivery_locations", "number"),
    "departmentNumber": ("departments", "departmentNumber"),
    "departmentalDistributionNumber": (
        "departmental_distributions",
        "departmentalDistributionNumber",
    ),
    "dimensionNumber": ("dimensions", "number"),
    "draftInvoiceNumber": ("invoices_drafts", "draftInvoiceNumber"),
    "employeeGroupNumber": ("employee_groups", "number"),
    "employeeNumber": ("employees", "employeeNumber"),
    "journalNumber": ("journals", "journalNumber"),
    "keyFigureCodeNumber": ("key_figure_codes", "number"),
    "layoutNumber": ("layouts", "layoutNumber"),
    "mainProjectNumber": ("projects", "number"),
    "paymentTermsNumber": ("payment_terms", "paymentTermsNumber"),
    "paymentTypeNumber": ("payment_types", "paymentTypeNumber"),
    "priceGroupNumber": ("price_groups", "number"),
    "productGroupNumber": ("product_groups", "productGroupNumber"),
    "productNumber": ("products", "productNumber"),
    "productSpecialPriceNumber": ("special_prices", "number"),
    "projectGroupNumber": ("project_groups", "number"),
    "projectNumber": ("projects", "number"),
    "subscriptionNumber": ("subscriptions", "number"),
    "supplierContactNumber": ("supplier_contacts", "number"),
    "supplierGroupNumber": ("supplier_groups", "number"),
    "supplierNumber": ("suppliers", "supplierNumber"),
    "unit1Number": ("units", "unitNumber"),
    "unit2Number": ("units", "unitNumber"),
    "unitNumber": ("units", "unitNumber"),
    "vatCode": ("vat_accounts", "vatCode"),
    "vatTypeNumber": ("vat_types", "vatTypeNumber"),
    "vatZoneNumber": ("vat_zones", "vatZoneNumber"),
}
"""A column of this name, or one that ends in it (`contraAccountNumber`), names this."""

BY_STREAM: dict[tuple[str, str], Target | None] = {
    ("account_total_intervals", "fromAccountNumber"): None,  # bounds of a range,
    ("account_total_intervals", "toAccountNumber"): None,  # which need not be accounts
    ("accounting_period_totals", "periodNumber"): ("accounting_periods", "periodNumber"),
    ("activities", "groupNumber"): ("activity_groups", "number"),
    ("booked_entries", "customerInvoiceNumber"): ("invoices_booked", "bookedInvoiceNumber"),
    ("booked_entries", "vatAccountNumber"): ("vat_accounts", "vatCode"),
    ("booked_entry_dimension_changes", "dimension"): ("dimensions", "number"),
    ("booked_entry_dimension_changes", "entryNumber"): ("booked_entries", "entryNumber"),
    ("booked_entry_dimensions", "entryNumber"): ("booked_entries", "entryNumber"),
    ("booked_invoice_line_dimensions", "invoiceNumber"): ("invoices_booked_lines", "documentId"),
    ("booked_invoice_line_dimensions", "lineNumber"): ("invoices_booked_lines", "number"),
    ("budget_figure_dimensions", "budgetFigureNumber"): ("budget_figures", "number"),
    ("cost_types", "costGroupNumber"): ("cost_type_groups", "number"),
    ("draft_entry_accruals", "entryNumber"): ("draft_entries", "entryNumber"),
    ("draft_entry_dimensions", "entryNumber"): ("draft_entries", "entryNumber"),
    ("invoices_booked_lines", "documentId"): ("invoices_booked", "bookedInvoiceNumber"),
    ("matched_entries", "fromEntry"): ("booked_entries", "entryNumber"),
    ("matched_entries", "toEntry"): ("booked_entries", "entryNumber"),
    ("mileage_prices", "number"): ("mileages", "number"),
    ("openapi_accounting_periods", "year"): ("accounting_years", "year"),
    ("openapi_accounts", "vatAccountNumber"): None,  # nowhere documented
    ("openapi_customers", "paymentTermId"): ("payment_terms", "paymentTermsNumber"),
    ("openapi_customers", "zone"): ("vat_zones", "vatZoneNumber"),
    ("openapi_employees", "groupNumber"): ("employee_groups", "number"),
    ("openapi_invoices_drafts", "termOfPaymentNumber"): ("payment_terms", "paymentTermsNumber"),
    ("openapi_products", "productGroupId"): ("product_groups", "productGroupNumber"),
    ("openapi_products", "unit2Id"): ("units", "unitNumber"),
    ("openapi_products", "unitId"): ("units", "unitNumber"),
    ("product_group_accrual_settings", "accrualAccountId"): ("accounts", "accountNumber"),
    ("product_group_project_settings", "projectAccountId"): ("accounts", "accountNumber"),
    ("product_group_zones", "accountId"): ("accounts", "accountNumber"),
    ("project_employees", "groupNumber"): ("employee_groups", "number"),
    ("sales_document_line_dimensions", "documentNumber"): None,  # of drafts, orders or quotes
    ("time_entry_prices", "number"): ("time_entries", "number"),
}
"""What the name alone does not say; None where it seems to say something."""

ONLY = {("booked_entries", "customerInvoiceNumber"): (1,)}
"""Columns that name a row with some values of `type` alone: reminders, manual invoices and their
payments have numbers of their own."""

NOT_PROVEN = {
    ("booked_invoice_line_dimensions", "invoiceNumber"),
    ("booked_invoice_line_dimensions", "lineNumber"),
    ("invoices_booked_lines", "documentId"),
}
"""Columns whose equality with the other stream's key e-conomic's documents leave open."""

NOT_PROVEN_TARGETS = {"customer_contacts", "customer_delivery_locations", "supplier_contacts"}
"""Streams of the newer API that the older API's numbers are assumed to name."""


def relations() -> Iterator[Relation]:
    """Yield every relation, stream by stream, in the order of the columns."""
    for stream in (stream for domain in DOMAINS for stream in domain.streams):
        for column, facts in columns(stream.name).items():
            target = _target(stream.name, column) if _can_be_key(facts) else None
            if target and target != (stream.name, column):
                proven = not (
                    (stream.name, column) in NOT_PROVEN or target[0] in NOT_PROVEN_TARGETS
                )
                only = ONLY.get((stream.name, column), ())
                yield Relation(stream.name, column, *target, proven=proven, only=only)


def columns(stream: str) -> dict[str, dict[str, object]]:
    """Return the columns of a stream as its table has them, links left out."""
    found: dict[str, dict[str, object]] = schemas.catalog_schema(
        schemas.load(stream), include_links=False
    )["properties"]
    return found


def _can_be_key(column: dict[str, object]) -> bool:
    """Tell whether a column holds numbers or codes: `netAmountInBaseCurrency` is an amount."""
    types = column.get("type", [])
    kinds = {types} if isinstance(types, str) else set(types if isinstance(types, list) else [])
    return bool(kinds & {"integer", "string"}) and "format" not in column


def _target(stream: str, column: str) -> Target | None:
    if (stream, column) in BY_STREAM:
        return BY_STREAM[stream, column]
    endings = [name for name in BY_NAME if _ends_in(column, name)]
    return BY_NAME[max(endings, key=len)] if endings else None


def _ends_in(column: str, name: str) -> bool:
    """Tell whether a column is named so, or ends so with a word of its own before it."""
    return column == name or column.endswith(name[0].upper() + name[1:])
