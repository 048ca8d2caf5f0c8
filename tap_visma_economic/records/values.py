"""Single values on their way from e-conomic's JSON to the record.

A converter takes a decoded, non-null value and returns the value to emit. What is not of the
documented type is carried over where that loses nothing (`"17"` for an integer), and otherwise
raises `MistypedError`. Money stays decimal from the wire to the target.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pendulum

Converter = Callable[[Any], Any]

_INTEGER = re.compile(r"[+-]?\d{1,400}")
_NUMBER = re.compile(r"[+-]?\d{1,400}(\.\d{1,400})?([eE][+-]?\d{1,4})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ][0-9:.Z+-]*)?")
_ZONE = r"Z|[+-]\d\d:?\d\d"
_CIVIL = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    rf"(T00:00:00(\.0+)?({_ZONE})?"
    rf"|(?P<time>T\d\d:\d\d(:\d\d(\.\d+)?)?(?P<zone>{_ZONE})?))?"
)
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})Z?")

DEEPEST = 64
"""Levels of objects and lists within a value that are passed on; documented are seven."""

DENMARK = "Europe/Copenhagen"
"""Where the days of e-conomic's books begin and end."""

_encode = msgspec.json.Encoder(decimal_format="number").encode


class MistypedError(ValueError):
    """A value that cannot be carried over into the documented type without loss."""


class TooDeepError(MistypedError):
    """A value that is nested deeper than `DEEPEST` levels, at which JSON parsers give up."""


class TimeOfDayError(MistypedError):
    """A day that comes with a time of day; `day` is the day itself."""

    def __init__(self, day: str) -> None:
        super().__init__(day)
        self.day = day


def integer(value: Any) -> int:
    """Return an integer; `5.00` and `"5"` are the integer 5."""
    if type(value) is int:
        return value
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    if isinstance(value, Decimal) and value.adjusted() < 400 and value == value.to_integral_value():  # noqa: PLR2004
        return int(value)
    raise MistypedError


def number(value: Any) -> int | Decimal:
    """Return a number with all its digits; `"12.50"` is the number 12.50."""
    if type(value) in (int, Decimal):
        return value  # type: ignore[no-any-return]
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    raise MistypedError


def number_text(value: Any) -> str:
    """Return a number as text without an exponent, with all its digits."""
    found = value if type(value) is Decimal else number(value)
    return format(found, "f") if type(found) is Decimal else str(found)


def boolean(value: Any) -> bool:
    """Return a boolean; the strings and numbers that can only mean one are taken."""
    if isinstance(value, bool):
        return value
    if value in ("true", "True", 1):  # not a set: a list or an object has no hash
        return True
    if value in ("false", "False", 0):
        return False
    raise MistypedError


def string(value: Any) -> str:
    """Return a string; anything else as its JSON text."""
    return value if isinstance(value, str) else _encode(not_too_deep(value)).decode()


def trimmed(value: Any) -> str:
    """Return a string without blanks around it, for VAT codes (docs/economic-api.md#values)."""
    return string(value).strip()


def civil_date(value: Any) -> str:
    """Return `YYYY-MM-DD`; the newer API adds a midnight that means nothing.

    See docs/economic-api.md#dates-and-time-zones.

    Raises:
        TimeOfDayError: the day comes with another time. With a zone it is the day in Denmark.
        MistypedError: it is no day.
    """
    if isinstance(value, str) and (found := _CIVIL.fullmatch(value)):
        try:
            day = date.fromisoformat(found[1]).isoformat()
            if found["zone"]:
                at = pendulum.parse(value)
                day = at.in_timezone(DENMARK).date().isoformat()  # type: ignore[union-attr]
        except (ValueError, OverflowError):  # a thirteenth month: no target would take it
            raise MistypedError from None
        if found["time"]:
            raise TimeOfDayError(day)
        return day
    raise MistypedError


def instant(value: Any) -> str:
    """Return an instant as `YYYY-MM-DDTHH:MM:SS[.ffffff]Z`; one without a zone is taken as UTC."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            if found := _INSTANT.fullmatch(value):  # as either API serves it
                datetime.fromisoformat(found[1])
                return f"{found[1]}Z"
            return instant_text(pendulum.parse(value, tz="UTC", exact=False))  # type: ignore[arg-type]
        except (ValueError, OverflowError):  # no such day or hour, or none before it in UTC
            raise MistypedError from None
    raise MistypedError


def instant_text(at: pendulum.DateTime) -> str:
    """Return the one form in which instants leave this tap and are kept in its state.

    Two such texts without their `Z` compare as their instants do.
    """
    return f"{at.in_timezone('UTC').naive().isoformat()}Z"


def now_text() -> str:
    """Return the present second in that form."""
    return instant_text(pendulum.now("UTC").replace(microsecond=0))


def not_too_deep(value: Any, levels: int = DEEPEST) -> Any:
    """Return a value as it is.

    Raises:
        TooDeepError: it is nested deeper than so many levels.
    """
    if isinstance(value, (dict, list)):
        if not levels:
            raise TooDeepError
        for inner in value.values() if isinstance(value, dict) else value:
            not_too_deep(inner, levels - 1)
    return value


_CONVERTERS: dict[str, tuple[str, Converter]] = {
    "integer": ("an integer", integer),
    "number": ("a number", number),
    "boolean": ("a boolean", boolean),
    "string": ("a string", string),
}


def converter_of(schema: Mapping[str, Any]) -> tuple[str, Converter]:
    """Return the documented type in words and the converter for a scalar property's schema."""
    form = schema.get("format")
    if form == "date":
        return "a date", civil_date
    if form == "date-time":
        return "an instant", instant
    if schema.get("x-trim"):
        return "a string", trimmed
    return _CONVERTERS.get(json_type(schema), ("anything", not_too_deep))


def json_type(schema: Mapping[str, Any]) -> str:
    """Return a property's JSON type, null aside; empty if none is documented."""
    kinds = schema.get("type", [])
    named = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    return named[0] if len(named) == 1 else ""
