"""Pages: what an answer holds, and what is no answer that e-conomic documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.errors import BadResponseError
from tap_visma_economic.records import pages
from tests.unit.answers import answer, undocumented

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    Parse = Callable[[requests.Response], pages.Page]

HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"
ROWS = [{"number": 1}, {"number": 2}]


def rest_collection(response: requests.Response) -> pages.Page:
    return pages.rest_collection(response, undocumented())


def cursor_listing(response: requests.Response) -> pages.Page:
    return pages.cursor_listing(response, undocumented())


def array(response: requests.Response) -> pages.Page:
    return pages.array(response, undocumented())


def single(response: requests.Response) -> pages.Page:
    """A single object of which these properties are documented."""
    return pages.single(response, {"agreementNumber", "number", "n", "a", "b"}, undocumented())


PARSERS = (rest_collection, cursor_listing, array, single)


# --- OpenAPI ---


def test_a_cursor_that_is_a_number_is_one() -> None:
    """It is documented as text, and as the identifier of a row, which is a number mostly."""
    page = cursor_listing(answer({"cursor": 34781, "items": ROWS}))
    assert (page.more, page.cursor) == (True, "34781")


@pytest.mark.parametrize("body", [{"items": None}, {}, {"items": []}])
def test_a_cursor_page_may_hold_nothing(body: Any) -> None:
    page = cursor_listing(answer(body))
    assert (list(page.rows), page.more) == ([], False)


# --- the clock ---


@pytest.mark.parametrize(
    "headers", [{}, {"Date": ""}, {"Date": "now"}, {"Date": "Fri, 02 Jan 99999999999999 12:00:00"}]
)
def test_a_server_may_tell_no_time(headers: dict[str, str]) -> None:
    assert array(answer(ROWS, headers=headers)).clock is None


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
    with pytest.raises(BadResponseError):
        parse(answer(body))


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (rest_collection, {"message": "No."}),
        (rest_collection, {"collection": None}),
        (rest_collection, {"collection": [1]}),
        (rest_collection, {"collection": [], "pagination": {"results": "many"}}),
        (rest_collection, ROWS),
        (cursor_listing, {"items": {}}),
        (cursor_listing, {"items": ROWS, "cursor": {}}),
        (cursor_listing, ROWS),
        (array, {"items": ROWS}),
        (single, ROWS),
        (single, {}),
        (single, {"title": "Internal server error.", "status": 500}),
        (single, {"self": "https://restapi.e-conomic.com/self"}),
    ],
)
def test_another_form_than_documented_is_a_bad_answer(parse: Parse, body: Any) -> None:
    with pytest.raises(BadResponseError):
        parse(answer(body))


DEEP = b"[" * 100_000
AROUND = [
    (rest_collection, b'{"collection": [{"n": 1}, {"a": %b}]}'),
    (cursor_listing, b'{"items": [{"n": 1}, {"a": %b}]}'),
    (array, b'[{"n": 1}, {"a": %b}]'),
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
    with pytest.raises(BadResponseError):
        parse(answer(around % value))


# --- what no message can carry (see test_lenient) ---


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (rest_collection, b'{"collection": [NaN]}'),
        (rest_collection, b'{"collection": NaN}'),
        (rest_collection, b'{"collection": [], "pagination": {"nextPage": "\xff"}}'),
        (rest_collection, b'{"collection": [], "pagination": NaN}'),
        (cursor_listing, b'{"items": [{"n": 1}], "cursor": "\\ud800"}'),
        (cursor_listing, b'{"items": "\xff"}'),
        (cursor_listing, b'{"items": [{"n": 1}], "cursor": NaN}'),
        (array, b"[NaN]"),
        (array, b"NaN"),
        (single, b"NaN"),
        (pages.count, b"NaN"),
    ],
)
def test_nothing_around_the_rows_is_left_out(parse: Parse, body: bytes) -> None:
    with pytest.raises(BadResponseError):
        parse(answer(body))


def test_a_bad_answer_tells_what_was_asked_and_what_came_but_not_its_text() -> None:
    with pytest.raises(BadResponseError) as raised:
        rest_collection(answer(HTML, headers={"Content-Type": "text/html"}))
    text = str(raised.value)
    assert "GET /customers?pagesize=1000" in text
    assert f"(text/html, {len(HTML)} bytes)" in text
    assert "Just a moment" not in text
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_bad_answer_may_have_no_content_type() -> None:
    response = answer(b"")
    del response.headers["Content-Type"]
    with pytest.raises(BadResponseError, match=r"\(no content type, 0 bytes\)"):
        array(response)


@given(st.sampled_from(PARSERS), st.binary(max_size=40))
def test_whatever_comes_is_a_page_or_a_bad_answer(parse: Parse, body: bytes) -> None:
    try:
        page = parse(answer(body))
    except BadResponseError:
        return
    assert all(isinstance(row, dict) for row in page.rows)


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.none())))
def test_rows_come_as_they_were_sent(rows: list[dict[str, Any]]) -> None:
    assert list(array(answer(json.dumps(rows).encode())).rows) == rows
