"""Dimensions and what carries them."""

from __future__ import annotations

from tap_visma_economic.client import OpenApiStream
from tap_visma_economic.pagination import PagedUpward
from tap_visma_economic.replication import ByNumber, ByTimestamp


class Dimensions(OpenApiStream):
    """Dimensions an agreement has defined."""

    name, module, path = "dimensions", "dimensionsapi", "/dimensions"
    primary_keys = ("agreementNumber", "number")


class DimensionValues(OpenApiStream):
    """Values of each dimension."""

    name, module, path = "dimension_values", "dimensionsapi", "/values"
    primary_keys = ("agreementNumber", "dimensionNumber", "key")


class DimensionDistributions(OpenApiStream):
    """How an amount is shared between values of a dimension."""

    name, module, path = "dimension_distributions", "dimensionsapi", "/distributions"
    primary_keys = ("agreementNumber", "dimensionNumber", "key")


class AccountDimensions(OpenApiStream):
    """Dimensions of accounts."""

    name, module, path = "account_dimensions", "dimensionsapi", "/dimension-data/accounts"
    primary_keys = ("agreementNumber", "accountNumber", "dimensionNumber")
    key_is_inferred = True


class BookedEntryDimensionChanges(OpenApiStream):
    """Edits of booked entries' dimensions: from which value to which, and when."""

    name = "booked_entry_dimension_changes"
    module = "dimensionsapi"
    path = "/dimension-data/booked-entries/changelog"
    paginator_class = PagedUpward
    primary_keys = ("agreementNumber", "entryNumber", "dimension", "timestamp")
    key_is_inferred = True
    replication = ByTimestamp("timestamp")


class BookedEntryDimensions(OpenApiStream):
    """Dimensions of booked entries: several rows per entry, edited after booking."""

    name = "booked_entry_dimensions"
    module = "dimensionsapi"
    path = "/dimension-data/booked-entries"
    primary_keys = ("agreementNumber", "entryNumber", "dimensionNumber")
    key_is_inferred = True
    keyset = "entryNumber"
    replication = ByNumber("entryNumber", changelog=BookedEntryDimensionChanges)


class BookedInvoiceLineDimensions(OpenApiStream):
    """Dimensions of lines of booked invoices."""

    name = "booked_invoice_line_dimensions"
    module = "dimensionsapi"
    path = "/dimension-data/booked-invoice-lines"
    primary_keys = ("agreementNumber", "invoiceNumber", "lineNumber", "dimensionNumber")
    key_is_inferred = True
    keyset = "invoiceNumber"


class BudgetFigureDimensions(OpenApiStream):
    """Dimensions of budget figures."""

    name = "budget_figure_dimensions"
    module = "dimensionsapi"
    path = "/dimension-data/budget-figures"
    primary_keys = ("agreementNumber", "budgetFigureNumber", "dimensionNumber")
    key_is_inferred = True
    keyset = "budgetFigureNumber"


class DraftEntryDimensions(OpenApiStream):
    """Dimensions of draft entries."""

    name, module, path = "draft_entry_dimensions", "dimensionsapi", "/dimension-data/draft-entries"
    primary_keys = ("agreementNumber", "journalNumber", "entryNumber", "dimensionNumber")
    key_is_inferred = True


class SalesDocumentLineDimensions(OpenApiStream):
    """Dimensions of lines of drafts, orders and quotes."""

    name = "sales_document_line_dimensions"
    module = "dimensionsapi"
    path = "/dimension-data/sales-document-lines"
    primary_keys = ("agreementNumber", "documentNumber", "lineNumber", "dimensionNumber")
    key_is_inferred = True
    keyset = "documentNumber"
