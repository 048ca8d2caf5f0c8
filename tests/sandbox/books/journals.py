"""Journals, and the entries, vouchers and accruals in them that are not booked yet.

A draft entry moves ``amount`` (øre of its currency) to its account, or to the control account of
its customer or supplier, and the opposite to its contra account, VAT taken out where it has a code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from tests.sandbox.books import chart
from tests.sandbox.books.agreement import distribution_ref, payment_details
from tests.sandbox.books.ledger import (
    MANUAL_INVOICE,
    PAYMENT,
    SUPPLIER_INVOICE,
    SUPPLIER_PAYMENT,
    VOUCHER,
)
from tests.sandbox.books.money import kr, rate_on, rate_value, share, to_base
from tests.sandbox.books.rows import linked, listing, padded, path_of, ref, ref_or_none, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Link, Row, path_part


@dataclass(frozen=True)
class Journal:
    number: int
    name: str
    first_voucher: int
    last_voucher: int | None = None
    only: int | None = None
    full: bool = False


JOURNALS = (
    Journal(1, "Daglig", 1, 999_999, full=True),
    Journal(2, "Lønninger", 40_001, only=VOUCHER),
    Journal(5, 'Kasse & "bank"', 60_001),
)
# Entry type -> its name on legacy REST, and the list in a voucher that holds such entries.
TYPES = {
    VOUCHER: ("financeVoucher", "financeVouchers"),
    PAYMENT: ("customerPayment", "customerPayments"),
    SUPPLIER_INVOICE: ("supplierInvoice", "supplierInvoices"),
    SUPPLIER_PAYMENT: ("supplierPayment", "supplierPayments"),
    MANUAL_INVOICE: ("manualCustomerInvoice", "manualCustomerInvoices"),
}


@dataclass(frozen=True)
class Draft:
    """One entry in a journal."""

    number: int
    journal: int
    type: int
    voucher: int
    day: date
    amount: int
    currency: str
    rate: int
    text: str
    account: int | None = None
    control: int | None = None
    contra: int | None = None
    vat: str | None = None
    contra_vat: str | None = None
    customer: int | None = None
    customer_invoice: int | None = None
    supplier: int | None = None
    supplier_invoice: str | None = None
    payment_type: int | None = None
    due: date | None = None
    project: int | None = None
    cost_type: int | None = None
    employee: int | None = None
    department: int | None = None
    unit1: int | None = None
    quantity1: int | None = None
    unit2: int | None = None
    quantity2: int | None = None
    accrual: tuple[date, date] | None = None

    @property
    def base(self) -> int:
        return to_base(self.amount, self.rate)

    @property
    def vat_amount(self) -> int:
        """The VAT within the amount, where the account has a code."""
        return share(self.amount, 20, 100) if self.vat else 0

    @property
    def contra_vat_amount(self) -> int:
        return share(-self.amount, 20, 100) if self.contra_vat else 0

    def effects(self) -> list[tuple[int, int]]:
        """What booking the entry would add to which accounts, in øre of the base currency."""
        base = self.base
        vat, contra_vat = (
            to_base(self.vat_amount, self.rate),
            to_base(self.contra_vat_amount, self.rate),
        )
        moves = [(self.control or self.account or 0, base - vat)]
        if self.vat:
            moves.append((chart.VAT_CODE_ACCOUNTS[self.vat], vat))
        if self.contra:
            moves.append((self.contra, -base - contra_vat))
        if self.contra_vat:
            moves.append((chart.VAT_CODE_ACCOUNTS[self.contra_vat], contra_vat))
        return moves


def write_drafts(world: World, entries: int) -> list[Draft]:
    """Vouchers of each kind in the first journal, salaries in the second, none in the third.

    The first few entries have everything that an entry can have; there are more of them, plainer,
    the larger the company is.
    """
    count = 1 if world.sparse else min(3_000, max(40, entries // 150))
    drafts: list[Draft] = []
    for turn in range(count):
        draft = _draft(world, turn)
        if turn < 10 and not world.sparse:
            if "Project" in world.modules:
                draft = replace(draft, project=1, cost_type=1, employee=1)
            if "Dimension" in world.modules:
                draft = replace(draft, department=(1, 100)[turn % 2])
                draft = replace(draft, unit1=3, quantity1=1250, unit2=2, quantity2=100)
        drafts.append(draft)
    return drafts


def _draft(world: World, turn: int) -> Draft:
    customer = world.customers[turn % len(world.customers)]
    supplier = world.suppliers[turn % len(world.suppliers)]
    day = world.today - timedelta(days=turn % 14)
    kind = turn % 6
    # Draft entries are numbered with gaps: others were booked or deleted.
    plain = Draft(
        3 + turn * 2 + turn // 5,
        1 if kind else 2,
        VOUCHER,
        (100 if kind else 40_001) + turn // 2 * 2 + turn % 2 * (kind not in (3, 4)),
        day,
        1_250_00 + turn,
        "DKK",
        rate_on("DKK", day),
        f"Kladde {turn}: køb, 25 % moms",
        account=chart.OFFICE,
        contra=chart.BANK,
    )
    if kind == 0:
        return replace(plain, account=chart.WAGES, text="Løn, nov.", amount=25_000_00)
    if kind == 1:
        end = day + timedelta(days=364)
        return replace(
            plain, vat="I25", contra_vat="U25", accrual=(day, end) if turn % 12 == 1 else None
        )
    if kind in (2, 5):
        rate = rate_on(customer.currency, day)
        owed = replace(
            plain,
            customer=customer.number,
            control=customer.control_account,
            account=None,
            currency=customer.currency,
            rate=rate,
            customer_invoice=world.invoices[-1].number,
            contra_vat="U25",
        )
        if kind == 2:
            return replace(owed, type=PAYMENT, amount=-2_300_00, text="Indbetaling")
        due = customer.terms.due(day)
        return replace(
            owed, type=MANUAL_INVOICE, contra=chart.SALES, due=due, customer_invoice=800_000 + turn
        )
    bill = replace(
        plain,
        supplier=supplier.number,
        control=supplier.control_account,
        account=None,
        currency=supplier.currency,
        rate=rate_on(supplier.currency, day),
        contra_vat="I25",
        supplier_invoice=f"LF/{turn} æ",
        payment_type=(1, 2, 3, 4, 5, 7)[turn // 6 % 6],
    )
    if kind == 3:
        due = supplier.terms.due(day)
        return replace(
            bill, type=SUPPLIER_INVOICE, amount=-1_000_00, contra=supplier.cost_account, due=due
        )
    return replace(bill, type=SUPPLIER_PAYMENT, amount=1_000_00)


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
