"""Redaction: a token is masked however it is written, in logs and their tracebacks too."""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tap_visma_economic.redact import name_shown, redact_logs, redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "canary-a\\b'c\"d+/="

FORMS = [
    TOKEN,
    repr(TOKEN)[1:-1],
    json.dumps(TOKEN)[1:-1],
    quote(TOKEN, safe=""),
    b64encode(TOKEN.encode()).decode(),
]


@pytest.fixture(autouse=True)
def factory() -> Iterator[None]:
    """Restores the log record factory."""
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.parametrize("form", FORMS)
def test_a_token_is_masked_however_it_is_written(form: str) -> None:
    assert redacted(f"x{form}y", [None, "", TOKEN]) == "x(a token)y"


def test_a_token_that_cannot_be_encoded_is_masked() -> None:
    assert redacted("x\ud800y", ["x\ud800"]) == "(a token)y"


@pytest.mark.parametrize("form", FORMS)
def test_no_log_record_shows_a_token(form: str, caplog: pytest.LogCaptureFixture) -> None:
    redact_logs([TOKEN])
    logging.getLogger("any.library").warning("sent %s, %d", form, 5)
    assert caplog.messages == ["sent (a token), 5"]


def test_a_faulty_log_call_is_left_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    redact_logs([TOKEN])
    record = logging.getLogRecordFactory()("x", logging.INFO, "", 1, "%d", ("x",), None)
    assert record.msg == "%d"
    assert not caplog.records


@pytest.mark.parametrize("name", ["start_date", "dbt-project", "customersapi", "__else__"])
def test_a_name_is_shown(name: str) -> None:
    assert name_shown(name) == name


@pytest.mark.parametrize("name", ["", "a1", "x" * 21, "a b", "Kp42vY", TOKEN, "\u0131d"])
def test_what_could_be_a_token_is_not_shown(name: str) -> None:
    assert name_shown(name) == "(not shown: it could be a token)"
