"""``python -m tests.fuzz.content [CORPUS] [-max_total_time=300]``: any bytes as an answer.

Whatever comes is a page or a bad answer. A page's records can be written, are read back as they
were, and are the same on the fast way and on the careful one.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import atheris

with atheris.instrument_imports(include=["tap_visma_economic", "json"]):
    from tap_visma_economic import schemas
    from tap_visma_economic.errors import BadAnswerError
    from tap_visma_economic.rows import pages
    from tap_visma_economic.rows.drift import Drift
    from tap_visma_economic.rows.forms import RowForm
    from tap_visma_economic.rows.recorder import Recorder
    from tap_visma_economic.rows.records import Projection, Rules
    from tap_visma_economic.rows.typed import TypedRows
    from tap_visma_economic.wire.retries import retry_after

import msgspec

from tests.unit.answers import answer

if TYPE_CHECKING:
    from collections.abc import Callable

PARSERS: dict[str, Callable[..., pages.Page]] = {
    "customers": pages.rest_collection,
    "invoices_booked": pages.rest_collection,
    "booked_entries": pages.cursor_listing,
    "products": pages.array,
}
STAMPS = {"agreementNumber": 7}

_lines = msgspec.json.Encoder(decimal_format="number").encode_lines
_sorted = msgspec.json.Encoder(decimal_format="number", order="sorted").encode
_decode = msgspec.json.Decoder(float_hook=Decimal).decode


@dataclass
class Way:
    """One stream, read both ways."""

    parse: Callable[..., pages.Page]
    project: Projection
    form: RowForm
    drift: Drift

    @classmethod
    def of(cls, name: str) -> Way:
        """Return the way of a stream."""
        schema, drift = schemas.load(name), Drift()
        rules = Rules(drift)
        return cls(PARSERS[name], Projection(schema, rules), RowForm(schema, rules), drift)


WAYS = [Way.of(name) for name in PARSERS]


def texts(records: Any) -> list[bytes]:
    """Records as they are written, with sorted names."""
    return [_sorted(_decode(line)) for line in _lines(records).splitlines()]


def one(data: bytes) -> None:
    """Read one answer: the first byte chooses the stream."""
    if not data:
        return
    way, body = WAYS[data[0] % len(WAYS)], data[1:]
    header = body[:60].decode("latin-1")
    assert retry_after(header) >= 0
    try:
        page = way.parse(answer(body, headers={"Date": header}), way.form)
    except BadAnswerError:
        return
    recorder = Recorder(
        way.project,
        way.form,
        keys=("agreementNumber",),
        drift=way.drift,
        logger=logging.getLogger("fuzz"),
        agreement="1",
    )
    written = texts(recorder.records(page.rows, STAMPS))
    assert len(written) == len(page.rows)
    if isinstance(page.rows, TypedRows):
        assert written == texts([way.project(row, STAMPS) for row in page.rows])
    way.drift.report()


def main() -> None:
    """Fuzz until told to stop."""
    logging.disable(logging.CRITICAL)
    pages._LARGE = 0
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
