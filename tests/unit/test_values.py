"""Single values: none changes on its way, and what is mistyped is carried over only whole."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.records.values import (
    MistypedError,
    TimeOfDayError,
    boolean,
    civil_date,
    instant,
    instant_text,
    integer,
    number,
    number_text,
    string,
    trimmed,
)

if TYPE_CHECKING:
    from datetime import date

    from tap_visma_economic.records.values import Converter

CONVERTERS = (integer, number, boolean, string, trimmed, civil_date, instant)

JSON = st.recursive(
    st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=5,
)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))  # noqa: DTZ001


def refused(convert: Converter, value: Any) -> bool:
    """Whether a value is called mistyped."""
    try:
        convert(value)
    except MistypedError:
        return True
    return False


@given(
    st.sampled_from(CONVERTERS),
    JSON
    | st.text(alphabet="0123456789-:.TZ+ /PWe", max_size=30)
    | st.from_regex(r"\A\d{4}-\d{2}-\d{2}[T ]?[0-9:.+Z-]{0,12}\Z"),
)
def test_whatever_comes_is_converted_or_called_mistyped(convert: Converter, value: Any) -> None:
    refused(convert, value)


@pytest.mark.parametrize("convert", CONVERTERS)
@given(JSON)
def test_a_value_that_has_been_converted_stays_as_it_is(convert: Converter, value: Any) -> None:
    try:
        once = convert(value)
    except MistypedError:
        return
    assert convert(once) == once


# --- numbers ---


@given(st.integers())
def test_an_integer_is_itself(value: int) -> None:
    for served in (value, str(value), Decimal(value)):
        assert (type(integer(served)), integer(served)) == (int, value)
    assert (type(number(value)), number(value)) == (int, value), "without a decimal point"


@given(NUMBERS, st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_a_number_keeps_all_its_digits_as_text_too(value: Decimal, written: Decimal) -> None:
    for served, meant in ((value, value), (f"{written:f}", written)):
        kept = number(served)
        assert isinstance(kept, Decimal)
        assert kept.as_tuple() == meant.as_tuple()


# --- strings ---


@given(st.text())
def test_a_string_is_itself(value: str) -> None:
    assert string(value) == value


@given(st.text(), st.sampled_from(["", " ", "   "]))
def test_vat_codes_lose_the_blanks_around_them_only(code: str, blanks: str) -> None:
    assert trimmed(f"{blanks}{code}{blanks}") == code.strip()


@pytest.mark.parametrize(
    ("convert", "served", "meant"),
    [
        *((integer, it, 5) for it in (Decimal("5.00"), "5", "+5")),
        (integer, "-5", -5),
        (integer, Decimal("1E+2"), 100),
        *((boolean, it, True) for it in (True, "true", "True", 1)),
        *((boolean, it, False) for it in (False, "false", "False", 0)),
        (number_text, 7, "7"),
        (number_text, "2.5e-9", "0.0000000025"),
        (number_text, Decimal("1E+5"), "100000"),
        (number_text, Decimal("1.50"), "1.50"),
        (string, 17, "17"),
        (string, True, "true"),
        (string, Decimal("12.50"), "12.50"),
        (string, ["a", 1], '["a",1]'),
        (string, {"a": Decimal("0.10")}, '{"a":0.10}'),
        (trimmed, " U 25  ", "U 25"),
    ],
)
def test_a_value_that_can_only_mean_one_thing_is_that(
    convert: Converter, served: Any, meant: Any
) -> None:
    assert convert(served) == meant
    assert type(convert(served)) is type(meant)


NOT_WHOLE = [Decimal("5.5"), "5.0", "5 ", "", "V5", True, False, [5], {"n": 5}, Decimal("1E+400")]

NOT_TRUTH: list[Any] = ["", "yes", "0", 2, -1, Decimal("0.5"), [], {}, [True]]


@pytest.mark.parametrize(
    ("convert", "served"),
    [
        *((integer, it) for it in NOT_WHOLE),
        *((number, it) for it in ("12,50", "1.000,00", "", " 1", ".5", "NaN", "1_0", True, [1])),
        *((boolean, it) for it in NOT_TRUTH),
    ],
)
def test_any_other_value_is_mistyped(convert: Converter, served: Any) -> None:
    assert refused(convert, served)


# --- dates ---


@pytest.mark.parametrize(
    "tail",
    ["", "T00:00:00", "T00:00:00Z", "T00:00:00.000", "T00:00:00.0000000Z", "T00:00:00+01:00"],
)
@given(day=st.dates())
def test_a_date_is_itself_and_a_midnight_that_means_nothing_goes(tail: str, day: date) -> None:
    assert civil_date(f"{day.isoformat()}{tail}") == day.isoformat()


@pytest.mark.parametrize(
    "served",
    [
        "2024-01-02T25:00:00Z",
        "0001-01-01T23:00:00+9999",
        "2024-13-01",
        "2024-02-30",
        "2023-02-29T00:00:00",
        "0000-00-00",
        "2024-1-2",
        "2024-01-02 ",
        "2024-01-02\n",
        "20240102",
        "2024-W01-1",
        "02-01-2024",
        "",
        20240102,
        ["2024-01-02"],
    ],
)
def test_what_is_no_date_or_more_than_one_is_mistyped(served: Any) -> None:
    assert refused(civil_date, served)


@pytest.mark.parametrize("tail", ["T08:00", "T08:00:00", "T23:59:59.9999999", "T00:00:01"])
@given(day=st.dates())
def test_a_day_with_a_time_of_day_tells_the_day(tail: str, day: date) -> None:
    with pytest.raises(TimeOfDayError) as raised:
        civil_date(f"{day.isoformat()}{tail}")
    assert raised.value.day == day.isoformat()


@pytest.mark.parametrize(
    ("served", "day"),
    [
        ("2024-01-01T23:00:00Z", "2024-01-02"),
        ("2024-07-01T22:00:00Z", "2024-07-02"),
        ("2024-07-01T21:59:59.9999999Z", "2024-07-01"),
        ("2024-01-02T08:00:00+01:00", "2024-01-02"),
        ("2024-01-02T00:00:01Z", "2024-01-02"),
    ],
)
def test_a_day_with_a_time_in_a_zone_is_the_day_in_denmark(served: str, day: str) -> None:
    with pytest.raises(TimeOfDayError) as raised:
        civil_date(served)
    assert raised.value.day == day


# --- instants ---


@given(MOMENTS, ZONES)
def test_an_instant_in_any_zone_is_the_same_instant_in_utc(at: datetime, zone: timezone) -> None:
    aware = at.replace(tzinfo=zone)
    text = instant(aware.isoformat())
    assert text.endswith("Z")
    assert datetime.fromisoformat(f"{text[:-1]}+00:00") == aware


@given(MOMENTS)
def test_an_instant_without_a_zone_is_taken_as_utc(at: datetime) -> None:
    assert instant(at.isoformat()) == f"{at.isoformat()}Z"


@pytest.mark.parametrize(
    ("served", "text"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.12Z", "2026-01-02T03:04:05.120000Z"),
        ("2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05.123456Z"),
        ("2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05Z"),
        ("2026-01-02T00:30:00+02:00", "2026-01-01T22:30:00Z"),
        ("2026-01-02T03:04Z", "2026-01-02T03:04:00Z"),
        ("2026-01-02", "2026-01-02T00:00:00Z"),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00Z"),
    ],
)
def test_every_served_form_of_an_instant_leaves_in_one_form(served: str, text: str) -> None:
    assert instant(served) == text


@pytest.mark.parametrize(
    "served",
    [
        "2026-02-30T00:00:00Z",
        "2026-01-02T24:00:01Z",
        "2026-01-02T03:60:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2026-01-02/2026-01-03",
        "2026-01-02/P1D",
        "2026-01-02T03:04:05Z\n",
        "2026-01-02Tnoon",
        "now",
        "03:04:05",
        "2026",
        "",
        1767323045,
        {"at": "2026-01-02"},
    ],
)
def test_what_is_no_instant_is_mistyped(served: Any) -> None:
    assert refused(instant, served)


@given(MOMENTS, MOMENTS)
def test_the_texts_of_instants_compare_as_the_instants_do(one: datetime, other: datetime) -> None:
    first, second = (instant_text(pendulum.instance(at, tz="UTC")) for at in (one, other))
    assert (first[:-1] < second[:-1]) == (one < other)
