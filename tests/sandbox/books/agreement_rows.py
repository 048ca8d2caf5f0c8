"""The rows of what an agreement is set up with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal

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
from tests.sandbox.books.rows import listing, padded, path_of, ref, version
from tests.sandbox.books.world import World
from tests.sandbox.grants import ROLES
from tests.sandbox.values import Link, Row

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
