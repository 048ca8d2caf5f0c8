"""The query of a request: names without regard to case, in the caller's order and spelling."""

from __future__ import annotations

import string
from dataclasses import dataclass
from urllib.parse import unquote_plus

# What .NET leaves as it is when it encodes a query; everything else becomes lower-case hex.
_PLAIN = frozenset(string.ascii_letters + string.digits + "-_.!*()")


def encoded(text: str) -> str:
    """Encode as e-conomic does in its links: ``name$like:x`` is ``name%24like%3ax``."""
    return "".join(
        character
        if character in _PLAIN
        else "+"
        if character == " "
        else "".join(f"%{byte:02x}" for byte in character.encode())
        for character in text
    )


@dataclass(frozen=True)
class Query:
    """The pairs of a query string, decoded."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Query:
        """Read a query string."""
        pairs = [pair.partition("=") for pair in text.split("&") if pair]
        return cls(tuple((unquote_plus(name), unquote_plus(value)) for name, _, value in pairs))

    def get(self, name: str, default: str = "") -> str:
        """The first value of a parameter."""
        return next((v for n, v in self.pairs if n.lower() == name), default)

    def whole(self, name: str, default: int, low: int, high: float) -> int | None:
        """A whole number within bounds; None where a parameter is anything else."""
        text = self.get(name, str(default))
        return int(text) if text.isdecimal() and low <= int(text) <= high else None

    def with_(self, **values: int) -> Query:
        """The same query with some values replaced where they stand, or added at the end."""
        left = dict(values)
        pairs = [(n, str(left.pop(n.lower(), v))) for n, v in self.pairs]
        return Query((*pairs, *((name, str(value)) for name, value in left.items())))

    def __str__(self) -> str:
        text = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in self.pairs)
        return f"?{text}" if text else ""
