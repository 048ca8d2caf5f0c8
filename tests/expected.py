"""What a record must hold, told from the sandbox's row by the rules of docs/streams/index.md alone.

Knows nothing of the tap's schema files: references become columns by the rule for their names,
links go, VAT codes lose their padding, dates are civil dates, instants are UTC.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

from tests.sandbox.values import Link

VAT_CODES = {"vatCode", "contraVatCode", "vatAccountNumber"}
NEVER_EMITTED = {"metaData", "appPublicToken"}
VALUE_OBJECTS = {"application"}
"""Objects that describe something, though they link to it."""

ONLY_CAPTIONS = {"predefinedPeriodFilters"}
"""Links with a caption each."""

ALWAYS_EMPTY = {"lines"}
"""Listings of orders and quotes send an empty list though the documents have lines."""

MASKED = ("url", "postData")
"""What of a webhook is masked in parts, beside the values of its headers."""

NULLABLE_BOOLEANS = {
    ("departmental_distributions", "barred"),
    ("openapi_accounts", "isCredit"),
    ("time_entries", "isReconciled"),
}
"""Documented as nullable, or not documented: left out does not mean false."""


def differences(stream: str, record: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """In what a record differs from what its row makes of it."""
    return _Comparison(stream).object(record, row, "", top=True)


class _Comparison:
    def __init__(self, stream: str) -> None:
        self.stream = stream

    def object(
        self, record: dict[str, Any], row: dict[str, Any], path: str, *, top: bool = False
    ) -> list[str]:
        found: list[str] = []
        expected: set[str] = set()
        for name, value in row.items():
            if value is None or _is_link(name, value):
                continue
            if isinstance(value, dict):
                found += self.reference(record, name, value, path, expected)
            else:
                expected.add(name)
                found += self.value(record, name, value, path, top=top)
        surplus = {name for name in set(record) - expected if record[name] not in (None, False)}
        return found + [f"{path}{name}: not in the row" for name in sorted(surplus)]

    def reference(
        self,
        record: dict[str, Any],
        name: str,
        value: dict[str, Any],
        path: str,
        expected: set[str],
    ) -> list[str]:
        key = None if name in VALUE_OBJECTS else _entity_key(value)
        if key is None:
            expected.add(name)
            return self.nested(record.get(name), value, f"{path}{name}.")
        column = column_of(name, key)
        expected.add(column)
        found = self.value(record, column, value[key], path, source=key)
        more = {k: v for k, v in value.items() if k != key and _says_something(k, v)}
        if column.lower() != name.lower():
            expected.add(name)
            kept = dict(record.get(name) or {})
            kept.pop(key, None)
            if more or name in record:
                found += self.object(kept, more, f"{path}{name}.")
        return found

    def nested(self, actual: Any, value: dict[str, Any], path: str) -> list[str]:
        if not any(_says_something(k, v) for k, v in value.items()):
            return []
        if not isinstance(actual, dict):
            return [f"{path}: missing"]
        return self.object(actual, value, path)

    def value(
        self,
        record: dict[str, Any],
        name: str,
        value: Any,
        path: str,
        *,
        source: str = "",
        top: bool = False,
    ) -> list[str]:
        if record.get(name) is None and value is not None:
            left_out = value is False and (not top or (self.stream, name) in NULLABLE_BOOLEANS)
            return [] if left_out else [f"{path}{name}: missing, {value!r} expected"]
        return self.equal(record[name], value, source or name, f"{path}{name}")

    def equal(self, actual: Any, value: Any, name: str, path: str) -> list[str]:
        if isinstance(value, list):
            if not isinstance(actual, list) or len(actual) != len(value):
                return [f"{path}: {actual!r} where a list of {len(value)} is expected"]
            found = []
            for place, (one, other) in enumerate(zip(actual, value, strict=True)):
                where = f"{path}[{place}]"
                if isinstance(other, dict):
                    found += self.nested(one, other, f"{where}.")
                else:
                    found += self.equal(one, other, name, where)
            return found
        wanted = _rendered(name, value)
        if self.stream == "webhooks" and path.startswith(("customHeaders[0].value", *MASKED)):
            wanted = _masked(value) if path in MASKED else "***"
        same = actual == wanted and _kind(actual) == _kind(wanted)
        return [] if same else [f"{path}: {actual!r} where {wanted!r} is expected"]


def column_of(name: str, key: str) -> str:
    """The column for the key of a reference."""
    special = {"vatAccount": "vatCode", "contraVatAccount": "contraVatCode"}
    if key == "vatCode" and name in special:
        return special[name]
    if name.lower() in key.lower():
        return key
    if name.lower().endswith(key.lower()):
        return name
    for suffix in ("Number", "Code"):
        entity = key.removesuffix(suffix)
        if (
            key.endswith(suffix)
            and entity
            and name.rstrip("0123456789").lower().endswith(entity.lower())
        ):
            return name + suffix
    return name + key[0].upper() + key[1:]


def _entity_key(value: dict[str, Any]) -> str | None:
    if not isinstance(value.get("self"), Link):
        return None
    for key, item in value.items():
        if (
            isinstance(item, (int, str))
            and not isinstance(item, (bool, Link))
            and (key.endswith(("Number", "Code")) or key in {"code", "year"})
        ):
            return key
    return None


def _is_link(name: str, value: Any) -> bool:
    if isinstance(value, Link) or name in NEVER_EMITTED or name in ONLY_CAPTIONS:
        return True
    return name in ALWAYS_EMPTY and not value


def _says_something(name: str, value: Any) -> bool:
    if value is None or value is False or _is_link(name, value):
        return False
    if isinstance(value, dict):
        return any(_says_something(k, v) for k, v in value.items())
    return True


def _rendered(name: str, value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str) and name in VAT_CODES:
        return value.strip()
    return value


def _masked(text: str) -> str:
    """The address or the data of a webhook: names and merge fields stay, the rest is masked."""
    before, sign, fields = text.rpartition("?")
    if not sign and not re.match(r"\w+=", fields):
        return "***"
    return before + sign + re.sub(r"=(?!\[\w+\](?:&|$))[^&]*", "=***", fields)


def _kind(value: Any) -> type:
    return Decimal if type(value) is int else type(value)
