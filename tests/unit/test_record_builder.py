"""The record builder: what becomes of rows with flaws, and of rows without their key."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic import schemas
from tap_visma_economic.errors import EconomicError
from tap_visma_economic.records import pages
from tap_visma_economic.records.drift import Drift
from tap_visma_economic.records.record_builder import RecordBuilder
from tap_visma_economic.records.row_type import RowType, as_dictionary
from tap_visma_economic.records.selection import Selection
from tests.unit.answers import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

STAMPS = {"agreementNumber": 7}
KEYS = ("agreementNumber", "entryNumber")
BAD = b'"\xff"'


class Ledger:
    """A record builder of booked entries."""

    def __init__(self, *, mapped: bool = False) -> None:
        self.drift = Drift()
        self.row_type = RowType(schemas.load("booked_entries"), Selection(), self.drift)
        self.builder = RecordBuilder(
            keys=KEYS,
            drift=self.drift,
            logger=logging.getLogger("test"),
            agreement="7 (Firma)",
            mapped=mapped,
        )

    def records(self, *rows: bytes) -> Sequence[Any]:
        page = pages.array(answer(b"[%b]" % b",".join(rows)), self.row_type)
        return self.builder.records(page.rows, STAMPS)

    def numbers(self, *rows: bytes) -> list[int]:
        return [as_dictionary(record)["entryNumber"] for record in self.records(*rows)]


def entry(number: int, text: bytes = b'"x"') -> bytes:
    return b'{"entryNumber": %d, "text": %b}' % (number, text)


@pytest.mark.parametrize("mapped", [True, False])
def test_records_are_dictionaries_if_the_sdk_changes_them(mapped: bool) -> None:
    [record] = Ledger(mapped=mapped).records(entry(1))
    assert isinstance(record, dict) is mapped


def test_a_row_with_a_flaw_is_written_named_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    assert ledger.numbers(entry(1), entry(2, BAD)) == [1, 2]
    assert ledger.builder.complete
    ledger.builder.finish()
    (line,) = caplog.messages
    assert line.startswith("Omitted for 7 (Firma), row agreementNumber 7, entryNumber 2: ")
    assert line.endswith("entryNumber 2: text")
    assert ledger.drift.report() == ["text is not representable in JSON: omitted (1 row)"]


def test_no_more_than_twenty_rows_are_named(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    for number in range(25):
        ledger.records(entry(number, BAD))
    assert len(caplog.messages) == 20
    assert ledger.drift.report()[0].endswith("omitted (25 rows)")


def test_a_row_without_its_key_is_refused_and_the_others_are_written() -> None:
    ledger = Ledger()
    assert ledger.numbers(entry(1), b'{"entryNumber": %b}' % BAD, entry(3)) == [1, 3]
    assert not ledger.builder.complete
    with pytest.raises(EconomicError) as raised:
        ledger.builder.finish()
    assert str(raised.value).startswith(
        "1 row not written (the key is missing or not representable in JSON): "
        "agreementNumber 7, entryNumber '\\udcff'. All others were written."
    )


def test_a_refusal_names_twenty_rows_at_most() -> None:
    ledger = Ledger()
    bad = [BAD[:-1] + b'%d"' % number for number in range(500)]
    ledger.records(*[b'{"entryNumber": %b}' % text for text in bad])
    with pytest.raises(EconomicError, match=r"^500 rows") as raised:
        ledger.builder.finish()
    assert str(raised.value).count("entryNumber '") == 20
