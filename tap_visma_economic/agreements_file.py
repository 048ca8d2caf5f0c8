"""The agreements file: one company per line, as JSON Lines or CSV, read at each start of the tap.

It holds tokens, so a `ConfigError` names the file and the line, and never shows what is in it.
"""

from __future__ import annotations

import contextlib
import csv
import hmac
import io
import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_visma_economic.errors import ConfigError, counted, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

COLUMNS = ("agreement_number", "name", "enabled", "agreement_grant_token")

CLOUDS = ("s3", "gs", "abfs")
"""URL schemes that fsspec reads with the package of the extra of the same name."""

_TOKEN = re.compile(r"[A-Za-z0-9_.~+/=-]{3,200}", re.ASCII)
"""A token: those known are 44 letters, digits, `-` and `_`; `demo` is one too."""

_LIKE_A_TOKEN = re.compile(r"[A-Za-z0-9_-]{40,}", re.ASCII)
"""Such a name is probably a token in the wrong column. Names are shown, in logs and `sync_runs`."""

_NUMBER = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_FILE_NAME = re.compile(r"[\w .-]{1,80}\.(csv|json|jsonl|ndjson|txt)", re.IGNORECASE)
"""A file name that can be shown; anything else could be a token in the wrong place."""

_ENABLED = {"true": True, "yes": True, "1": True, "ja": True, "sand": True}
_ENABLED |= {"false": False, "no": False, "0": False, "nej": False, "falsk": False}
"""SAND and FALSK are what a Danish Excel makes of TRUE and FALSE."""

_MOST_ERRORS = 10
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Grant:
    """A grant token and what is known of its agreement.

    Args:
        token: the agreement grant token.
        where: the setting or the line it is in, for messages.
        name: the company's name, for people who read the file.
    """

    token: str = field(repr=False)
    where: str = field(compare=False)
    number: int | None = None
    name: str = ""
    enabled: bool = True

    def digest(self, app_secret: str) -> str:
        """Return 16 hexadecimal digits by which a grant is known where its token must not be."""
        return hmac.new(app_secret.encode(), self.token.encode(), "sha256").hexdigest()[:16]


@dataclass(frozen=True)
class Format:
    """How a file is written.

    Args:
        columns: of a CSV file; empty for JSON Lines.
        delimiter: between the cells of a CSV file.
        encoding: `utf-8`, or `utf-8-sig` with a byte order mark, as Excel needs it.
        newline: what ends a line.
    """

    columns: tuple[str, ...] = ()
    delimiter: str = ";"
    encoding: str = "utf-8"
    newline: str = "\n"


class _InvalidLineError(Exception):
    """What is wrong with a line, and what to do."""


def is_token(text: str) -> bool:
    """Return whether a text can be a token."""
    return bool(_TOKEN.fullmatch(text))


def read(location: str, taken: Mapping[str, str]) -> list[Grant]:
    """Return the grants in the file at a path or cloud URL, disabled ones included.

    `taken` are the tokens in other settings, each with its place.
    """
    last = re.split(r"[/\\]", location)[-1]
    label = last if _FILE_NAME.fullmatch(last) else "agreements_file"
    grants, _ = parse(_content(location, label), label, taken)
    if not any(grant.enabled for grant in grants) and not taken:
        none = "every line is disabled" if grants else "it has no lines"
        raise ConfigError(f"{label} names no agreement to read: {none}. Add or enable one")
    return grants


def _content(location: str, label: str) -> bytes:
    scheme, separator, _ = location.partition("://")
    if not separator:
        try:
            return Path(location).expanduser().read_bytes()
        except (OSError, RuntimeError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not a path"
            raise ConfigError(f"{label} cannot be read: {why}. Check agreements_file") from None
    if scheme not in CLOUDS:
        raise ConfigError(f"agreements_file must be a path or a URL with {', '.join(CLOUDS)}")
    import fsspec  # noqa: PLC0415  it takes a while, and few need it

    try:
        with fsspec.open(location, "rb") as file:
            content: bytes = file.read()
    except ImportError:
        raise ConfigError(
            f"agreements_file is an {scheme} URL: install the tap with its extra [{scheme}]"
        ) from None
    except Exception as error:  # noqa: BLE001  each cloud has its own, which may show the URL
        why = type(error).__name__
        raise ConfigError(
            f"{label} cannot be read from {scheme} ({why}). Check agreements_file and the "
            "credentials in the environment"
        ) from None
    return content


def parse(
    raw: bytes, label: str, taken: Mapping[str, str] | None = None
) -> tuple[list[Grant], Format]:
    """Return the grants in a file, which messages call `label`, and how it is written."""
    text, encoding = _decoded(raw, label)
    newline = "\r\n" if "\r\n" in text else "\n"
    if text.lstrip().startswith(("{", "[")):
        rows, form = _json_rows(text), Format(newline=newline)
    else:
        head = text.lstrip().partition("\n")[0]
        delimiter = max(";,\t", key=head.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        columns = _columns(reader, label)
        rows, form = _csv_rows(reader, columns), Format(columns, delimiter, encoding, newline)
    return _grants(rows, label, taken or {}), form


def _decoded(raw: bytes, label: str) -> tuple[str, str]:
    """Return a file's text, and the encoding to write it in again: one that Excel reads too."""
    if raw.startswith(BOM_UTF8):
        guesses = {"utf-8-sig": "utf-8-sig"}
    elif raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        guesses = {"utf-16": "utf-8-sig"}
    else:
        guesses = {"utf-8": "utf-8", "cp1252": "utf-8-sig"}
    for encoding, later in guesses.items():
        with contextlib.suppress(UnicodeDecodeError):
            return raw.decode(encoding), later
    raise ConfigError(f"{label} is not text in UTF-8 or Windows-1252. Save it as CSV UTF-8")


def _grants(
    rows: Iterator[tuple[int, Mapping[str, Any] | str]], label: str, taken: Mapping[str, str]
) -> list[Grant]:
    grants: list[Grant] = []
    errors: list[str] = []
    tokens, numbers = {**taken}, dict[str, str]()
    for line, row in rows:
        try:
            grant = _grant(row, f"{label} line {line}")
            _claim(tokens, grant.token, "agreement_grant_token", line)
            if grant.number:
                _claim(numbers, str(grant.number), "agreement_number", line)
        except _InvalidLineError as error:  # noqa: PERF203  all invalid lines are named at once
            errors.append(f"line {line}: {error}")
        else:
            grants.append(grant)
    if errors:
        more = len(errors) - _MOST_ERRORS
        listed = errors[:_MOST_ERRORS] + ([f"and {more} more"] if more > 0 else [])
        head = f"{label} has {counted(len(errors), 'invalid line')}, so nothing was read"
        raise ConfigError("\n  ".join([f"{head}:", *listed]))
    return grants


def _claim(seen: dict[str, str], value: str, column: str, line: int) -> None:
    where = f"line {line}"
    first = seen.setdefault(value, where)
    if first != where:
        raise _InvalidLineError(
            f"{column} is the same as in {first}. Remove one of them: an agreement is read once"
        )


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        yield number, row if isinstance(row, dict) else "must be one JSON object: {...}"


def _columns(reader: Iterator[list[str]], label: str) -> tuple[str, ...]:
    """Return the columns that the first line names."""
    try:
        names = next((cells for cells in reader if any(map(str.strip, cells))), None)
    except csv.Error:
        names = [""]
    if names is None:
        return COLUMNS
    columns = [name.strip().lower() for name in names]
    while columns and not columns[-1]:
        columns.pop()
    if len({*columns}) < len(columns) or not {"agreement_grant_token"} <= {*columns} <= {*COLUMNS}:
        raise ConfigError(
            f"{label}: the first line must name the columns, agreement_grant_token and no others "
            "than agreement_number, name and enabled; or each line must be a JSON object"
        )
    return tuple(columns)


def _csv_rows(reader: Any, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    while True:
        line = reader.line_num + 1  # where a row begins: a quoted name may have several lines
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield line, "has quotes that do not match. Close them, or remove them"
            return
        if any(map(str.strip, cells[len(columns) :])):
            yield line, "has more cells than the first line names"
        elif any(map(str.strip, cells)):
            yield line, dict(zip(columns, cells, strict=False))


def _grant(row: Mapping[str, Any] | str, where: str) -> Grant:
    if isinstance(row, str):
        raise _InvalidLineError(row)
    if not row.keys() <= {*COLUMNS}:
        raise _InvalidLineError(f"must have no other properties than {', '.join(COLUMNS)}")
    token, name = row.get("agreement_grant_token") or "", row.get("name") or ""
    if not isinstance(token, str) or not is_token(token := token.strip()):
        raise _InvalidLineError(
            "agreement_grant_token is not a token. Copy it again: it has letters, digits, - and _"
            if token
            else "agreement_grant_token is missing"
        )
    if not isinstance(name, str):
        raise _InvalidLineError('name must be text: in quotes, "..."')
    name = shown(" ".join(name.split()), _LONGEST_NAME)
    if name == token or _LIKE_A_TOKEN.fullmatch(name):
        raise _InvalidLineError(
            "name could be a token, and would be shown. Put the token into agreement_grant_token"
        )
    number, enabled = (
        "" if row.get(column) is None else str(row[column]).strip().lower()
        for column in ("agreement_number", "enabled")
    )
    if number and not _NUMBER.fullmatch(number):
        raise _InvalidLineError(
            "agreement_number must be a whole number without separators, such as 1234567"
        )
    if enabled and enabled not in _ENABLED:
        raise _InvalidLineError("enabled must be true or false")
    return Grant(token, where, int(number) if number else None, name, _ENABLED.get(enabled, True))


def render(grants: Sequence[Grant], form: Format) -> bytes:
    """Return the bytes of a file with these grants."""
    rows: list[dict[str, Any]] = [
        dict(zip(COLUMNS, (grant.number, grant.name, grant.enabled, grant.token), strict=True))
        for grant in grants
    ]
    out = io.StringIO(newline="")
    if form.columns:
        columns = [*form.columns, *(name for name in COLUMNS if name not in form.columns)]
        writer = csv.DictWriter(out, columns, delimiter=form.delimiter, lineterminator=form.newline)
        writer.writeheader()
        writer.writerows({**row, "enabled": str(row["enabled"]).lower()} for row in rows)
    else:
        out.writelines(json.dumps(row, ensure_ascii=False) + form.newline for row in rows)
    return out.getvalue().encode(form.encoding)
