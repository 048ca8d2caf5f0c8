"""Pages: what an answer holds, and what is no answer that e-conomic documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.errors import BadAnswerError
from tap_visma_economic.records import pages
from tests.unit.answers import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    Parse = Callable[[requests.Response], pages.Page]

HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
ROWS = [{"number": 1}, {"number": 2}]


def single(response: requests.Response) -> pages.Page:
    """A single object of which these properties are documented."""
    return pages.single(response, {"agreementNumber", "number", "n", "a", "b"})


PARSERS = (pages.rest_collection, pages.cursor_listing, pages.array, single)


# --- OpenAPI ---


def test_a_cursor_that_is_a_number_is_one() -> None:
    """It is documented as text, and as the identifier of a row, which is a number mostly."""
    page = pages.cursor_listing(answer({"cursor": 34781, "items": ROWS}))
    assert (page.more, page.cursor) == (True, "34781")


@pytest.mark.parametrize("body", [{"items": None}, {}, {"items": []}])
def test_a_cursor_page_may_hold_nothing(body: Any) -> None:
    page = pages.cursor_listing(answer(body))
    assert (list(page.rows), page.more) == ([], False)


# --- the clock ---


@pytest.mark.parametrize(
    "headers", [{}, {"Date": ""}, {"Date": "now"}, {"Date": "Fri, 02 Jan 99999999999999 12:00:00"}]
)
def test_a_server_may_tell_no_time(headers: dict[str, str]) -> None:
    assert pages.array(answer(ROWS, headers=headers)).clock is None


# --- bad answers ---


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "body",
    [
        HTML,
        b"",
        b"null",
        b'"text"',
        b"[1]",
        b"[null]",
        b'{"collection": [{"number": 1}, {"num',
        b'{"items": [{"number": 1}, {"num',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_documented_is_a_bad_answer(parse: Parse, body: bytes) -> None:
    with pytest.raises(BadAnswerError):
        parse(answer(body))


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (pages.rest_collection, {"message": "No."}),
        (pages.rest_collection, {"collection": None}),
        (pages.rest_collection, {"collection": [1]}),
        (pages.rest_collection, {"collection": [], "pagination": {"results": "many"}}),
        (pages.rest_collection, ROWS),
        (pages.cursor_listing, {"items": {}}),
        (pages.cursor_listing, {"items": ROWS, "cursor": {}}),
        (pages.cursor_listing, ROWS),
        (pages.array, {"items": ROWS}),
        (single, ROWS),
        (single, {}),
        (single, {"title": "Internal server error.", "status": 500}),
        (single, {"self": "https://restapi.e-conomic.com/self"}),
    ],
)
def test_another_form_than_documented_is_a_bad_answer(parse: Parse, body: Any) -> None:
    with pytest.raises(BadAnswerError):
        parse(answer(body))


DEEP = b"[" * 100_000
AROUND = [
    (pages.rest_collection, b'{"collection": [{"n": 1}, {"a": %b}]}'),
    (pages.cursor_listing, b'{"items": [{"n": 1}, {"a": %b}]}'),
    (pages.array, b'[{"n": 1}, {"a": %b}]'),
]
BROKEN = [
    DEEP,
    b"[" * 999 + b"]" * 998,
    b"nan",
    b"[NaN,]",
    b"1..5",
    b'"\\q"',
    b'"',
    b"True",
    b"[1,]",
    b"{,}",
    b"1,",
    b"\xff",
    b"\xef\xbb\xbf1",
]


@pytest.mark.parametrize(("parse", "around"), [*AROUND, (single, b'{"a": %b}')])
@pytest.mark.parametrize("value", BROKEN, ids=lambda value: repr(value[:8]))
def test_a_value_that_is_garbled_is_a_bad_answer(parse: Parse, around: bytes, value: bytes) -> None:
    with pytest.raises(BadAnswerError):
        parse(answer(around % value))


# --- what no message can carry (see test_lenient) ---


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (pages.rest_collection, b'{"collection": [NaN]}'),
        (pages.rest_collection, b'{"collection": NaN}'),
        (pages.rest_collection, b'{"collection": [], "pagination": {"nextPage": "\xff"}}'),
        (pages.rest_collection, b'{"collection": [], "pagination": NaN}'),
        (pages.cursor_listing, b'{"items": [{"n": 1}], "cursor": "\\ud800"}'),
        (pages.cursor_listing, b'{"items": "\xff"}'),
        (pages.cursor_listing, b'{"items": [{"n": 1}], "cursor": NaN}'),
        (pages.array, b"[NaN]"),
        (pages.array, b"NaN"),
        (single, b"NaN"),
        (pages.count, b"NaN"),
    ],
)
def test_nothing_around_the_rows_is_left_out(parse: Parse, body: bytes) -> None:
    with pytest.raises(BadAnswerError):
        parse(answer(body))


def test_a_bad_answer_tells_what_was_asked_and_what_came_but_not_its_text() -> None:
    with pytest.raises(BadAnswerError) as raised:
        pages.rest_collection(answer(HTML, headers={"Content-Type": "text/html"}))
    text = str(raised.value)
    assert "GET /customers?pagesize=1000" in text
    assert f"(text/html, {len(HTML)} bytes)" in text
    assert "Just a moment" not in text
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_bad_answer_may_have_no_content_type() -> None:
    response = answer(b"")
    del response.headers["Content-Type"]
    with pytest.raises(BadAnswerError, match=r"\(no content type, 0 bytes\)"):
        pages.array(response)


@given(st.sampled_from(PARSERS), st.binary(max_size=40))
def test_whatever_comes_is_a_page_or_a_bad_answer(parse: Parse, body: bytes) -> None:
    try:
        page = parse(answer(body))
    except BadAnswerError:
        return
    assert all(isinstance(row, dict) for row in page.rows)


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.none())))
def test_rows_come_as_they_were_sent(rows: list[dict[str, Any]]) -> None:
    assert list(pages.array(answer(json.dumps(rows).encode())).rows) == rows
