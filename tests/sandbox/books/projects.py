"""The projects of a company, and the time and mileage registered on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from tests.sandbox.books.agreement import EMPLOYEES
from tests.sandbox.books.world import World

PROJECT_NUMBERS = (1, 2, 3, 5)
ACTIVITIES = ((10, "Rådgivning", 1), (20, "Montage", 1), (30, "Møder, intern", 2))


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
        world.time_entries = _time_entries(world)
    return world.time_entries


def _time_entries(world: World) -> list[TimeEntry]:
    count = min(5_000, max(12, len(world.ledger.entries) // 40))
    return [
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


def mileages(world: World) -> list[TimeEntry]:
    return [
        TimeEntry(index + 1, entry.project, 0, entry.employee, entry.day, 1_250 + index * 10)
        for index, entry in enumerate(time_entries(world)[::4])
    ]
