"""Rows of a page: what they are, however they were decoded.

Most rows are dictionaries. Those of a large page are objects of C (see `forms`); as dictionaries
they are decoded only if somebody asks. Whoever needs one property of every row asks `column`, which
serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from msgspec import UNSET
from msgspec.json import Encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Row = dict[str, Any]
"""One object as e-conomic sent it, numbers with a decimal point as Decimal."""


class Flaw(NamedTuple):
    """A value that no message can carry, and that is null in its row instead.

    Args:
        path: where in the row it was, names joined by dots.
        why: what it was: a phrase that completes "is".
        text: the value in ASCII, for the case that it is a key.
    """

    path: str
    why: str
    text: str


class FlawedRow(Row):
    """A row of which values had to be left out when it was decoded (see `lenient`)."""

    flaws: Sequence[Flaw] = ()

    @classmethod
    def of(cls, row: Row, flaws: Sequence[Flaw]) -> FlawedRow:
        """Return a row with what was left out of it."""
        flawed = cls(row)
        flawed.flaws = flaws
        return flawed


class TypedRows(Sequence[Row]):
    """Rows decoded as objects of C; also a sequence of dictionaries, decoded when it is used.

    Args:
        form: what decoded them.
        typed: the objects.
        names: which attribute of an object holds which property, for those that are kept as they
            came or equal to it.
        plain: decodes the same rows as dictionaries.
    """

    def __init__(
        self,
        form: object,
        typed: list[Any],
        names: Mapping[str, str],
        plain: Callable[[], list[Row]],
    ) -> None:
        self.form = form
        self.typed = typed
        self._names = names
        self._decode = plain
        self._plain: list[Row] | None = None

    @property
    def plain(self) -> list[Row]:
        """The rows as dictionaries."""
        if self._plain is None:
            self._plain = self._decode()
        return self._plain

    def column(self, name: str) -> list[Any]:
        """Return a property of every row, None where it is absent."""
        attribute = self._names.get(name)
        if attribute is None:
            return [row.get(name) for row in self.plain]
        values = map(attrgetter(attribute), self.typed)
        return [None if value is UNSET else value for value in values]

    def __len__(self) -> int:
        return len(self.typed)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.plain)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        return self.plain[index]


def column(rows: Sequence[Row], name: str) -> list[Any]:
    """Return a property of every row, None where it is absent.

    Where it has the documented type it may come in the form in which the record has it.
    """
    if isinstance(rows, TypedRows):
        return rows.column(name)
    return [row.get(name) for row in rows]


def mark_of(rows: Sequence[Row]) -> int | None:
    """Return a number that tells the rows of a page from those of another, None if there are none.

    The first and the last row make it, in the form in which they are here. What no message can
    carry may be in them, and stands for its type.
    """
    found = rows.typed if isinstance(rows, TypedRows) else rows
    return hash(_encode((len(found), found[0], found[-1]))) if found else None


_encode = Encoder(enc_hook=lambda value: type(value).__name__).encode
