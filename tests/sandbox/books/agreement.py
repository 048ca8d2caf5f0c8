"""What an agreement is set up with: currencies, departments, terms, VAT, units, employees.

The tables, the bodies that other rows nest, and the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from tests.sandbox.books.calendar import month_after
from tests.sandbox.books.rows import listing, padded, path_of, ref, version
from tests.sandbox.books.world import World
from tests.sandbox.grants import ROLES
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
# By number: the name, and whether it is barred.
DEPARTMENTS = {
    1: ("Salg", False),
    2: ("Værksted", False),
    3: ("Marked, web & PR", False),
    9: ("Nedlagt", True),
}
# Distributions of the company's own; departments get one each, under their own number.
DISTRIBUTIONS = ((100, "60/40 salg og værksted", ((1, 60), (2, 40))),)
_OWN = {number: (name, parts) for number, name, parts in DISTRIBUTIONS}
# By number: the name, and whether it is deleted.
LAYOUTS = {
    19: ("DK. std. m. bankoplys. 1.5", False),
    20: ("Dansk, uden logo", False),
    21: ("Eng. std. m. bankoplys.", False),
    22: ("Gammelt layout", True),
}
# By number: the name, and what the type needs beside itself.
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
# By number: the name, whether customers and whether suppliers have it.
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
_EVENTS = (
    ("CUSTOMER_UPDATED", "A customer was created, changed or deleted", "OLDNUMBER", "NEWNUMBER"),
    ("INVOICE_BOOKED", "An invoice was booked", "INVOICENO"),
    ("PRODUCT_UPDATED", "A product was created, changed or deleted", "OLDNUMBER", "NEWNUMBER"),
    ("JOURNAL_BOOKED", "A journal was booked", "DAYBOOKNO", "FROMSERIALNO", "TOSERIALNO"),
    ("ORDER_UPDATED", "An order was created, changed or deleted", "OLDNUMBER", "NEWNUMBER"),
    ("PROJECT_UPDATED", "A project was created, changed or deleted", "OLDNUMBER", "NEWNUMBER"),
    ("QUOTE_UPDATED", "A quote was created, changed or deleted", "OLDNUMBER", "NEWNUMBER"),
    ("SUPPLIER_UPDATED", "A supplier was created, changed or deleted", "OLDNUMBER", "NEWNUMBER"),
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


@listing("rest:/self")
def _self(world: World) -> Iterator[Row]:
    full = not world.sparse
    company: Row = {
        "name": world.name,
        "companyIdentificationNumber": "29403473",
        "country": "Danmark",
        "city": "København Ø" if full else None,
        "zip": "2100" if full else None,
        "addressLine1": 'Havnegade 1, st. "tv."' if full else None,
        "addressLine2": "Att.: bogholderiet" if full else None,
        "phoneNumber": "70101010" if full else None,
        "faxNumber": "70101019" if full else None,
        "attention": "Åse" if full else None,
        "website": "https://example.dk" if full else None,
        "email": "post@example.dk" if full else None,
        "vatNumber": "DK29403473" if full else None,
    }
    bank: Row = {
        "bankName": "Ø-banken & Søn",
        "bankSortCode": "0999",
        "bankAccountNumber": "0001234567",
        "pbsCustomerGroupNumber": "00001",
        "pbsFiSupplierNumber": "81234567",
        "bankGiroNumber": "123-4567",
        "swiftCode": "EXAMDKKK",
        "ibanNumber": "DK5000400440116243",
        "giro": "1234567",
    }
    language = {"languageNumber": 1, "name": "Danish", "culture": "da-DK"}
    row: Row = {
        "agreementNumber": world.agreement_number,
        "agreementType": {"agreementTypeNumber": 1, "name": "denmark"},
        "userName": "ASE",
        "signupDate": date(2020, 2, 29),
        "user": {
            "loginId": "ASE",
            "email": "ase@example.dk",
            "name": "Åse Østergård-Møller",
            "agreementNumber": world.agreement_number,
            "language": {**language, "self": Link("/languages/1")},
        },
        "company": company,
        "bankInformation": bank if full else None,
        "application": {
            "appNumber": 4711,
            "name": "Warehouse sync",
            "appPublicToken": "public-token-of-the-app",
            "created": date(2022, 6, 14),
            "requiredRoles": [{"roleNumber": 2, "name": "SuperUser", "self": Link("/app-roles/2")}],
            "self": Link("/apps/4711"),
        },
        "settings": {
            "baseCurrency": "DKK",
            "defaultPaymentTerm": "Netto 8 dage" if full else None,
            "internationalLedger": "none" if full else None,
        },
        "companyAffiliation": "E-conomic",
        "canSendElectronicInvoice": full,
        "modules": [
            {
                "moduleNumber": MODULES[name],
                "name": name,
                "self": Link(f"/modules/agreement/{MODULES[name]}"),
            }
            for name in sorted(world.modules)
        ],
        "self": Link("/self"),
    }
    yield row


@listing("rest:/app-roles")
def _app_roles(world: World) -> Iterator[Row]:
    project = [{"moduleNumber": MODULES["Project"], "self": Link("/modules/4")}]
    for name, number in ROLES.items():
        yield {
            "roleNumber": number,
            "name": name,
            "requiredModules": project if name == "ProjectEmployee" else [],
        }


@listing("rest:/currencies")
def _currencies(world: World) -> Iterator[Row]:
    for code, name, number in CURRENCIES[:1] if world.sparse else CURRENCIES:
        yield {"code": code, "name": name, "isoNumber": number, "self": Link(path_of("code", code))}


@listing("rest:/departments")
def _departments(world: World) -> Iterator[Row]:
    if "Dimension" in world.modules:
        yield from map(department_body, DEPARTMENTS)


@listing("rest:/departmental-distributions")
def _distributions(world: World) -> Iterator[Row]:
    if "Dimension" in world.modules:
        yield from map(distribution_body, [*DEPARTMENTS, *(row[0] for row in DISTRIBUTIONS)])


@listing("rest:/employees")
def _rest_employees(world: World) -> Iterator[Row]:
    for person in EMPLOYEES[: 1 if world.sparse else None]:
        path = path_of("employeeNumber", person.number)
        yield {
            "employeeNumber": person.number,
            "employeeGroup": ref("employeeGroupNumber", person.group),
            "name": person.name,
            "customers": Link(f"{path}/customers"),
            "draftInvoices": Link(f"{path}/invoices/drafts"),
            "bookedInvoices": Link(f"{path}/invoices/booked"),
            "email": None if world.sparse else person.email,
            "phone": None if world.sparse else person.phone,
            "barred": person.barred,
            "self": Link(path),
        }


@listing("projectsapi:/Employees")
def _employees(world: World) -> Iterator[Row]:
    for person in EMPLOYEES[: 1 if world.sparse else None]:
        yield {
            "number": person.number,
            "groupNumber": person.group,
            "name": person.name,
            "isBarred": person.barred,
            "phone": None if world.sparse else person.phone,
            "email": None if world.sparse else person.email,
            "objectVersion": version(person),
        }


@listing("projectsapi:/EmployeeGroups")
@listing("projectsapi:/project-employeegroups")
def _employee_groups(world: World) -> Iterator[Row]:
    for number, name in EMPLOYEE_GROUPS:
        yield {"number": number, "name": name, "objectVersion": version(number, name)}


@listing("rest:/layouts")
def _layouts(world: World) -> Iterator[Row]:
    for number, (name, deleted) in LAYOUTS.items():
        yield {**ref("layoutNumber", number), "name": name, "deleted": deleted}


@listing("rest:/payment-terms")
def _payment_terms(world: World) -> Iterator[Row]:
    for terms in TERMS[:2] if world.sparse else TERMS:
        row = {**terms_body(terms), "description": terms.description}
        if terms.kind == "prepaid":
            row["contraAccountForPrepaidAmount"] = ref("accountNumber", 6850)
            row["contraAccountForRemainderAmount"] = ref("accountNumber", 5600)
            row["percentageForPrepaidAmount"] = Decimal("50.0")
            row["percentageForRemainderAmount"] = Decimal("50.0")
        if terms.kind == "creditcard":
            row["creditCardCompany"] = ref("customerNumber", world.customers[0].number)
        yield row


@listing("rest:/payment-types")
def _payment_types(world: World) -> Iterator[Row]:
    for number, (name, _needs) in PAYMENT_TYPES.items():
        yield {**ref("paymentTypeNumber", number), "name": name}


@listing("rest:/units")
def _units(world: World) -> Iterator[Row]:
    yield from map(unit_body, UNITS)


@listing("rest:/vat-accounts")
def _vat_accounts(world: World) -> Iterator[Row]:
    for code, name, rate, kind, account, contra, barred in VAT_CODES:
        yield {
            # One code keeps the blanks of its column, as e-conomic's do here and there.
            "vatCode": padded(code) if code == "Rep" else code,
            "name": name,
            "ratePercentage": Decimal(rate),
            "account": ref("accountNumber", account),
            "contraAccount": ref("accountNumber", contra) if contra else None,
            "vatType": {**ref("vatTypeNumber", kind), "name": VAT_TYPES[kind]},
            "barred": barred,
            "self": Link(path_of("vatCode", code)),
        }


@listing("rest:/vat-types")
def _vat_types(world: World) -> Iterator[Row]:
    for number, name in VAT_TYPES.items():
        yield {**ref("vatTypeNumber", number), "name": name}


@listing("rest:/vat-zones")
def _vat_zones(world: World) -> Iterator[Row]:
    yield from map(zone_body, VAT_ZONES)


@listing("webhooksapi:/webhooks")
def _webhooks(world: World) -> Iterator[Row]:
    if world.sparse:
        return
    changed = datetime(2026, 6, 1, 8, 15, 30, tzinfo=timezone.utc)
    for index, (event, *_rest) in enumerate(_EVENTS[:2]):
        yield {
            "eventType": event,
            "name": f"Besked: {event.lower()}",
            "url": f"https://example.dk/hooks/{index}?a=1&b=[NEWNUMBER]",
            "contentType": "application/json",
            "postData": '{"number": "[NEWNUMBER]"}' if index == 0 else None,
            "customHeaders": [{"key": "X-Secret", "value": "s3cr3t"}] if index == 0 else [],
            "isDisabled": index == 0,
            "lastDisabledDate": changed if index == 0 else None,
            "lastUpdated": changed,
            "objectVersion": version(event),
        }


@listing("webhooksapi:/EventTypes")
def _event_types(world: World) -> Iterator[Row]:
    for name, text, *fields in _EVENTS:
        yield {
            "name": name,
            "description": text,
            "mergeFields": [
                {"fieldName": f, "description": f"The {f.removesuffix('NUMBER').lower()} number"}
                for f in fields
            ],
        }
