"""The agreements file as text: what is understood, what is an error of its line, and no token."""

from __future__ import annotations

import contextlib
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.agreements_file import COLUMNS, Format, Grant, parse, render
from tap_visma_economic.errors import ConfigError

TOKEN = "LS4emZLGHCD_itL9OvgLbp1CvGCeeh0kE7f_v3-7fdU1"
OTHER = "another-token"
HEADER = "agreement_number;name;enabled;agreement_grant_token"

TOKENS = st.text(string.ascii_letters + string.digits + "-_.~+/=", min_size=3, max_size=60)
FORMATS = [
    Format(),
    Format(newline="\r\n"),
    *(
        Format(columns, delimiter, encoding, newline)
        for columns in (COLUMNS, COLUMNS[::-1], COLUMNS[-1:])
        for delimiter in ";,\t"
        for encoding in ("utf-8", "utf-8-sig")
        for newline in ("\n", "\r\n")
    ),
]


def parsed_name(name: str) -> str:
    """A name as the file's reader leaves it: one printable line."""
    line = json.dumps({"agreement_grant_token": TOKEN, "name": name})
    return parse(line.encode(), "f")[0][0].name


NAMES = st.text(max_size=40).map(parsed_name)


@st.composite
def files(draw: st.DrawFn) -> list[Grant]:
    tokens = draw(st.lists(TOKENS, unique=True, min_size=1, max_size=5))
    numbers = draw(
        st.lists(
            st.integers(1, 999_999_999), unique=True, min_size=len(tokens), max_size=len(tokens)
        )
    )
    return [
        Grant(token, "", draw(st.sampled_from([None, number])), draw(NAMES), draw(st.booleans()))
        for token, number in zip(tokens, numbers, strict=True)
    ]


@given(files(), st.sampled_from(FORMATS))
def test_what_is_written_is_read_again(grants: list[Grant], form: Format) -> None:
    raw = render(grants, form)
    found, same = parse(raw, "f")
    assert found == grants
    assert render(found, same) == raw


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_other_file_is_an_error_in_plain_words(raw: bytes) -> None:
    with contextlib.suppress(ConfigError):
        parse(raw, "f")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_csv_file_of_a_danish_excel_is_understood(encoding: str, newline: str) -> None:
    lines = [
        HEADER,
        f'1234567;"Fyns Træ; ""Tag"" A/S";SAND;{TOKEN}',
        ";;;",
        f'; Søn ;FALSK;"{OTHER}"',
        "",
    ]
    found, form = parse(newline.join(lines).encode(encoding), "f")
    assert found == [
        Grant(TOKEN, "", 1234567, 'Fyns Træ; "Tag" A/S'),
        Grant(OTHER, "", None, "Søn", enabled=False),
    ]
    assert [grant.where for grant in found] == ["f line 2", "f line 4"]
    assert (form.delimiter, form.newline) == (";", newline)
    assert form.encoding == ("utf-8" if encoding == "utf-8" else "utf-8-sig")
    assert parse(render(found, form), "f")[0] == found


GOOD = '{"agreement_grant_token": "good-token"}'


@pytest.mark.parametrize(
    ("before", "line", "words"),
    [
        *(
            (f"{HEADER}\n;;;good-token", line, words)
            for line, words in {
                f"1234567.0;;;{TOKEN}": "agreement_number must be a whole number without",
                f"1.234.567;;;{TOKEN}": "agreement_number must be",
                f"1,23E+06;;;{TOKEN}": "agreement_number must be",
                f"-1;;;{TOKEN}": "agreement_number must be",
                f"{TOKEN};;;": "agreement_grant_token is missing",
                f";;;{TOKEN} {TOKEN}": "agreement_grant_token is not a token",
                ";;;#NAVN?": "agreement_grant_token is not a token",
                f";;{TOKEN};{OTHER}": "enabled must be true or false",
                f";;;{OTHER};{TOKEN}": "has more cells than the first line names",
                f';"{TOKEN};;{OTHER}': "has quotes that do not match",
            }.items()
        ),
        *(
            (f"{GOOD}\n", line.replace("T:", f'"agreement_grant_token": "{TOKEN}"'), words)
            for line, words in {
                '{"agreement_grant_token": "x': "must be one JSON object",
                f'["{TOKEN}"]': "must be one JSON object",
                '{"agreement_grant_token": 5}': "agreement_grant_token is not a token",
                "{}": "agreement_grant_token is missing",
                f'{{T:, "{OTHER}": 1}}': "must have no other properties",
                f'{{T:, "name": ["{OTHER}"]}}': "name must be text",
                '{T:, "agreement_number": 1234567.0}': "whole number",
                '{T:, "agreement_number": true}': "whole number",
                f'{{T:, "enabled": "{OTHER}"}}': "true or false",
                "[" * 100_000: "must be one JSON object",
            }.items()
        ),
    ],
    ids=lambda it: it[:40],
)
def test_a_line_that_is_wrong_is_named_and_not_shown(before: str, line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"{before}\n\n{line}".encode(), "f.csv")
    head, told = str(caught.value).split("\n")
    assert head == "f.csv has 1 invalid line, so nothing was read:"
    assert told.startswith("  line 4: ")
    assert words in told
    assert TOKEN not in told
    assert OTHER not in told


@pytest.mark.parametrize(
    "header",
    [TOKEN, f"{HEADER};{OTHER}", "name;enabled", f"{HEADER};name", "agreement_number", '"'],
)
def test_a_first_line_that_does_not_name_the_columns_is_not_shown(header: str) -> None:
    with pytest.raises(ConfigError, match="the first line must name the columns") as caught:
        parse(f"{header}\n{TOKEN}\n".encode(), "f")
    assert TOKEN not in str(caught.value)
    assert OTHER not in str(caught.value)


def test_all_invalid_lines_are_named_at_once_ten_at_most() -> None:
    lines = [f"x;;;token-{place}" for place in range(13)]
    with pytest.raises(ConfigError) as caught:
        parse("\n".join([HEADER, *lines]).encode(), "f")
    told = str(caught.value).splitlines()
    assert told[0] == "f has 13 invalid lines, so nothing was read:"
    assert [line.split(":")[0] for line in told[1:-1]] == [f"  line {n}" for n in range(2, 12)]
    assert told[-1] == "  and 3 more"


def test_what_is_there_twice_is_an_error_of_its_line() -> None:
    lines = [f"1;;;{TOKEN}", f"2;;nej;{TOKEN}", f"1;;;{OTHER}", ";;;in-the-settings"]
    with pytest.raises(ConfigError) as caught:
        parse("\n".join([HEADER, *lines]).encode(), "f", {"in-the-settings": "agreements no. 2"})
    told = str(caught.value).splitlines()
    assert told[1].startswith("  line 3: agreement_grant_token is the same as in line 2.")
    assert told[2].startswith("  line 4: agreement_number is the same as in line 2.")
    assert told[3].startswith("  line 5: agreement_grant_token is the same as in agreements no. 2.")


def test_a_grant_shows_no_token_where_it_is_printed() -> None:
    assert TOKEN not in repr(Grant(TOKEN, "f line 2"))
