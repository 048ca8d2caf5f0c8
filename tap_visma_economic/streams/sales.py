"""Invoices, orders and quotes, with their lines."""

from __future__ import annotations

from typing import ClassVar

from tap_visma_economic.client import OpenApiStream, RestApiStream
from tap_visma_economic.replication import ByNumber, ByTimestamp, OpenItems


class InvoicesDrafts(RestApiStream):
    """Invoices not booked yet. A draft that is booked or deleted leaves the listing."""

    name, path = "invoices_drafts", "/invoices/drafts"
    primary_keys = ("agreementNumber", "draftInvoiceNumber")
    keyset = "draftInvoiceNumber"
    replication = ByTimestamp("lastUpdated", opt_in=True)


class OpenapiInvoicesDrafts(OpenApiStream):
    """Draft invoices as the newer API returns them, flat."""

    name, module, path = "openapi_invoices_drafts", "q2capi", "/invoices/drafts"
    primary_keys = ("agreementNumber", "number")
    keyset = "number"
    opt_in = True


class InvoicesDraftsLines(OpenApiStream):
    """Lines of draft invoices."""

    name, module, path = "invoices_drafts_lines", "q2capi", "/invoices/drafts/lines"
    primary_keys = ("agreementNumber", "documentId", "number")
    keyset = "documentId"


class InvoicesUnpaid(RestApiStream):
    """Booked invoices with something left to pay: a view of invoices_booked."""

    name, path = "invoices_unpaid", "/invoices/unpaid"
    primary_keys = ("agreementNumber", "bookedInvoiceNumber")
    keyset = "bookedInvoiceNumber"
    opt_in = True


class InvoicesBooked(RestApiStream):
    """Booked invoices and credit notes. `remainder` changes with payments."""

    name, path = "invoices_booked", "/invoices/booked"
    primary_keys = ("agreementNumber", "bookedInvoiceNumber")
    keyset = "bookedInvoiceNumber"
    replication = ByNumber(
        "bookedInvoiceNumber", start_date="date", open_items=OpenItems(listing=InvoicesUnpaid)
    )


class InvoicesBookedLines(OpenApiStream):
    """Lines of booked invoices."""

    name, module, path = "invoices_booked_lines", "q2capi", "/invoices/booked/lines"
    primary_keys = ("agreementNumber", "documentId", "number")
    keyset = "documentId"
    replication = ByNumber("documentId")


class InvoicesBookedDocuments(RestApiStream):
    """Whole booked invoices with their lines. One call per invoice."""

    name, path = "invoices_booked_documents", "/invoices/booked/{bookedInvoiceNumber}"
    is_single_object = True
    parent = InvoicesBooked
    path_params: ClassVar = {"bookedInvoiceNumber": "bookedInvoiceNumber"}
    primary_keys = ("agreementNumber", "bookedInvoiceNumber")
    opt_in = True


class InvoicesPaid(RestApiStream):
    """Booked invoices that are paid: a view of invoices_booked."""

    name, path = "invoices_paid", "/invoices/paid"
    primary_keys = ("agreementNumber", "bookedInvoiceNumber")
    keyset = "bookedInvoiceNumber"
    opt_in = True


class InvoicesOverdue(RestApiStream):
    """Unpaid invoices past their due date: a view of invoices_booked."""

    name, path = "invoices_overdue", "/invoices/overdue"
    primary_keys = ("agreementNumber", "bookedInvoiceNumber")
    keyset = "bookedInvoiceNumber"
    opt_in = True


class InvoicesNotDue(RestApiStream):
    """Unpaid invoices not due yet: a view of invoices_booked."""

    name, path = "invoices_not_due", "/invoices/not-due"
    primary_keys = ("agreementNumber", "bookedInvoiceNumber")
    keyset = "bookedInvoiceNumber"
    opt_in = True


class InvoicesSent(RestApiStream):
    """When and how invoices were sent."""

    name, path = "invoices_sent", "/invoices/sent"
    primary_keys = ("agreementNumber", "id")


class InvoicesTotals(RestApiStream):
    """Totals of drafts, booked, paid and unpaid invoices. One row."""

    name, path = "invoices_totals", "/invoices/totals"
    is_single_object = True
    primary_keys = ("agreementNumber",)


class OrdersDrafts(RestApiStream):
    """Orders not sent yet. An order that is sent, upgraded or deleted leaves the listing."""

    name, path = "orders_drafts", "/orders/drafts"
    primary_keys = ("agreementNumber", "orderNumber")
    keyset = "orderNumber"
    replication = ByTimestamp("lastUpdated", opt_in=True)


class OrdersSent(RestApiStream):
    """Orders sent to the customer. An order that is archived or deleted leaves the listing."""

    name, path = "orders_sent", "/orders/sent"
    primary_keys = ("agreementNumber", "orderNumber")
    keyset = "orderNumber"
    replication = ByTimestamp("lastUpdated", opt_in=True)


class OrdersArchived(RestApiStream):
    """Archived orders."""

    name, path = "orders_archived", "/orders/archived"
    primary_keys = ("agreementNumber", "orderNumber")
    keyset = "orderNumber"


class OrdersLines(OpenApiStream):
    """Lines of orders; documentStatus shows in which of the three listings a line was seen."""

    name, module, path = "orders_lines", "q2capi", "/orders/{documentStatus}/lines"
    path_params: ClassVar = {"documentStatus": ("drafts", "sent", "archived")}
    primary_keys = ("agreementNumber", "documentId", "number")
    keyset = "documentId"


class QuotesDrafts(RestApiStream):
    """Quotes not sent yet. A quote that is sent, upgraded or deleted leaves the listing."""

    name, path = "quotes_drafts", "/quotes/drafts"
    primary_keys = ("agreementNumber", "quoteNumber")
    keyset = "quoteNumber"
    replication = ByTimestamp("lastUpdated", opt_in=True)


class QuotesSent(RestApiStream):
    """Quotes sent to the customer. A quote that is archived or deleted leaves the listing."""

    name, path = "quotes_sent", "/quotes/sent"
    primary_keys = ("agreementNumber", "quoteNumber")
    keyset = "quoteNumber"
    replication = ByTimestamp("lastUpdated", opt_in=True)


class QuotesArchived(RestApiStream):
    """Archived quotes."""

    name, path = "quotes_archived", "/quotes/archived"
    primary_keys = ("agreementNumber", "quoteNumber")
    keyset = "quoteNumber"


class QuotesLines(OpenApiStream):
    """Lines of quotes; documentStatus shows in which of the three listings a line was seen."""

    name, module, path = "quotes_lines", "q2capi", "/quotes/{documentStatus}/lines"
    path_params: ClassVar = {"documentStatus": ("drafts", "sent", "archived")}
    primary_keys = ("agreementNumber", "documentId", "number")
    keyset = "documentId"
