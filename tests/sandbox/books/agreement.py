"""What an agreement is set up with: currencies, departments, terms, VAT, units, employees.

The tables, and the bodies that other rows nest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from tests.sandbox.books.calendar import month_after
from tests.sandbox.books.rows import path_of, ref
from tests.sandbox.values import Link, Row

MODULES = {"Inventory": 15, "Project": 4, "Dimension": 14, "Subscription": 74, "Accrual": 75}


@dataclass(frozen=True)
class Terms:
    number: int
    name: str
    kind: str
    days: int
    description: str | None = None

    def due(self, day: date) -> date:
        """When an invoice of that day falls due."""
        if self.kind == "invoiceMonth":
            day = month_after(day) - timedelta(days=1)
        return day + timedelta(days=self.days)


TERMS = (
    Terms(1, "Netto 8 dage", "net", 8, "Netto 8 dage"),
    Terms(2, "Netto 14 dage", "net", 14),
    Terms(3, "Løbende måned + 15", "invoiceMonth", 15, "Lb. md. 15 dage"),
    Terms(4, "Kontant", "paidInCash", 0),
    Terms(5, "Netto 30 dage", "net", 30),
    Terms(6, "50 % forud", "prepaid", 14),
    Terms(7, "Dankort/Visa", "creditcard", 3),
)


@dataclass(frozen=True)
class Employee:
    number: int
    name: str
    group: int
    email: str | None = None
    phone: str | None = None
    barred: bool = False


EMPLOYEES = (
    Employee(1, "Åse Østergård-Møller", 1, "ase@example.dk", "+45 70 10 10 10"),
    Employee(2, "Jens “JJ” Jensen", 1, "jj@example.dk", "70101011"),
    Employee(4, "Søren O'Brien", 2, phone="70101012"),
    Employee(7, "Zoë Ægidius", 2, "zoe@example.dk"),
    Employee(8, "Gammel Sælger (fratrådt)", 1, barred=True),
)
EMPLOYEE_GROUPS = ((1, "Salg"), (2, "Værksted & lager"))

CURRENCIES = (
    ("DKK", "Danske kroner", "208"),
    ("EUR", "Euro", "978"),
    ("NOK", "Norske kroner", "578"),
    ("SEK", "Svenske kroner", "752"),
    ("USD", "Amerikanske dollar", "840"),
)
# Name, and whether it is barred, by number; so are the tables below, each with its own values.
DEPARTMENTS = {
    1: ("Salg", False),
    2: ("Værksted", False),
    3: ("Marked, web & PR", False),
    9: ("Nedlagt", True),
}
# A distribution of the company's own; departments get one each, under their own number.
DISTRIBUTIONS = ((100, "60/40 salg og værksted", ((1, 60), (2, 40))),)
_OWN = {number: (name, parts) for number, name, parts in DISTRIBUTIONS}
LAYOUTS = {
    19: ("DK. std. m. bankoplys. 1.5", False),
    20: ("Dansk, uden logo", False),
    21: ("Eng. std. m. bankoplys.", False),
    22: ("Gammelt layout", True),
}
# With what each of them needs beside itself.
PAYMENT_TYPES: dict[int, tuple[str, Row]] = {
    1: ("+71", {"fiSupplierNo": "81234567", "ocrLine": "000123456789012"}),
    2: ("+73", {"fiSupplierNo": "81234567", "message": "Faktura æ/7"}),
    3: ("+04", {"giroAccount": "1234567", "ocrLine": "0000001234567897"}),
    4: ("IBAN", {"ibanSwift": "DK5000400440116243 EXAMDKKK", "message": "Invoice 7"}),
    5: ("+75", {"fiSupplierNo": "81234567", "ocrLineMessage": "0001234567 Faktura"}),
    7: ("Bankoverførsel", {"accountNo": "0999-0007654321", "message": "Faktura 7"}),
}
UNITS = {1: "stk.", 2: "timer", 3: "km", 4: "m²", 5: "à 1/2 kg"}
VAT_TYPES = {1: "Udgående afgift, indland", 2: "Indgående afgift, indland", 5: "Erhvervelse"}
# Name, and whether it is for customers and for suppliers.
VAT_ZONES = {
    1: ("Indland", True, True),
    2: ("EU", True, True),
    3: ("Udland", True, False),
    4: ("Indland u/moms", True, True),
}
# Code, name, rate in per cent, type, account, contra account, barred.
VAT_CODES: tuple[tuple[str, str, str, int, int, int | None, bool], ...] = (
    ("I25", "Købsmoms 25 %", "25.0", 2, 6903, None, False),
    ("IY25", "Ydelseskøb udland", "25.0", 5, 6903, 6902, False),
    ("Rep", "Repræsentation", "6.25", 2, 6903, None, False),
    ("U22", "Salgsmoms 22 % (til 1992)", "22.0", 1, 6902, None, True),
    ("U25", "Salgsmoms 25 %", "25.0", 1, 6902, None, False),
)


def department_body(number: int) -> Row:
    name, barred = DEPARTMENTS[number]
    return {**ref("departmentNumber", number), "name": name, "barred": barred}


def distribution_ref(number: int | None, *, with_kind: bool = False) -> Row | None:
    """A reference to a departmental distribution, which lives under its type in the path."""
    if number is None:
        return None
    kind = "distribution" if number in _OWN else "department"
    row: Row = {
        "departmentalDistributionNumber": number,
        "self": Link(f"/departmental-distributions/{kind}s/{number}"),
    }
    return {**row, "distributionType": kind} if with_kind else row


def distribution_body(number: int) -> Row:
    name, barred = DEPARTMENTS.get(number, ("", False))
    name, parts = _OWN.get(number, (name, ((number, 100),)))
    return {
        **(distribution_ref(number, with_kind=True) or {}),
        "name": name,
        "barred": barred,
        "distributions": [
            {"percentage": Decimal(percent), "department": ref("departmentNumber", department)}
            for department, percent in parts
        ],
    }


def terms_body(terms: Terms) -> Row:
    """The payment terms that sales documents nest: with days, name and type."""
    return {
        "paymentTermsNumber": terms.number,
        "daysOfCredit": terms.days,
        "name": terms.name,
        "paymentTermsType": terms.kind,
        "self": Link(path_of("paymentTermsNumber", terms.number)),
    }


def unit_body(number: int) -> Row:
    """A unit as it is listed and nested; the link to its products is not in the list's schema."""
    path = path_of("unitNumber", number)
    return {
        "unitNumber": number,
        "name": UNITS[number],
        "products": Link(f"{path}/products"),
        "self": Link(path),
    }


def payment_details(number: int | None) -> Row | None:
    """How a supplier invoice is to be paid: the payment type and what that type asks for."""
    if number is None:
        return None
    return {"paymentType": ref("paymentTypeNumber", number), **PAYMENT_TYPES[number][1]}


def zone_body(number: int) -> Row:
    name, customers, suppliers = VAT_ZONES[number]
    return {
        **ref("vatZoneNumber", number),
        "name": name,
        "enabledForCustomer": customers,
        "enabledForSupplier": suppliers,
    }
