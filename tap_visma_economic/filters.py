"""e-conomic's filter language, as both APIs speak it (docs/economic-api.md#filtering).

A filter is a plain string such as `entryNumber$gte:17$and:date$gte:2024-01-01`. Values are escaped
so that no value can change what a filter means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

LONGEST_LIST = 200
"""Values that `$in:` takes; 201 are answered with 400."""

_LONGEST_TEXT = 1500
"""Characters of a list as it stands in a URL, where a comma is `%2C`. How long a URL may be no
document says; web servers often end at 2,048."""

_SPECIAL = re.compile(r"[$()*,]")
"""Characters with a meaning. Brackets are left bare: escaped they match nothing (seen live)."""


def escape(value: str) -> str:
    """Return a value in which every character with a meaning is escaped by `$`."""
    return _SPECIAL.sub(lambda found: f"${found.group()}", value)


def compare(name: str, operator: str, value: int | str) -> str:
    """Return one comparison, `operator` being one of eq, ne, gt, gte, lt, lte, like."""
    return f"{name}${operator}:{escape(str(value))}"


def one_of(name: str, values: Iterable[int]) -> str:
    """Return the filter for rows whose number is one of at most `LONGEST_LIST` numbers."""
    return f"{name}$in:[{','.join(map(str, values))}]"


def lists(numbers: Iterable[int]) -> Iterator[list[int]]:
    """Yield numbers in ascending order, as many at a time as fit into one list."""
    some: list[int] = []
    length = 0
    for number in sorted(numbers):
        width = len(f"{number}%2C")
        if len(some) == LONGEST_LIST or length + width > _LONGEST_TEXT:
            yield some
            some, length = [], 0
        some.append(number)
        length += width
    if some:
        yield some


def both(*filters: str | None) -> str | None:
    """Join comparisons by `$and:`, leaving out what is not there."""
    present = [part for part in filters if part]
    return "$and:".join(present) or None
