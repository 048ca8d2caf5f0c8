"""The writer: complete lines, in order, and STATE neither too often nor too early."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.helpers._util import utc_now
from singer_sdk.singerlib import (
    ActivateVersionMessage,
    RecordMessage,
    SchemaMessage,
    StateMessage,
)

from tap_visma_economic import writer as module
from tap_visma_economic.writer import BufferedWriter, PatientStateWriter


class Stdout:
    """Stands in for `sys` and its `stdout`; notes each write."""

    def __init__(self) -> None:
        self.stdout = self.buffer = self
        self.writes: list[bytes] = []
        self.flushes = 0

    def write(self, data: bytes) -> int:
        self.writes.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        self.flushes += 1

    @property
    def lines(self) -> list[bytes]:
        return b"".join(self.writes).splitlines()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line, parse_float=Decimal) for line in self.lines]


class Time:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def stdout(monkeypatch: pytest.MonkeyPatch) -> Stdout:
    made = Stdout()
    monkeypatch.setattr(module, "sys", made)
    return made


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def writer(stdout: Stdout, time: Time) -> BufferedWriter:
    return BufferedWriter()


def record(number: int, **more: Any) -> dict[str, Any]:
    """A record as the sync loop makes it."""
    return {"number": number, **more}


def put(writer: BufferedWriter, *records: dict[str, Any]) -> None:
    """Write records of one stream."""
    writer.write_records("customers", records)


SCHEMA = SchemaMessage("customers", {"type": "object", "properties": {}}, ["number"])
STATE = StateMessage({"bookmarks": {}})
VERSION = ActivateVersionMessage("customers", 1)

# --- when ---


@pytest.mark.parametrize("message", [SCHEMA, STATE, VERSION], ids=["SCHEMA", "STATE", "VERSION"])
def test_every_other_message_flushes_the_buffer(
    message: Any, writer: BufferedWriter, stdout: Stdout
) -> None:
    put(writer, record(1))
    writer.write_message(message)
    assert [sent["type"] for sent in stdout.messages] == ["RECORD", message.to_dict()["type"]]
    assert stdout.flushes == 1


@pytest.mark.parametrize("plain", [True, False])
def test_the_buffer_is_bounded(plain: bool, writer: BufferedWriter, stdout: Stdout) -> None:
    text = "x" * 100_000
    for number in range(25):
        if plain:
            put(writer, record(number, text=text))
        else:
            writer.write_message(RecordMessage("customers", {"number": number, "text": text}))
    assert 20 <= len(stdout.lines) < 25
    assert 1_000_000 <= max(map(len, stdout.writes)) <= 1_300_000


# --- what ---


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3)))
def test_only_complete_lines_are_written(records: list[dict[str, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stdout = Stdout()
        patch.setattr(module, "sys", stdout)
        patch.setattr(module, "_FULL", 50)
        writer = BufferedWriter()
        for content in records:
            writer.write_records("s", [content])
        writer.flush()
    assert all(written.endswith(b"\n") for written in stdout.writes if written)
    assert [message["record"] for message in stdout.messages] == records


@pytest.mark.parametrize("digits", ["12.50", "-0.10", "0.00", "12345678901234567890.123456789"])
@pytest.mark.parametrize("plain", [True, False])
def test_decimals_are_written_as_numbers_with_all_digits(
    digits: str, plain: bool, writer: BufferedWriter, stdout: Stdout
) -> None:
    if plain:
        put(writer, record(1, amount=Decimal(digits)))
    else:
        writer.write_message(RecordMessage("customers", {"amount": Decimal(digits)}))
    writer.flush()
    assert f'"amount":{digits}'.encode() in stdout.lines[0]


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_any_decimal_is_read_back_as_the_same_number(value: Decimal) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stdout = Stdout()
        patch.setattr(module, "sys", stdout)
        writer = BufferedWriter()
        put(writer, record(1, amount=value))
        writer.flush()
    assert stdout.messages[0]["record"]["amount"] == value


@pytest.mark.parametrize("version", [None, 1, 0])
def test_a_record_message_has_what_the_sdks_has(
    version: int | None, writer: BufferedWriter, stdout: Stdout
) -> None:
    content = record(1, amount=Decimal("12.50"))
    writer.write_records("customers", [content], version)
    writer.write_message(
        RecordMessage("customers", content, version=version, time_extracted=utc_now())
    )
    writer.flush()
    own, sdks = stdout.messages
    at, sdks_at = (dt.datetime.fromisoformat(m.pop("time_extracted")[:19]) for m in (own, sdks))
    assert abs(sdks_at - at) < dt.timedelta(minutes=1)
    assert own == sdks


# --- STATE ---


@pytest.fixture
def states(writer: BufferedWriter) -> PatientStateWriter:
    return PatientStateWriter(writer)


def at(value: int) -> dict[str, Any]:
    """A state that tells of a bookmark."""
    return {"bookmarks": {"entries": {"replication_key_value": value}}}


def values(stdout: Stdout) -> list[int]:
    """The bookmarks that were told."""
    return [
        message["value"]["bookmarks"]["entries"]["replication_key_value"]
        for message in stdout.messages
    ]


def test_state_is_written_at_most_every_ten_seconds(
    states: PatientStateWriter, stdout: Stdout, time: Time
) -> None:
    for value in range(30):
        states.write_state(at(value))  # type: ignore[arg-type]
        time.now += 1
    assert values(stdout) == [0, 10, 20]


def test_a_state_is_written_once(states: PatientStateWriter, stdout: Stdout, time: Time) -> None:
    for _ in range(3):
        states.write_state(at(1))  # type: ignore[arg-type]
        time.now += 60
        states.finish()
    assert values(stdout) == [1]


def test_a_state_changed_in_place_is_written(states: PatientStateWriter, stdout: Stdout) -> None:
    state = at(1)
    states.write_state(state)  # type: ignore[arg-type]
    state["bookmarks"]["entries"]["replication_key_value"] = 2
    states.finish()
    assert values(stdout) == [1, 2]


@pytest.mark.parametrize(("much", "seconds"), [("STATE", 20), ("RECORD", 10)])
def test_much_state_makes_state_rarer_and_many_records_do_not(
    much: str, seconds: int, writer: BufferedWriter, stdout: Stdout, time: Time
) -> None:
    states, text = PatientStateWriter(writer), "x" * 300_000
    put(writer, record(1, text=text if much == "RECORD" else ""))
    states.write_state({"bookmarks": {text if much == "STATE" else "entries": {}}})
    written = [message["type"] for message in stdout.messages].count("STATE")
    for after in (seconds - 1, 1):
        time.now += after
        states.write_state(at(after))  # type: ignore[arg-type]
    assert written == 1
    assert [message["type"] for message in stdout.messages].count("STATE") == 2
    assert stdout.messages[-1]["value"] == at(1)
