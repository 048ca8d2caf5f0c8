"""Journals and the entries in them that are not booked yet.

A draft entry moves ``amount`` (øre of its currency) to its account, or to the control account of
its customer or supplier, and the opposite to its contra account, VAT taken out where it has a code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from tests.sandbox.books import chart
from tests.sandbox.books.ledger import (
    MANUAL_INVOICE,
    PAYMENT,
    SUPPLIER_INVOICE,
    SUPPLIER_PAYMENT,
    VOUCHER,
)
from tests.sandbox.books.money import rate_on, share, to_base
from tests.sandbox.books.world import World


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
