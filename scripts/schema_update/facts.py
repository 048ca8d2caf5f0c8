"""What the documents do not say, or say wrongly: dates, names, errors and their corrections.

Each row carries the reason. "recorded" means an answer of the real API that somebody published;
the year tells when.
"""

from __future__ import annotations

from dataclasses import dataclass

INSTANTS = frozenset({"inventoryLastUpdated", "lastDisabledDate", "lastUpdated", "timestamp"})
"""The only points in time. Every other date in both APIs is a day in the ledger or calendar."""

CIVIL_DATES = frozenset(
    {
        "accrueEndDate",
        "accrueStartDate",
        "closedDate",
        "created",
        "cutOffDate",
        "cutoffDate",
        "date",
        "dateFrom",
        "dateTo",
        "deliveryDate",
        "directDebitMandateDate",
        "discountExpiryDate",
        "dueDate",
        "endDate",
        "expiryDate",
        "fromDate",
        "fromEntryDate",
        "invoices_sent.creationDate",
        "registrationDate",
        "signupDate",
        "startDate",
        "toDate",
        "toEntryDate",
    }
)
"""Dates without a time, by property, or stream.property where the name alone is not enough.

OpenAPI calls nearly all of them `date-time` and serves midnight; `cutOffDate` it calls `date` and
serves with a time all the same (projectsapi, recorded 2026).
"""

VALUE_OBJECTS = frozenset({"application"})
"""Objects with a link and a number that describe rather than refer to another entity."""

VAT_CODES = frozenset({"contraVatCode", "vatAccountNumber", "vatCode"})
"""Strings that hold a VAT code, which e-conomic pads with blanks here and there."""

PARAMETER_COLUMNS = {"accountingYearPeriod": "periodNumber"}
"""Path parameters whose column has another name than the parameter."""


@dataclass(frozen=True)
class Correction:
    """One change to the documents of some streams.

    `path` is dotted, `[]` marks the items of an array. `becomes` is a type, `boolean or absent`,
    `link`, or `omit` for what never leaves the tap though it is served.
    """

    streams: tuple[str, ...]
    path: str
    becomes: str
    reason: str


BOOKED = (
    "invoices_booked",
    "invoices_booked_documents",
    "invoices_paid",
    "invoices_unpaid",
    "invoices_overdue",
    "invoices_not_due",
)
ORDERS = ("orders_drafts", "orders_sent", "orders_archived")
QUOTES = ("quotes_drafts", "quotes_sent", "quotes_archived")
DRAFTS_AND_ORDERS = ("invoices_drafts", *ORDERS)
PAYMENT_DETAILS = (
    "accountNo",
    "fiSupplierNo",
    "giroAccount",
    "ibanSwift",
    "message",
    "ocrLine",
    "ocrLineMessage",
)

VOUCHER_ENTRIES = (
    "financeVouchers",
    "customerPayments",
    "supplierInvoices",
    "supplierPayments",
    "manualCustomerInvoices",
)

CORRECTIONS = (
    Correction(
        ("entries",),
        "invoiceNumber",
        "integer",
        "declared string in three of four entry documents, served as a number (checked live 2026)",
    ),
    Correction(
        ("journals",),
        "pagination",
        "omit",
        "part of the answer's envelope, repeated by mistake in the items of the document",
    ),
    Correction(
        ("agreements",),
        "application.appPublicToken",
        "omit",
        "a token: it belongs in no warehouse",
    ),
    Correction(
        ("invoices_totals",),
        "predefinedPeriodFilters",
        "link",
        "captions and links to filtered listings, no data",
    ),
    Correction(
        ("customers",), "attention.customer", "link", "the customer of the record once more"
    ),
    Correction(
        ("customers",), "customerContact.customer", "link", "the customer of the record once more"
    ),
)
"""Applied where the document has the property."""

RECORDED = (
    *(
        Correction(("agreements",), path, "string", "recorded answer of /self, 2017-2024")
        for path in (
            "company.faxNumber",
            "bankInformation.swiftCode",
            "bankInformation.ibanNumber",
            "bankInformation.giro",
        )
    ),
    Correction(
        ("departmental_distributions",),
        "barred",
        "boolean or absent",
        "recorded listing, 2017-2024; no document promises it, so absent stays absent",
    ),
    *(
        Correction(("customers",), path, kind, "recorded listing, 2026")
        for path, kind in (
            ("attention.customer.customerNumber", "integer"),
            ("attention.customer.self", "link"),
            ("customerContact.customer.customerNumber", "integer"),
            ("customerContact.customer.self", "link"),
        )
    ),
    Correction(
        (*ORDERS, *QUOTES),
        "lines",
        "omit",
        "recorded order listings, 2017-2024: empty though there are lines, "
        "which orders_lines and quotes_lines read",
    ),
    Correction(("units",), "products", "link", "recorded listing, 2017-2024"),
    Correction(("suppliers",), "metaData", "link", "recorded listing, 2017-2024"),
    Correction(("customers", "products"), "metaData", "link", "recorded records, 2017-2024"),
    Correction(
        ("products",), "pricing.currencySpecificSalesPrices", "link", "recorded listing, 2026"
    ),
    Correction(("products",), "unit.products", "link", "recorded listing, 2026"),
    Correction(("products",), "invoices.self", "link", "recorded listing, 2026"),
    *(
        Correction(
            (stream,),
            path,
            "link",
            "the document has it beside the properties of the account instead of among them",
        )
        for stream, path in (
            ("products", "productGroup.accrual.self"),
            ("product_groups", "accrual.self"),
        )
    ),
    Correction(("invoices_drafts",), "externalId", "string", "recorded listing and document, 2024"),
    *(
        Correction(DRAFTS_AND_ORDERS, path, kind, "recorded listings, 2017-2024")
        for path, kind in (
            ("layout.layoutNumber", "integer"),
            ("layout.self", "link"),
            ("attachment", "link"),
            ("recipient.nemHandelType", "string"),
        )
    ),
    *(
        Correction(QUOTES, path, kind, "inferred: the listings of orders have it")
        for path, kind in (
            ("layout.layoutNumber", "integer"),
            ("layout.self", "link"),
            ("attachment", "link"),
            ("recipient.nemHandelType", "string"),
        )
    ),
    *(
        Correction(("orders_archived",), path, "link", "recorded listing, 2017-2024")
        for path in ("templates.upgradeInstructions", "templates.self")
    ),
    Correction(
        ("invoices_drafts",), "recipient.mobilePhone", "string", "recorded listing, 2017-2024"
    ),
    *(
        Correction(
            (*BOOKED, "invoices_drafts"), path, kind, "recorded invoices, 2017-2024, and 2022"
        )
        for path, kind in (
            ("paymentTerms.description", "string"),
            ("recipient.vatZone.name", "string"),
            ("recipient.vatZone.enabledForCustomer", "boolean"),
            ("recipient.vatZone.enabledForSupplier", "boolean"),
        )
    ),
    *(
        Correction(
            BOOKED, path, kind, "recorded items of /invoices/booked and /invoices/paid, 2022"
        )
        for path, kind in (
            ("orderNumber", "integer"),
            ("exchangeRate", "number"),
            ("grossAmountInBaseCurrency", "number"),
        )
    ),
    Correction(
        ("invoices_booked_documents",), "lines[].unit.products", "link", "recorded document, 2022"
    ),
    Correction(("products",), "minimumStock", "number", "on every product, seen live 2026"),
    Correction(
        ("customers",), "paymentTerms.paymentTermsType", "string", "recorded customers, 2026"
    ),
    *(
        Correction(("customer_groups",), f"account.vatAccount.{name}", kind, "seen live, 2026")
        for name, kind in (("vatCode", "string"), ("self", "link"))
    ),
    Correction(
        ("journal_entries",), "contraVatAccount.ratePercentage", "number", "seen live, 2026"
    ),
    *(
        Correction(
            ("journal_vouchers",),
            f"entries.{kind}[].{path}",
            type_,
            "the entries of /journals have it, seen live 2026",
        )
        for kind in VOUCHER_ENTRIES
        for path, type_ in (
            ("amountDefaultCurrency", "number"),
            ("remainderDefaultCurrency", "number"),
            ("journalEntryNumber", "integer"),
            ("contraVatAccount.ratePercentage", "number"),
            ("voucher.accountingYear.year", "string"),
            ("voucher.accountingYear.self", "link"),
        )
    ),
    Correction(
        ("journal_entries",),
        "remainderDefaultCurrency",
        "number",
        "recorded entry, 2021; the document calls it remainderInDefaultCurrency",
    ),
    *(
        Correction(("journal_entries",), path, "link", "recorded entry, 2021")
        for path in ("metaData", "voucher.attachment")
    ),
    *(
        Correction(
            (stream,),
            f"{where}.{name}",
            "string",
            "a voucher written and read back live (2026) has it beside paymentType, "
            "where the document puts it inside",
        )
        for stream, where in (
            ("entries", "paymentDetails"),
            ("journal_entries", "paymentDetails"),
            ("journal_vouchers", "entries.supplierInvoices[].paymentDetails"),
        )
        for name in PAYMENT_DETAILS
    ),
)
"""Added where the document lacks the property."""

WITHOUT_DOCUMENT: dict[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "rest_supplier_groups": (
        "recorded answer of GET /supplier-groups, 2017-2024",
        (
            ("supplierGroupNumber", "integer"),
            ("name", "string"),
            ("account.accountNumber", "integer"),
            ("account.self", "link"),
            ("self", "link"),
        ),
    ),
}
"""Streams whose endpoint e-conomic has published no schema for: source and properties."""
