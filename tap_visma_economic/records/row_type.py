"""The type of a stream's rows: the one way from an answer to records.

Answers are decoded to Structs. Of one that does not fit each row is decoded alone. Properties that
no document names are learnt: these rows and all later ones are decoded with them. Rows whose values
are of another type than documented are conformed, and become the same Structs.
"""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tap_visma_economic.records.shape import Code, Shape
from tap_visma_economic.records.typed import Compiled, Rows, decode_row, raw_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from msgspec import UnsetType

    from tap_visma_economic.records.drift import Drift
    from tap_visma_economic.records.records import Record, Row, Schema, Selection
    from tap_visma_economic.records.shape import Path
    from tap_visma_economic.records.typed import Envelope

MOST_LEARNT = 100
"""Names that a type keeps. An answer with more of them has a type of its own."""


class RowType:
    """How the rows of one stream become records.

    Args:
        schema: the stream's schema file, `x-` keywords included.
        selection: what of it is wanted.
        drift: where departures from the documents are noted.
        absent: what stands for a column that e-conomic leaves out: null, or nothing.
        fill_booleans: give documented booleans that e-conomic leaves out as false.
        as_text: give amounts, rates and quantities as texts in plain notation.
    """

    def __init__(
        self,
        schema: Schema,
        selection: Selection,
        drift: Drift,
        *,
        absent: UnsetType | None = None,
        fill_booleans: bool = True,
        as_text: bool = False,
    ) -> None:
        self._schema = schema
        self._selection = selection
        self._drift = drift
        self._absent = absent
        self._fill_booleans = fill_booleans
        self._as_text = as_text
        self._lock = threading.Lock()
        self._current = self._compile(frozenset())

    def decode(self, content: bytes, envelope: Envelope) -> tuple[Any, Rows]:
        """Return an answer in JSON and its rows. May run in any thread.

        Raises:
            msgspec.DecodeError: it is no JSON, or no such answer.
            UnicodeDecodeError, RecursionError: so, too.
        """
        compiled = self._current
        try:
            answer = compiled.decoder(envelope).decode(content)
        except msgspec.ValidationError:
            answer, raws = raw_rows(content, envelope)
        else:
            return answer, Rows(content, envelope, envelope.rows(answer), compiled)
        made, odd = _one_by_one(compiled, raws)
        more = self._learn(compiled, odd.values())
        if more is not compiled:
            compiled = more
            made, odd = _one_by_one(compiled, raws)
        for place, row in odd.items():
            made[place] = compiled.conform(row)
        return answer, Rows(content, envelope, made, compiled, conformed=odd)

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
        code = Code(learnt, self._drift, as_text=self._as_text)
        shape = Shape(code, "r", (), absent=self._absent, fill_booleans=self._fill_booleans)
        shape.build(self._schema, self._selection, required=self._schema["required"])
        compiled = Compiled(shape.struct(), shape, code.function(shape.lines), learnt, self._drift)
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
            odd[place] = decode_row(raw)
    return made, odd


def as_dictionary(record: Any) -> Record:
    """Return a record as a dictionary, decimals as they are."""
    found: Record = msgspec.to_builtins(record, builtin_types=(Decimal,))
    return found
