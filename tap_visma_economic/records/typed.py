"""Rows of a page: objects that a `RowType` has decoded, and dictionaries for whoever asks.

Whoever needs one property of every row asks `column`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, cached_property
from operator import attrgetter, length_hint
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import msgspec
from msgspec import UNSET
from msgspec.json import Encoder

from tap_visma_economic.records.records import Row
from tap_visma_economic.records.values import MistypedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tap_visma_economic.records.drift import Drift
    from tap_visma_economic.records.shape import Path, Shape

_compiling = threading.Lock()
"""msgspec crashes if two threads make decoders of one Struct at a time."""


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


@dataclass(frozen=True)
class Envelope:
    """What stands around the rows of an answer.

    Args:
        kind: a generic type over rows; None where the answer is one row.
        name: the property that holds the rows; None if they are the answer itself.
    """

    kind: Any
    name: str | None = None

    def around(self, row: Any) -> Any:
        """Return the type of an answer with rows of a type."""
        return row if self.kind is None else self.kind[row]

    def rows(self, answer: Any) -> list[Any]:
        """Return the rows of an answer."""
        if self.kind is None:
            return [answer]
        return (getattr(answer, self.name) if self.name else answer) or []

    @property
    def depth(self) -> int:
        """How many names and indices lead to a property of a row."""
        return 1 if self.kind is None else 3 if self.name else 2


@dataclass(frozen=True)
class Compiled:
    """A row type as far as it has learnt. It never changes: rows keep the one that decoded them.

    Attributes:
        struct: what rows are decoded to.
        shape: what makes rows fit it.
        finalize: turns decoded rows into records, in place.
        learnt: the properties that no document names.
        drift: where departures from the documents are noted.
    """

    struct: type[msgspec.Struct]
    shape: Shape
    finalize: Callable[[Iterable[Any], Mapping[str, Any]], None]
    learnt: frozenset[Path]
    drift: Drift
    _decoders: dict[Envelope | None, msgspec.json.Decoder[Any]] = field(default_factory=dict)

    def decoder(self, envelope: Envelope | None = None) -> msgspec.json.Decoder[Any]:
        """Return the decoder of an answer, or of one row."""
        with _compiling:
            if envelope not in self._decoders:
                kind = envelope.around(self.struct) if envelope else self.struct
                self._decoders[envelope] = msgspec.json.Decoder(kind, float_hook=Decimal)
            return self._decoders[envelope]

    def conform(self, row: Row) -> Any:
        """Return a row that does not fit as an object, and note what of it is off."""
        keys: dict[str, Any] = {}
        made = msgspec.convert(self.shape.conform(row, self.drift, keys), self.struct)
        for attribute, value in keys.items():
            setattr(made, attribute, value)
        return made

    def lacking(self, record: Any) -> list[str]:
        """Return the keys that are null in a record."""
        attributes = self.shape.keys.items()
        return [
            name for name, attribute in attributes if getattr(record, attribute) in (None, UNSET)
        ]

    @property
    def columns(self) -> Mapping[str, str]:
        """Attributes by property, of those that are as they came or equal to it."""
        return self.shape.columns


class Rows(Sequence[Row]):
    """The rows of one answer.

    Args:
        content: the answer.
        envelope: what stands around its rows.
        made: them as objects, which become records in place (see `finalize`).
        compiled: what decoded them; None if they are dictionaries.
        conformed: places of rows that did not fit their type and were made to.
        flaws: what was left out of rows, by place.
        places: where in the answer they stand, if they are not all.
    """

    def __init__(
        self,
        content: bytes,
        envelope: Envelope,
        made: list[Any],
        compiled: Compiled | None = None,
        *,
        conformed: Iterable[int] = (),
        flaws: Mapping[int, Sequence[Flaw]] = MappingProxyType({}),
        places: Sequence[int] | None = None,
    ) -> None:
        self.made = made
        self.flaws = flaws
        self._content = content
        self._envelope = envelope
        self._compiled = compiled
        self._conformed = set(conformed)
        self._places = range(len(made)) if places is None else places

    def __len__(self) -> int:
        return len(self.made)

    def __iter__(self) -> Iterator[Row]:
        return map(self.plain, range(len(self)))

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Rows: ...
    def __getitem__(self, place: int | slice) -> Row | Rows:
        places = range(len(self))[place]
        return self.plain(places) if isinstance(places, int) else self.take(places)

    def plain(self, place: int) -> Row:
        """Return a row as it came, as a dictionary."""
        row: Row = decode_row(self._raw[self._places[place]])
        return row

    def take(self, places: Sequence[int]) -> Rows:
        """Return some of the rows."""
        return Rows(
            self._content,
            self._envelope,
            [self.made[place] for place in places],
            self._compiled,
            conformed=[new for new, old in enumerate(places) if old in self._conformed],
            flaws={new: self.flaws[old] for new, old in enumerate(places) if old in self.flaws},
            places=[self._places[place] for place in places],
        )

    def column(self, name: str) -> list[Any]:
        """Return a property of every row, None where it is absent."""
        attribute = self._compiled and self._compiled.columns.get(name)
        if not attribute:
            return [row.get(name) for row in self]
        values = map(attrgetter(attribute), self.made)
        return [None if value is UNSET else value for value in values]

    def read_as(self, decode: Callable[[bytes, Envelope], tuple[Any, Rows]]) -> Rows:
        """Return the same rows, decoded by another type's `decode`."""
        rows = decode(self._content, self._envelope)[1]
        rows = rows if len(rows) == len(self) else rows.take(self._places)
        rows.flaws = self.flaws
        return rows

    def finalize(self, context: Mapping[str, Any]) -> list[Any]:
        """Turn the rows into records, in place, and return them.

        Args:
            context: agreementNumber and the path parameters.
        """
        assert self._compiled, "rows of no type"  # noqa: S101
        left = iter(self.made)
        while length_hint(left):  # a list's iterator knows how many there are
            with suppress(MistypedError):
                self._compiled.finalize(left, context)
                break
            place = len(self) - length_hint(left) - 1
            self.made[place] = self._compiled.conform(self.plain(place))
            self._conformed.add(place)
            with suppress(MistypedError):  # it lacks a key that is lifted: all else is done
                self._compiled.finalize(self.made[place : place + 1], context)
        return self.made

    def values(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return some columns of every row, which is a record by now."""
        assert self._compiled, "rows of no type"  # noqa: S101
        fields = self._compiled.shape.fields
        found = [map(attrgetter(fields[name].attribute), self.made) for name in names]
        return list(zip(*found, strict=True))

    def keyless(self) -> dict[int, list[str]]:
        """Return which of the records lack which of the keys that no row can be without."""
        assert self._compiled, "rows of no type"  # noqa: S101
        lacking = {place: self._compiled.lacking(self.made[place]) for place in self._conformed}
        return {place: keys for place, keys in sorted(lacking.items()) if keys}

    @cached_property
    def _raw(self) -> list[msgspec.Raw]:
        return raw_rows(self._content, self._envelope)[1]


decode_row = msgspec.json.Decoder(Row, float_hook=Decimal).decode


@cache
def _raw_decoder(envelope: Envelope) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(envelope.around(msgspec.Raw))


def raw_rows(content: bytes, envelope: Envelope) -> tuple[Any, list[msgspec.Raw]]:
    """Return an answer and its rows, which are not looked at.

    Raises:
        msgspec.DecodeError: it is no JSON, or no such answer.
    """
    answer = _raw_decoder(envelope).decode(content)
    return answer, envelope.rows(answer)


def column(rows: Sequence[Row], name: str) -> list[Any]:
    """Return a property of every row, None where it is absent.

    Where it has the documented type it may come in the form in which the record has it.
    """
    return rows.column(name) if isinstance(rows, Rows) else [row.get(name) for row in rows]


def taken(rows: Sequence[Row], places: Sequence[int]) -> Sequence[Row]:
    """Return some of the rows."""
    return rows.take(places) if isinstance(rows, Rows) else [rows[place] for place in places]


def mark_of(rows: Sequence[Row]) -> int | None:
    """Return a number that tells the rows of a page from those of another, None if there are none.

    The first and the last row make it, in the form in which they are here. What no message can
    carry may be in them, and stands for its type.
    """
    found = rows.made if isinstance(rows, Rows) else rows
    return hash(_encode((len(found), found[0], found[-1]))) if found else None


_encode = Encoder(enc_hook=lambda value: type(value).__name__).encode
