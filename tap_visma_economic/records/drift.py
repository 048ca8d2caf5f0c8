"""What e-conomic sends that its documents do not mention: counted while reading, reported once."""

from __future__ import annotations

from collections import Counter

from tap_visma_economic.errors import counted, shown

_MOST_LINES = 50
"""Departures of one stream that are reported one by one."""

_LONGEST = 300
"""Characters of one that are shown: a property's name is e-conomic's, and may be any text."""

_HOW_TO_KEEP = (
    "unknown properties are in the records and not in the SCHEMA, so that SQL targets drop them. "
    "To keep one, add it to the catalog's schema (in Meltano: the extra `schema`)"
)

_TYPE_NAMES = {
    "bool": "a boolean",
    "Decimal": "a number",
    "dict": "an object",
    "int": "an integer",
    "list": "an array",
    "NoneType": "null",
    "str": "a string",
}


class Drift:
    """Counts a stream's departures from the documents, by path, never with a value.

    They lose nothing and stop nothing; they are news for the user and for the tap's developers.
    """

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._passed = False

    def unknown(self, path: str, *, passed: bool = True, rows: int = 1) -> None:
        """Note a property that no document names, and whether it is in the records."""
        self._seen[f"{'' if passed else 'omitted: '}unknown property {path}"] += rows
        self._passed |= passed

    def mistyped(self, path: str, expected: str, value: object, outcome: str = "omitted") -> None:
        """Note a value of another type than documented, and the outcome."""
        self._seen[f"{path} is {type_name(value)} where {expected} is documented: {outcome}"] += 1

    def time_of_day(self, path: str) -> None:
        """Note a day that has a time of day."""
        self._seen[f"{path} has a time of day where a day is documented: the day is kept"] += 1

    def left_out(self, path: str, why: str) -> None:
        """Note a value that no target could read."""
        self._seen[f"{path} is {why}: omitted"] += 1

    def unreadable(self, path: str) -> None:
        """Note a value that JSON has no place for."""
        self.left_out(path, "not representable in JSON")

    def twins(self, rows: int) -> None:
        """Note rows that have the key of another row of their page."""
        if rows:
            self._seen[
                "the key is that of another row, and a target that replaces rows keeps one of them"
            ] += rows

    def report(self) -> list[str]:
        """Return one line per departure with the number of rows, and forget them."""
        lines = [
            f"{shown(what, _LONGEST)} ({counted(count, 'row')})"
            for what, count in sorted(self._seen.items())
        ]
        if len(lines) > _MOST_LINES:
            others = counted(len(lines) - _MOST_LINES, "other departure")
            lines = [*lines[:_MOST_LINES], others]
        if self._passed:
            lines.append(_HOW_TO_KEEP)
        self._seen.clear()
        self._passed = False
        return lines


def type_name(value: object) -> str:
    """Return the JSON name of a value's type."""
    name = type(value).__name__
    return _TYPE_NAMES.get(name, name)
