"""The rows of journals, their entries, vouchers and accruals, in both APIs' shapes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.sandbox.books import chart
from tests.sandbox.books.agreement import distribution_ref, payment_details
from tests.sandbox.books.journals import JOURNALS, TYPES, Draft
from tests.sandbox.books.ledger import (
    MANUAL_INVOICE,
    PAYMENT,
    SUPPLIER_INVOICE,
    SUPPLIER_PAYMENT,
    VOUCHER,
)
from tests.sandbox.books.money import kr, rate_value, to_base
from tests.sandbox.books.rows import linked, listing, padded, path_of, ref, ref_or_none, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row, path_part


@listing("rest:/journals")
def _rest_journals(world: World) -> Iterator[Row]:
    for journal in JOURNALS:
        path = path_of("journalNumber", journal.number)
        settings: Row = {
            "voucherNumbers": {
                "minimumVoucherNumber": journal.first_voucher,
                "maximumVoucherNumber": journal.last_voucher,
            },
            "entryTypeRestrictedTo": TYPES[journal.only][0] if journal.only else None,
        }
        if journal.full and not world.sparse:
            settings["contraAccounts"] = {
                "customerPayments": ref("accountNumber", chart.BANK),
                "supplierPayments": ref("accountNumber", chart.BANK),
                "financeVouchers": ref("accountNumber", chart.CASH),
            }
        yield {
            "name": journal.name,
            "settings": settings,
            "vouchers": Link(f"{path}/vouchers"),
            "entries": Link(f"{path}/entries"),
            "templates": linked(f"{path}/templates", "financeVoucher", "manualCustomerInvoice"),
            "journalNumber": journal.number,
            "self": Link(path),
        }


@listing("journalsapi:/journals")
def _journals(world: World) -> Iterator[Row]:
    for priority, journal in enumerate(JOURNALS, 1):
        full = journal.full and not world.sparse
        used = [draft.voucher for draft in world.drafts if draft.journal == journal.number]
        yield {
            "number": journal.number,
            "balancingBehavior": full,
            "autoApprove": full,
            "isStandingJournal": journal.only == VOUCHER,
            "requireAdminApproval": False,
            "lockVatCodes": full,
            "nextVoucherNumber": max(used, default=journal.first_voucher - 1) + 1,
            "minimumVoucherNumber": journal.first_voucher,
            "maximumVoucherNumber": journal.last_voucher,
            "customerContraAccount": chart.BANK if full else None,
            "supplierContraAccount": chart.BANK if full else None,
            "customerPaymentText": "Indbetaling, tak!" if full else None,
            "supplierPaymentText": "Betaling" if full else None,
            "name": journal.name,
            "priority": priority,
            "allowPartialBooking": full,
            "requireBalancePerVoucherId": full,
            "repeatText": full,
            "paymentMessageText": "Ref. [bilag]" if full else None,
            "defaultDepartment": 1 if full else None,
            "allowedEntryType": journal.only or 0,
            "objectVersion": version(journal),
        }


@listing("journalsapi:/draft-entries")
def _draft_entries(world: World) -> Iterator[Row]:
    for draft in world.drafts:
        yield {
            "entryNumber": draft.number,
            "entryTypeNumber": draft.type,
            "voucherNumber": draft.voucher,
            "journalNumber": draft.journal,
            "date": draft.day,
            "accountNumber": draft.account,
            "vatCode": padded(draft.vat) if draft.vat else None,
            "amount": kr(draft.amount),
            "currency": draft.currency,
            "exchangeRate": rate_value(draft.rate),
            "contraAccountNumber": draft.contra,
            "contraVatCode": padded(draft.contra_vat) if draft.contra_vat else None,
            "text": draft.text,
            "projectNumber": draft.project,
            "costTypeNumber": draft.cost_type,
            "customerNumber": draft.customer,
            "customerInvoiceNumber": None
            if draft.customer_invoice is None
            else str(draft.customer_invoice),
            "supplierNumber": draft.supplier,
            "supplierInvoiceNumber": draft.supplier_invoice,
            "supplierPaymentType": draft.payment_type,
            "supplierPaymentBank": "0999-0007654321" if draft.payment_type else None,
            "supplierPaymentMessage": draft.text if draft.payment_type else None,
            "dueDate": draft.due,
            "objectVersion": version(draft),
        }


@listing("journalsapi:/accruals")
def _accruals(world: World) -> Iterator[Row]:
    for draft in sorted(world.drafts, key=lambda draft: (draft.journal, draft.number)):
        if draft.accrual:
            start, end = draft.accrual
            yield {
                "entryNumber": draft.number,
                "journalNumber": draft.journal,
                "accountNumber": chart.DEFERRED,
                "startDate": start,
                "endDate": end,
                "months": 12,
                "objectVersion": version(draft),
            }


def _of_journal(world: World, number: str) -> list[Draft]:
    """Raises: KeyError: there is no such journal."""
    if number not in {str(journal.number) for journal in JOURNALS}:
        raise KeyError(number)
    return [draft for draft in world.drafts if str(draft.journal) == number]


def _voucher_ref(world: World, draft: Draft, *, with_year: bool) -> Row:
    year = world.years[world.ledger.year_of(draft.day)].name
    path = f"{path_of('journalNumber', draft.journal)}/vouchers/{path_part(year)}-{draft.voucher}"
    row: Row = {"voucherNumber": draft.voucher, "self": Link(path)}
    return {"accountingYear": ref("year", year), **row} if with_year else row


def _common(draft: Draft) -> Row:
    """What an entry shows both in its journal and in its voucher."""
    return {
        "text": draft.text,
        "journal": ref("journalNumber", draft.journal),
        "amount": kr(draft.amount),
        "account": ref_or_none("accountNumber", draft.account),
        "contraAccount": ref_or_none("accountNumber", draft.contra),
        "contraVatAccount": _vat_ref(draft.contra_vat),
        "contraVatAmount": kr(draft.contra_vat_amount),
        "contraVatAmountInBaseCurrency": kr(to_base(draft.contra_vat_amount, draft.rate)),
        "costType": ref_or_none("costTypeNumber", draft.cost_type),
        "currency": ref("code", draft.currency),
        "customer": ref_or_none("customerNumber", draft.customer),
        "customerInvoice": draft.customer_invoice,
        "date": draft.day,
        "departmentalDistribution": distribution_ref(draft.department, with_kind=True),
        "dueDate": draft.due,
        "employee": ref_or_none("employeeNumber", draft.employee),
        "exchangeRate": rate_value(draft.rate),
        "entryType": TYPES[draft.type][0],
        "paymentDetails": payment_details(draft.payment_type),
        "project": ref_or_none("projectNumber", draft.project),
        "quantity1": None if draft.quantity1 is None else kr(draft.quantity1),
        "quantity2": None if draft.quantity2 is None else kr(draft.quantity2),
        "remainder": kr(draft.amount),
        "remainderInDefaultCurrency": kr(draft.base),
        "supplier": ref_or_none("supplierNumber", draft.supplier),
        "supplierInvoiceNumber": draft.supplier_invoice,
        "unit1": ref_or_none("unitNumber", draft.unit1),
        "unit2": ref_or_none("unitNumber", draft.unit2),
    }


def _vat_ref(code: str | None) -> Row | None:
    return None if code is None else ref("vatCode", code) | {"vatCode": padded(code)}


@listing("rest:/journals/{journalNumber}/entries")
def _rest_entries(world: World, number: str) -> Iterator[Row]:
    for draft in _of_journal(world, number):
        path = f"{path_of('journalNumber', draft.journal)}/entries/{draft.number}"
        voucher = _voucher_ref(world, draft, with_year=True)
        names = ("customerPayment", "account", "contraAccount", "accountAndContraAccount")
        yield {
            "journalEntryNumber": draft.number,
            **_common(draft),
            "amountDefaultCurrency": kr(draft.base),
            # A recorded answer spells this one differently from the document.
            "remainderDefaultCurrency": kr(draft.base),
            "voucher": voucher | {"attachment": Link(f"{voucher['self']}/attachment")},
            "templates": {name: Link(f"{path}/templates/{name}") for name in names},
            "self": Link(path),
        }


_QUANTITIES = {"costType", "project", "quantity1", "quantity2", "unit1", "unit2"}
# Properties that an entry in a voucher has only where its type is one of these.
_ONLY = {
    VOUCHER: _QUANTITIES | {"account"},
    PAYMENT: {"customer", "customerInvoice"},
    SUPPLIER_INVOICE: _QUANTITIES
    | {"supplier", "supplierInvoiceNumber", "paymentDetails", "dueDate"},
    SUPPLIER_PAYMENT: {"supplier", "supplierInvoiceNumber"},
    MANUAL_INVOICE: {"customer", "customerInvoice", "dueDate"},
}
_SOMEWHERE: set[str] = set().union(*_ONLY.values())


def _voucher_entry(world: World, draft: Draft) -> Row:
    hidden = _SOMEWHERE - _ONLY[draft.type]
    row = {name: value for name, value in _common(draft).items() if name not in hidden}
    row["amountBaseCurrency"] = kr(draft.base)
    row["voucher"] = _voucher_ref(world, draft, with_year=False)
    if draft.type == VOUCHER:
        row["vatAccount"] = _vat_ref(draft.vat)
        row["vatAmount"] = kr(draft.vat_amount)
        row["vatAmountBaseCurrency"] = kr(to_base(draft.vat_amount, draft.rate))
    return row


@listing("rest:/journals/{journalNumber}/vouchers")
def _rest_vouchers(world: World, number: str) -> Iterator[Row]:
    vouchers: dict[tuple[int, int], list[Draft]] = {}
    for draft in _of_journal(world, number):
        year = world.ledger.year_of(draft.day)
        vouchers.setdefault((year, draft.voucher), []).append(draft)
    for (_, _number), drafts in sorted(vouchers.items()):
        lists: dict[str, list[Row]] = {}
        for draft in drafts:
            lists.setdefault(TYPES[draft.type][1], []).append(_voucher_entry(world, draft))
        yield {
            **_voucher_ref(world, drafts[0], with_year=True),
            "journal": ref("journalNumber", drafts[0].journal),
            "entries": lists,
        }
