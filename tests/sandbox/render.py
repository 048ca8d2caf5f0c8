"""Rows as JSON text, the way each API writes values.

Nothing goes through a binary float: a Decimal is written with its own digits. Absent (None) values
are left out, and so are false booleans, except those that the endpoint is known to send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from .facts import Endpoint
from .values import Link, Raw, Row
from .zones import served

_quoted: Callable[[str], str] = encode_basestring


class Renderer:
    """Writes the rows of one endpoint.

    Args:
        endpoint: whose dates, instants and booleans to write.
        base_url: what goes in front of links.
        zone: ``utc`` or ``copenhagen``, see ``zones``.
    """

    def __init__(self, endpoint: Endpoint, base_url: str, zone: str) -> None:
        self.base_url = base_url
        self.zone = zone
        self.rest = endpoint.is_rest
        self.sends_false = endpoint.sends_false
        self.midnight = "" if self.rest else "T00:00:00"
        self.plain_dates = {
            name.rpartition(".")[2]
            for name, fact in endpoint.properties.items()
            if fact.format == "date"
        }
        self.names: dict[str, str] = {}
        self.writers: dict[type, Callable[[Any], str]] = {
            int: int.__repr__,
            Decimal: _decimal,
            Link: self.link,
            Raw: str,
            datetime: self.instant,
            date: self.day,
            dict: self.row,
            list: self.array,
            float: float.__repr__,
        }

    def rows(self, rows: Iterable[Row]) -> str:
        """Rows as the inside of a JSON array."""
        return ",".join(map(self.row, rows))

    def row(self, row: Row) -> str:
        """One row, or an object inside it."""
        names, writers, parts = self.names, self.writers, []
        for name, value in row.items():
            if value is None:
                continue
            kind = type(value)
            if kind is str:
                text = _quoted(value)  # type: ignore[arg-type]
            elif kind is bool:
                if not value and name not in self.sends_false:
                    continue
                text = "true" if value else "false"
            elif kind is date and name in self.plain_dates:
                text = f'"{value}"'
            else:
                text = writers[kind](value)
            start = names.get(name)
            if start is None:
                start = names[name] = _quoted(name) + ":"
            parts.append(start + text)
        return "{" + ",".join(parts) + "}"

    def array(self, values: list[Any]) -> str:
        return "[" + ",".join(map(self.value, values)) + "]"

    def value(self, value: Any) -> str:
        """Any value on its own, as in an array."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if type(value) is str:
            return _quoted(value)
        return self.writers[type(value)](value)

    def link(self, link: Link) -> str:
        # A path is written in e-conomic's encoding and needs no quoting.
        return f'"{self.base_url}{link}"' if link[0] == "/" else _quoted(link)

    def day(self, day: date) -> str:
        return f'"{day.isoformat()}{self.midnight}"'

    def instant(self, instant: datetime) -> str:
        text = served(instant, self.zone).isoformat()
        if self.rest:
            return f'"{text[:19]}Z"'
        if "." in text:
            text = text.rstrip("0")
        return f'"{text}"'  # no zone: docs/economic-api.md#dates-and-time-zones


def _decimal(number: Decimal) -> str:
    text = str(number)
    return format(number, "f") if "E" in text else text
