"""``python -m tests.fuzz.content [CORPUS] [-max_total_time=300]``: any bytes as an answer.

Whatever comes is a page or a bad answer. A page's records can be written and read back.
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
    from tap_visma_economic.errors import BadResponseError
    from tap_visma_economic.records import pages
    from tap_visma_economic.records.drift import Drift
    from tap_visma_economic.records.record_builder import RecordBuilder
    from tap_visma_economic.records.row_type import RowType
    from tap_visma_economic.records.selection import Selection
    from tap_visma_economic.retry import retry_after

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
class Stream:
    """What reads the answers of one stream."""

    parse: Callable[..., pages.Page]
    row_type: RowType
    drift: Drift

    @classmethod
    def of(cls, name: str) -> Stream:
        """Return that of a stream."""
        drift = Drift()
        return cls(PARSERS[name], RowType(schemas.load(name), Selection(), drift), drift)


STREAMS = [Stream.of(name) for name in PARSERS]


def texts(records: Any) -> list[bytes]:
    """Records as they are written, with sorted names."""
    return [_sorted(_decode(line)) for line in _lines(records).splitlines()]


def one(data: bytes) -> None:
    """Read one answer: the first byte chooses the stream."""
    if not data:
        return
    stream, body = STREAMS[data[0] % len(STREAMS)], data[1:]
    header = body[:60].decode("latin-1")
    assert retry_after(header) >= 0
    try:
        page = stream.parse(answer(body, headers={"Date": header}), stream.row_type)
    except BadResponseError:
        return
    assert len(texts(RecordBuilder(()).records(page.rows, STAMPS))) == len(page.rows)
    stream.drift.report()


def main() -> None:
    """Fuzz until told to stop."""
    logging.disable(logging.CRITICAL)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
