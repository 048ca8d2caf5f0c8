"""The type of a stream's rows: the one way from a response to records.

Responses are decoded to Structs. Of one that does not fit each row is decoded alone. Properties
that no document names are learnt: these rows and all later ones are decoded with them. Rows with
values of another type than documented are conformed, and become the same Structs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from decimal import Decimal
from functools import cache, cached_property
from operator import attrgetter
from typing import Any, overload

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.json import Decoder, Encoder

from tap_visma_economic.records.drift import Drift
from tap_visma_economic.records.selection import Record, Row, Schema, Selection
from tap_visma_economic.records.shape import Code, Finalize, Keyless, Path, Shape

MOST_LEARNT = 100
"""Names that a type keeps. A response with more of them has a type of its own."""

_compiling = threading.Lock()
"""msgspec crashes if two threads make decoders of one Struct at a time."""


@dataclass(frozen=True)
class Envelope:
    """What surrounds the rows of a response.

    Args:
        kind: a generic type over rows; None where the response is one row.
        name: the property that holds the rows; None if they are the response itself.
    """

    kind: Any
    name: str | None = None

    def around(self, row: Any) -> Any:
        """Return the type of a response with rows of a type."""
        return row if self.kind is None else self.kind[row]

    def rows(self, body: Any) -> list[Any]:
        """Return the rows of a response."""
        if self.kind is None:
            return [body]
        return (getattr(body, self.name) if self.name else body) or []


@dataclass(frozen=True)
class Compiled:
    """A row type with what it has learnt. It never changes: rows keep the one that decoded them.

    Attributes:
        struct: what rows are decoded to.
        shape: what makes rows fit it.
        finalize: turns decoded rows into records, in place.
        learnt: the properties that no document names.
    """

    struct: type[msgspec.Struct]
    shape: Shape
    finalize: Finalize
    learnt: frozenset[Path]
    _decoders: dict[Envelope | None, Decoder[Any]] = field(default_factory=dict)

    def decoder(self, envelope: Envelope | None = None) -> Decoder[Any]:
        """Return the decoder of a response, or of one row."""
        with _compiling:
            if envelope not in self._decoders:
                kind = envelope.around(self.struct) if envelope else self.struct
                self._decoders[envelope] = Decoder(kind, float_hook=Decimal)
            return self._decoders[envelope]


@dataclass(eq=False)
class Rows(Sequence[Row]):
    """The rows of one response: objects, and dictionaries if they are iterated over.

    Args:
        made: the rows as objects, which become records in place (see `finalize`).
        compiled: what decoded them.
        places: their places in the response, if these are not all of its rows.
        keyless: the keys that are missing from records, by place.
    """

    content: bytes
    envelope: Envelope
    made: list[Any]
    compiled: Compiled
    places: Sequence[int] | None = None
    keyless: dict[int, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.made)

    def __iter__(self) -> Iterator[Row]:
        return map(self._plain, range(len(self)))

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> Rows: ...
    def __getitem__(self, place: int | slice) -> Row | Rows:
        places = range(len(self))[place]
        return self._plain(places) if isinstance(places, int) else self.take(places)

    def _plain(self, place: int) -> Row:
        return _decode_row(self._raw[self.places[place] if self.places else place])

    @cached_property
    def _raw(self) -> list[msgspec.Raw]:
        return _raw_rows(self.content, self.envelope)[1]

    def take(self, places: Sequence[int]) -> Rows:
        """Return some of the rows."""
        return replace(
            self,
            made=[self.made[place] for place in places],
            places=[self.places[place] if self.places else place for place in places],
            keyless={},
        )

    def read_as(self, row_type: RowType) -> Rows:
        """Return the same rows, decoded by another type."""
        rows = row_type.decode(self.content, self.envelope)[1]
        return rows if len(rows) == len(self) else rows.take(self.places or [])

    def finalize(self, context: Mapping[str, Any]) -> list[Any]:
        """Turn the rows into records, in place, and return them."""
        keyless: Keyless = []
        self.compiled.finalize(self.made, context, keyless)
        places = {id(record): place for place, record in enumerate(self.made)} if keyless else {}
        for record, name in keyless:
            self.keyless.setdefault(places[id(record)], []).append(name)
        return self.made

    @property
    def mark(self) -> int | None:
        """A number that tells these rows from those of another page, None if there are none.

        It is made of the first and the last row as they are now.
        """
        return hash(_encode((len(self), self.made[0], self.made[-1]))) if self.made else None

    def column(self, name: str) -> list[Any]:
        """Return a property of every row, None where it is absent.

        Where it has the documented type it may come in the form in which the record has it.
        """
        attribute = self.compiled.shape.columns.get(name)
        if attribute is None:
            return [row.get(name) for row in self]
        values = map(attrgetter(attribute), self.made)
        return [None if value is UNSET else value for value in values]

    def values(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Return some columns of every row, which is a record by now."""
        fields = self.compiled.shape.fields
        found = [map(attrgetter(fields[name].attribute), self.made) for name in names]
        return list(zip(*found, strict=True))


@dataclass
class RowType:
    """How the rows of one stream become records.

    Args:
        schema: the stream's schema file, `x-` keywords included.
        absent: what stands for a column that e-conomic leaves out: null, or nothing.
        fill_booleans: give documented booleans that e-conomic leaves out as false.
        as_text: give amounts, rates and quantities as texts in plain notation.
    """

    schema: Schema
    selection: Selection
    drift: Drift
    _: KW_ONLY
    absent: UnsetType | None = None
    fill_booleans: bool = True
    as_text: bool = False

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._current = self._compile(frozenset())

    def decode(self, content: bytes, envelope: Envelope) -> tuple[Any, Rows]:
        """Return a response in JSON and its rows. May run in any thread.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is no such response.
        """
        compiled = self._current
        try:
            body = compiled.decoder(envelope).decode(content)
        except msgspec.ValidationError:
            body, raws = _raw_rows(content, envelope)
        else:
            return body, Rows(content, envelope, envelope.rows(body), compiled)
        made, odd = _one_by_one(compiled, raws)
        more = self._learn(compiled, odd.values())
        if more is not compiled:
            compiled = more
            made, odd = _one_by_one(compiled, raws)
        for place, row in odd.items():
            made[place] = msgspec.convert(compiled.shape.conform(row), compiled.struct)
        return body, Rows(content, envelope, made, compiled)

    def _learn(self, compiled: Compiled, rows: Iterable[Row]) -> Compiled:
        """Return a type that knows the names of all properties of some rows."""
        found: set[Path] = set()
        for row in rows:
            compiled.shape.unknown(row, found)
        if not found:
            return compiled
        with self._lock:
            known = self._current
            if found <= known.learnt:  # another thread was first
                return known
            more = self._compile(known.learnt | found)
            if len(more.learnt) <= MOST_LEARNT:
                self._current = more
            return more

    def _compile(self, learnt: frozenset[Path]) -> Compiled:
        code = Code(learnt, self.drift, as_text=self.as_text)
        shape = Shape(code, absent=self.absent, fill_booleans=self.fill_booleans)
        shape.build(self.schema, self.selection, keys=self.schema["required"])
        finalize = code.function(shape.variable, shape.lines)
        compiled = Compiled(shape.struct(), shape, finalize, learnt)
        compiled.decoder()  # before another thread sees the type
        return compiled


def _one_by_one(
    compiled: Compiled, raws: Sequence[msgspec.Raw]
) -> tuple[list[Any], dict[int, Row]]:
    """Return rows as objects, None where one does not fit, and those as dictionaries by place."""
    decode = compiled.decoder().decode
    made: list[Any] = [None] * len(raws)
    odd: dict[int, Row] = {}
    for place, raw in enumerate(raws):
        try:
            made[place] = decode(raw)
        except msgspec.ValidationError:  # noqa: PERF203  one at a time is the point
            odd[place] = _decode_row(raw)
    return made, odd


_decode_row = Decoder(Row, float_hook=Decimal).decode


@cache
def _raw_decoder(envelope: Envelope) -> Decoder[Any]:
    with _compiling:
        return Decoder(envelope.around(msgspec.Raw))


def _raw_rows(content: bytes, envelope: Envelope) -> tuple[Any, list[msgspec.Raw]]:
    """Return a response and its rows, which are not parsed."""
    body = _raw_decoder(envelope).decode(content)
    return body, envelope.rows(body)


def as_dictionary(record: Any) -> Record:
    """Return a record as a dictionary, decimals as they are."""
    found: Record = msgspec.to_builtins(record, builtin_types=(Decimal,))
    return found


_encode = Encoder(enc_hook=lambda value: type(value).__name__).encode
"""What no message can carry may be in rows: it stands for its type."""
