"""The projects of a company with the module Project: their time and mileage, and all their rows.

A project's cost and sales price are the sums over its time entries and mileages, its invoiced
total is the net amount of its booked invoices, all in the base currency.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product

from tests.sandbox.books import chart
from tests.sandbox.books.agreement import EMPLOYEES
from tests.sandbox.books.money import kr, share
from tests.sandbox.books.rows import instant, listing, version
from tests.sandbox.books.world import World
from tests.sandbox.values import Row

PROJECT_NUMBERS = (1, 2, 3, 5)
ACTIVITIES = ((10, "Rådgivning", 1), (20, "Montage", 1), (30, "Møder, intern", 2))
_NAMES = ('Byggeri "Havnen"', "Intern: IT & drift", "Ærø færgeleje (etape 2)", "Under Havnen")
_GROUPS = ((1, "Eksterne", 1), (2, "Interne", 2), (3, "Fravær", 3))
_STATUSES = ((1, "Tilbud sendt", 1), (2, "Realiseret", 2), (3, "I bero", 1))
_ACTIVITY_GROUPS = ((1, "Produktiv", 1), (2, "Ikke produktiv", 2))
COST_TYPES = ((1, "Kørsel", 1, "I25"), (2, "Materialer & leje", 1, None), (3, "Udlæg", 2, "Rep"))
_COST_TYPE_GROUPS = ((1, "Viderefaktureres", 1), (2, "Egne", 2))
_RATE, _SALES_RATE, _DISTANCE_COST, _DISTANCE_PRICE = 450_00, 850_00, 3_79, 4_50
_NOT_A_USER = 8


@dataclass(frozen=True)
class TimeEntry:
    """``hours`` are hundredths of an hour; the same class serves mileages, as hundredths of km."""

    number: int
    project: int
    activity: int
    employee: int
    day: date
    quantity: int


def project_of(world: World, turn: int) -> int | None:
    """The project that every third document belongs to, in a company with projects."""
    if "Project" not in world.modules or turn % 3:
        return None
    return PROJECT_NUMBERS[turn // 3 % len(PROJECT_NUMBERS)]


def time_entries(world: World) -> list[TimeEntry]:
    """In proportion to the ledger as it first was, a few at least."""
    if not world.time_entries:
        count = min(5_000, max(12, len(world.ledger.entries) // 40))
        world.time_entries = [
            TimeEntry(
                1 + i + i // 9,
                PROJECT_NUMBERS[i % 4],
                ACTIVITIES[i % 3][0],
                EMPLOYEES[i % 4].number,
                world.today - timedelta(days=1 + i * 3 % 900),
                (775, 25, 750, 10, 20)[i % 5],
            )
            for i in range(count)
        ]
    return world.time_entries


def mileages(world: World) -> list[TimeEntry]:
    return [
        TimeEntry(index + 1, entry.project, 0, entry.employee, entry.day, 1_250 + index * 10)
        for index, entry in enumerate(time_entries(world)[::4])
    ]


def _hours_price(entry: TimeEntry, rate: int) -> int:
    return share(entry.quantity, rate, 100)


@listing("projectsapi:/Projects", derived=True)
def _projects(world: World) -> Iterator[Row]:
    sums = {number: [0, 0, 0] for number in PROJECT_NUMBERS}
    for entry in time_entries(world):
        sums[entry.project][0] += _hours_price(entry, _RATE)
        sums[entry.project][1] += _hours_price(entry, _SALES_RATE)
    for trip in mileages(world):
        sums[trip.project][0] += _hours_price(trip, _DISTANCE_COST)
        sums[trip.project][1] += _hours_price(trip, _DISTANCE_PRICE)
    for invoice in world.invoices:
        if invoice.project is not None:
            sums[invoice.project][2] += invoice.net_base
    for index, number in enumerate(PROJECT_NUMBERS):
        customer = world.customers[0] if number != 2 else None
        closed = number == 3
        changed = world.project_changes.get(number) or instant(index, world.founded)
        cost, sales, invoiced = sums[number]
        yield {
            "number": number,
            "name": world.project_names.get(number, _NAMES[index]),
            "projectGroupNumber": 1 if customer else 2,
            "customerNumber": customer.number if customer else None,
            "isClosed": closed,
            "mileage": kr(sum(t.quantity for t in mileages(world) if t.project == number)),
            "isBarred": closed,
            "isMainProject": number == 1,
            "isMileageInvoiced": number == 1,
            "lastUpdated": changed,
            "responsibleEmployeeNumber": 1,
            "mainProjectNumber": 1 if number == 5 else None,
            "otherResponsibleEmployeeNumber": 4 if number == 1 else None,
            "status": 1 + index % 3,
            "description": "Etape 1:\nfundament" if number == 1 else None,
            "deliveryDate": date(2028, 2, 29) if number == 1 else None,
            "departmentNumber": 2 if number == 1 and "Dimension" in world.modules else None,
            "closedDate": date(2025, 12, 31) if closed else None,
            "fixedPrice": kr(250_000_00) if number == 1 else None,
            "costPrice": kr(cost),
            "salesPrice": kr(sales),
            "invoicedTotal": kr(invoiced),
            "contactPersonId": world.customers[0].contacts[0].number if number == 1 else None,
            "deliveryLocationNumber": world.customers[0].locations[0].number
            if number == 1
            else None,
            "otherReference": "Rekv. 7" if number == 1 else None,
            "objectVersion": version(number, changed),
        }


def _finance(full: bool) -> Row:
    """The accounts of a project or activity group whose costs and sales go to the ledger."""
    row: Row = {"includeCostPriceInFinance": full, "includeSalesPriceInFinance": full}
    row |= {"costAccountOngoingType": 0, "salesAccountOngoingType": 1}
    if full:
        row |= {
            "costAccountOngoing": chart.ONGOING,
            "costContraAccountOngoing": chart.STOCK,
            "costAccountClosed": chart.GOODS,
            "salesAccountOngoing": chart.ONGOING,
            "salesContraAccountOngoing": chart.DEFERRED,
            "salesAccountClosed": chart.SALES,
        }
    return row


def _groups(table: tuple[tuple[int, str, int], ...]) -> Iterator[Row]:
    for number, name, kind in table:
        yield {
            "number": number,
            "name": name,
            "type": kind,
            **_finance(kind == 1),
            "objectVersion": version(number, name),
        }


@listing("projectsapi:/ProjectGroups")
def _project_groups(world: World) -> Iterator[Row]:
    return _groups(_GROUPS)


@listing("projectsapi:/ActivityGroups")
def _activity_groups(world: World) -> Iterator[Row]:
    return _groups(_ACTIVITY_GROUPS)


@listing("projectsapi:/ProjectStatuses")
def _statuses(world: World) -> Iterator[Row]:
    for number, name, kind in _STATUSES:
        yield {
            "number": number,
            "name": name,
            "type": kind,
            "priority": number * 10,
            "objectVersion": version(number),
        }


@listing("projectsapi:/project-activities")
def _project_activities(world: World) -> Iterator[Row]:
    for index, (project, activity) in enumerate(product(PROJECT_NUMBERS, ACTIVITIES)):
        changed = instant(index, world.today)
        yield {
            "number": 5_000 + index,
            "projectNumber": project,
            "activityNumber": activity[0],
            "startDate": date(2024, 2, 29) if index % 2 == 0 else None,
            "endDate": date(2026, 12, 31) if index % 2 == 0 else None,
            "responsibleEmployeeNumber": 2 if index % 3 == 0 else None,
            "completed": project == 3,
            "lastUpdated": changed,
            "objectVersion": version(index, changed),
        }


@listing("projectsapi:/project-customers")
def _project_customers(world: World) -> Iterator[Row]:
    for customer in world.customers:
        yield {
            "number": customer.number,
            "name": customer.name,
            "objectVersion": version(customer.name),
        }


@listing("projectsapi:/project-employees")
def _project_employees(world: World) -> Iterator[Row]:
    for person in EMPLOYEES:
        yield {
            "number": person.number,
            "groupNumber": person.group,
            "name": person.name,
            "isUser": person.number != _NOT_A_USER,
            "userId": None if person.number == _NOT_A_USER else person.name[:3].upper(),
            "canApprove": person.number == 1,
            "employeeType": 0 if person.number == _NOT_A_USER else 1 + person.number % 3,
            "canInvoice": person.number == 1,
            "isBarred": person.barred,
            "address": "Skovvej 3, 2. tv." if person.number == 1 else None,
            "city": "Aarhus C" if person.number == 1 else None,
            "zipCode": "8000" if person.number == 1 else None,
            "cutOffDate": date(2025, 1, 1) if person.number == 1 else None,
            "salesPriceBefore": kr(_SALES_RATE - 50_00) if person.number == 1 else None,
            "salesPriceAfter": kr(_SALES_RATE),
            "costPriceBefore": kr(_RATE - 25_00) if person.number == 1 else None,
            "costPriceAfter": kr(_RATE),
            "objectVersion": version(person),
        }


@listing("projectsapi:/Activities")
def _activities(world: World) -> Iterator[Row]:
    for number, name, group in ACTIVITIES:
        yield {
            "number": number,
            "groupNumber": group,
            "name": name,
            "isBarred": number == 30,
            "inLieuCode": number // 10 - 1,
            "hideInSearch": group == 2,
            "cutoffDate": date(2025, 1, 1) if number == 10 else None,
            "salesPriceBefore": kr(_SALES_RATE - 50_00) if number == 10 else None,
            "salesPriceAfter": kr(_SALES_RATE),
            "costPriceMarkupPercentage": kr(12_50) if number == 10 else None,
            "objectVersion": version(number, name),
        }


@listing("projectsapi:/CostTypes")
def _cost_types(world: World) -> Iterator[Row]:
    for number, name, group, vat in COST_TYPES:
        yield {
            "number": number,
            "name": name,
            "costGroupNumber": group,
            "vatCode": vat,
            "isBarred": number == 3,
            "lastUpdated": instant(number, world.today),
            "objectVersion": version(number, name),
        }


@listing("projectsapi:/CostTypeGroups")
def _cost_type_groups(world: World) -> Iterator[Row]:
    for number, name, kind in _COST_TYPE_GROUPS:
        yield {
            "number": number,
            "name": name,
            "type": kind,
            "markup": kr(15_00) if kind == 1 else None,
            "accountOnGoing": chart.ONGOING,
            "accountClosed": chart.GOODS,
            "objectVersion": version(number, name),
        }


@listing("projectsapi:/TimeEntries")
def _time_entries(world: World) -> Iterator[Row]:
    for entry in time_entries(world):
        yield {
            "number": entry.number,
            "projectNumber": entry.project,
            "activityNumber": entry.activity,
            "employeeNumber": entry.employee,
            "date": entry.day,
            "text": f"Udført arbejde, dag {entry.number}" if entry.number % 3 == 0 else None,
            "numberOfHours": kr(entry.quantity),
            "isApproved": entry.number % 2 == 0,
            "isReconciled": entry.number % 4 == 0,
            "lastUpdated": instant(entry.number, world.today),
            "objectVersion": version(entry),
        }


@listing("projectsapi:/TimeEntryPrices")
def _time_entry_prices(world: World) -> Iterator[Row]:
    for entry in time_entries(world):
        yield {
            "number": entry.number,
            "costPrice": kr(_hours_price(entry, _RATE)),
            "salesPrice": kr(_hours_price(entry, _SALES_RATE)),
        }


@listing("projectsapi:/Mileages")
def _mileages(world: World) -> Iterator[Row]:
    for trip in mileages(world):
        yield {
            "number": trip.number,
            "projectNumber": trip.project,
            "employeeNumber": trip.employee,
            "date": trip.day,
            "distance": kr(trip.quantity),
            "from": "Aarhus" if trip.number % 2 else None,
            "to": "Ærøskøbing" if trip.number % 2 else None,
            "isApproved": trip.number % 2 == 0,
            "objectVersion": version(trip),
        }


@listing("projectsapi:/MileagePrices")
def _mileage_prices(world: World) -> Iterator[Row]:
    for trip in mileages(world):
        yield {
            "number": trip.number,
            "costPrice": kr(_hours_price(trip, _DISTANCE_COST)),
            "costRate": kr(_DISTANCE_COST),
            "salesPrice": kr(_hours_price(trip, _DISTANCE_PRICE)),
            "salesRate": kr(_DISTANCE_PRICE),
        }
