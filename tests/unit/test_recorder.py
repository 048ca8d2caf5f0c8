"""The recorder: which way rows go, and what becomes of rows with flaws."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_visma_economic import schemas
from tap_visma_economic.errors import UnreadableRowError
from tap_visma_economic.rows.drift import Drift
from tap_visma_economic.rows.forms import RowForm
from tap_visma_economic.rows.recorder import Recorder
from tap_visma_economic.rows.records import Projection, Rules
from tap_visma_economic.rows.typed import Flaw, FlawedRow

if TYPE_CHECKING:
    from tap_visma_economic.rows.typed import TypedRows

STAMPS = {"agreementNumber": 7}
KEYS = ("agreementNumber", "entryNumber")


class Ledger:
    """A recorder of booked entries."""

    def __init__(self, *, fast: bool = True) -> None:
        self.drift = Drift()
        rules = Rules(self.drift)
        schema = schemas.load("booked_entries")
        self.form = RowForm(schema, rules)
        self.recorder = Recorder(
            Projection(schema, rules),
            self.form if fast else None,
            keys=KEYS,
            drift=self.drift,
            logger=logging.getLogger("test"),
            agreement="7 (Firma)",
        )

    def typed(self, body: bytes, plain: list[dict[str, Any]]) -> TypedRows:
        decoder = self.form.decoder(list)
        assert decoder
        return self.form.rows(decoder.decode(body), lambda: plain)


def flawed(row: dict[str, Any], *paths: str) -> FlawedRow:
    return FlawedRow.of(row, [Flaw(path, "text that is not Unicode", "\\ud800") for path in paths])


def test_dictionaries_go_the_careful_way() -> None:
    assert Ledger().recorder.records([{"entryNumber": 1}], STAMPS) == [
        {"agreementNumber": 7, "entryNumber": 1}
    ]


def test_objects_of_c_go_the_fast_way() -> None:
    ledger = Ledger()
    rows = ledger.typed(b'[{"entryNumber": 1}]', [])
    assert ledger.recorder.records(rows, STAMPS) is rows.typed


@pytest.mark.parametrize(
    ("fast", "date"), [(True, "2024-13-01"), (False, "2024-12-01")], ids=["off", "not wanted"]
)
def test_objects_of_c_that_cannot_go_are_taken_as_dictionaries(fast: bool, date: str) -> None:
    ledger = Ledger(fast=fast)
    rows = ledger.typed(b'[{"entryNumber": 1, "date": "%b"}]' % date.encode(), [{"entryNumber": 2}])
    assert ledger.recorder.records(rows, STAMPS) == [{"agreementNumber": 7, "entryNumber": 2}]


def test_a_row_with_a_flaw_is_written_named_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    rows = [{"entryNumber": 1}, flawed({"entryNumber": 2, "text": None}, "text")]
    records = ledger.recorder.records(rows, STAMPS)
    assert [record["entryNumber"] for record in records] == [1, 2]
    assert ledger.recorder.complete
    ledger.recorder.finish()
    (line,) = caplog.messages
    assert line.startswith("Left out for 7 (Firma), row agreementNumber 7, entryNumber 2: ")
    assert line.endswith("text, text that is not Unicode")
    assert ledger.drift.report() == ["text is text that is not Unicode: left out (1 rows)"]


def test_no_more_than_twenty_rows_are_named(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    for number in range(25):
        ledger.recorder.records([flawed({"entryNumber": number}, "text")], STAMPS)
    assert len(caplog.messages) == 20
    assert ledger.drift.report() == ["text is text that is not Unicode: left out (25 rows)"]


def test_a_row_without_its_key_is_refused_and_the_others_are_written() -> None:
    ledger = Ledger()
    rows = [{"entryNumber": 1}, flawed({"entryNumber": None}, "entryNumber"), {"entryNumber": 3}]
    records = ledger.recorder.records(rows, STAMPS)
    assert [record["entryNumber"] for record in records] == [1, 3]
    assert not ledger.recorder.complete
    with pytest.raises(UnreadableRowError) as raised:
        ledger.recorder.finish()
    assert (
        "1 rows were not written, for they have no key, or one that no message can carry: "
        "agreementNumber 7, entryNumber '\\ud800' (text that is not Unicode)" in str(raised.value)
    )


def test_a_refusal_names_twenty_rows_at_most() -> None:
    ledger = Ledger()
    flaws = [Flaw("entryNumber", "text that is not Unicode", f"\\ud8{n:02x}") for n in range(250)]
    ledger.recorder.records([FlawedRow.of({}, [flaw]) for flaw in flaws] * 2, STAMPS)
    with pytest.raises(UnreadableRowError, match=r"^500 rows") as raised:
        ledger.recorder.finish()
    assert str(raised.value).count("entryNumber '") == 20


@pytest.mark.parametrize("row", [{"text": "uden nummer"}, {"entryNumber": None, "text": "x"}])
def test_a_row_that_came_without_its_key_is_refused_too(row: dict[str, Any]) -> None:
    ledger = Ledger()
    records = ledger.recorder.records([{"entryNumber": 1}, row, row], STAMPS)
    assert [record["entryNumber"] for record in records] == [1]
    assert not ledger.recorder.complete
    with pytest.raises(UnreadableRowError) as raised:
        ledger.recorder.finish()
    assert str(raised.value).startswith("2 rows were not written")
    assert ": agreementNumber 7, no entryNumber. All others were" in str(raised.value)
