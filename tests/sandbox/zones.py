"""Instants as served: in UTC, or in Danish local time that REST marks Z all the same.

No source proves that e-conomic serves UTC; the second mode is the defect that one has to reckon
with. The rule of daylight saving is spelled out here because not every machine has a time zone
database: from the last Sunday of March to the last Sunday of October, both at 01:00 UTC.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache

ZONES = ("utc", "copenhagen")


@lru_cache(maxsize=256)
def _summer(year: int) -> tuple[datetime, datetime]:
    def last_sunday(month: int) -> datetime:
        day = datetime(year, month, 31, 1)  # noqa: DTZ001  both months have 31 days
        return day - timedelta(days=(day.weekday() + 1) % 7)

    return last_sunday(3), last_sunday(10)


def served(instant: datetime, zone: str) -> datetime:
    """The wall clock that is served for an instant, without a zone.

    Args:
        instant: an aware instant, or a naive one that is in UTC.
        zone: ``utc`` or ``copenhagen``.
    """
    if instant.tzinfo is not None:
        instant = instant.astimezone(timezone.utc).replace(tzinfo=None)
    if zone == "utc":
        return instant
    begin, end = _summer(instant.year)
    return instant + timedelta(hours=2 if begin <= instant < end else 1)
