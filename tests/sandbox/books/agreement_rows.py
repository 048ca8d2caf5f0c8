"""The rows of what an agreement is set up with."""

from __future__ import annotations

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.sandbox.books.agreement import (
    CURRENCIES,
    DEPARTMENTS,
    DISTRIBUTIONS,
    EMPLOYEE_GROUPS,
    EMPLOYEES,
    LAYOUTS,
    MODULES,
    PAYMENT_TYPES,
    TERMS,
    UNITS,
    VAT_CODES,
    VAT_TYPES,
    VAT_ZONES,
    department_body,
    distribution_body,
    terms_body,
    unit_body,
    zone_body,
)
from tests.sandbox.books.rows import padded, path_of, ref, version
from tests.sandbox.grants import ROLES
from tests.sandbox.values import Link

if TYPE_CHECKING:
    from tests.sandbox.books.world import Listing, World
    from tests.sandbox.values import Row
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


def _self(world: World, _: tuple[str, ...]) -> list[Row]:
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
    return [row]


def _app_roles(world: World, _: tuple[str, ...]) -> list[Row]:
    project = [{"moduleNumber": MODULES["Project"], "self": Link("/modules/4")}]
    return [
        {
            "roleNumber": number,
            "name": name,
            "requiredModules": project if name == "ProjectEmployee" else [],
        }
        for name, number in ROLES.items()
    ]


def _currencies(world: World, _: tuple[str, ...]) -> list[Row]:
    return [
        {"code": code, "name": name, "isoNumber": number, "self": Link(path_of("code", code))}
        for code, name, number in (CURRENCIES[:1] if world.sparse else CURRENCIES)
    ]


def _departments(world: World, _: tuple[str, ...]) -> list[Row]:
    if "Dimension" not in world.modules:
        return []
    return [department_body(number) for number, _name, _barred in DEPARTMENTS]


def _distributions(world: World, _: tuple[str, ...]) -> list[Row]:
    if "Dimension" not in world.modules:
        return []
    numbers = [row[0] for row in DEPARTMENTS] + [row[0] for row in DISTRIBUTIONS]
    return [distribution_body(number) for number in numbers]


def _rest_employees(world: World, _: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    for person in EMPLOYEES[: 1 if world.sparse else None]:
        path = path_of("employeeNumber", person.number)
        rows.append(
            {
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
        )
    return rows


def _employees(world: World, _: tuple[str, ...]) -> list[Row]:
    return [
        {
            "number": person.number,
            "groupNumber": person.group,
            "name": person.name,
            "isBarred": person.barred,
            "phone": None if world.sparse else person.phone,
            "email": None if world.sparse else person.email,
            "objectVersion": version(person),
        }
        for person in EMPLOYEES[: 1 if world.sparse else None]
    ]


def _employee_groups(world: World, _: tuple[str, ...]) -> list[Row]:
    return [
        {"number": number, "name": name, "objectVersion": version(number, name)}
        for number, name in EMPLOYEE_GROUPS
    ]


def _layouts(world: World, _: tuple[str, ...]) -> list[Row]:
    return [
        {**ref("layoutNumber", number), "name": name, "deleted": deleted}
        for number, name, deleted in LAYOUTS
    ]


def _payment_terms(world: World, _: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    for terms in TERMS[:2] if world.sparse else TERMS:
        row = {**terms_body(terms), "description": terms.description}
        if terms.kind == "prepaid":
            row["contraAccountForPrepaidAmount"] = ref("accountNumber", 6850)
            row["contraAccountForRemainderAmount"] = ref("accountNumber", 5600)
            row["percentageForPrepaidAmount"] = Decimal("50.0")
            row["percentageForRemainderAmount"] = Decimal("50.0")
        if terms.kind == "creditcard":
            row["creditCardCompany"] = ref("customerNumber", world.customers[0].number)
        rows.append(row)
    return rows


def _payment_types(world: World, _: tuple[str, ...]) -> list[Row]:
    return [{**ref("paymentTypeNumber", n), "name": name} for n, name in PAYMENT_TYPES]


def _units(world: World, _: tuple[str, ...]) -> list[Row]:
    return [unit_body(number) for number, _name in UNITS]


def _vat_accounts(world: World, _: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    for code, name, rate, kind, account, contra, barred in VAT_CODES:
        kind_name = next(n for number, n in VAT_TYPES if number == kind)
        rows.append(
            {
                # One code keeps the blanks of its column, as e-conomic's do here and there.
                "vatCode": padded(code) if code == "Rep" else code,
                "name": name,
                "ratePercentage": Decimal(rate),
                "account": ref("accountNumber", account),
                "contraAccount": ref("accountNumber", contra) if contra else None,
                "vatType": {**ref("vatTypeNumber", kind), "name": kind_name},
                "barred": barred,
                "self": Link(path_of("vatCode", code)),
            }
        )
    return rows


def _vat_types(world: World, _: tuple[str, ...]) -> list[Row]:
    return [{**ref("vatTypeNumber", number), "name": name} for number, name in VAT_TYPES]


def _vat_zones(world: World, _: tuple[str, ...]) -> list[Row]:
    return [zone_body(row[0]) for row in VAT_ZONES]


def _webhooks(world: World, _: tuple[str, ...]) -> list[Row]:
    if world.sparse:
        return []
    changed = datetime(2026, 6, 1, 8, 15, 30, tzinfo=timezone.utc)
    rows: list[Row] = []
    for index, (event, *_rest) in enumerate(_EVENTS[:2]):
        rows.append(
            {
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
        )
    return rows


def _event_types(world: World, _: tuple[str, ...]) -> list[Row]:
    return [
        {
            "name": name,
            "description": text,
            "mergeFields": [
                {"fieldName": f, "description": f"The {f.removesuffix('NUMBER').lower()} number"}
                for f in fields
            ],
        }
        for name, text, *fields in _EVENTS
    ]


LISTINGS: dict[str, Listing] = {
    "rest:/self": _self,
    "rest:/app-roles": _app_roles,
    "rest:/currencies": _currencies,
    "rest:/departments": _departments,
    "rest:/departmental-distributions": _distributions,
    "rest:/employees": _rest_employees,
    "rest:/layouts": _layouts,
    "rest:/payment-terms": _payment_terms,
    "rest:/payment-types": _payment_types,
    "rest:/units": _units,
    "rest:/vat-accounts": _vat_accounts,
    "rest:/vat-types": _vat_types,
    "rest:/vat-zones": _vat_zones,
    "projectsapi:/Employees": _employees,
    "projectsapi:/EmployeeGroups": _employee_groups,
    "webhooksapi:/webhooks": _webhooks,
    "webhooksapi:/EventTypes": _event_types,
}
