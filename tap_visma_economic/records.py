"""From e-conomic's rows to records: what leaves the tap is decided here, once per stream.

A stream's schema file (see `schemas`) names every documented property, which of them are links,
and which columns are lifted out of reference objects (`customerGroup: {customerGroupNumber, self}`
becomes `customerGroupNumber`). A `Projection` is that file and the user's selection, compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tap_visma_economic.rows import Row
from tap_visma_economic.values import (
    MistypedError,
    TimeOfDayError,
    converter_of,
    json_type,
    not_too_deep,
)

if TYPE_CHECKING:
    from tap_visma_economic.drift import Drift

__all__ = ["Projection", "Record", "Row", "Rules"]

Record = dict[str, Any]
"""One object as the tap emits it."""

Schema = Mapping[str, Any]
Breadcrumb = tuple[str, ...]

Lifted = Mapping[str, tuple[str, Schema] | None]
"""By key of a reference object: the column it is lifted to and its schema, None if unwanted."""

ALWAYS_LINKS = ("self", "metaData")
"""Links wherever they appear, documented or not."""

AGREEMENT: Breadcrumb = ("properties", "agreementNumber")
"""Like every column with `x-stamp`, filled from what was asked for: no row can change it."""

Write = Callable[[Any, Record], None]
"""Puts one property's value into a record."""


@dataclass(frozen=True)
class Rules:
    """What to do with the properties of one object.

    Args:
        drift: where departures from the documents are noted.
        selected: whether the property at a breadcrumb is wanted.
        include_links: keep links, and the reference objects that columns were lifted from.
        keys: columns that are never left out, whatever their type.
        breadcrumb: where in the schema the object is.
        path: where in the row the object is, for reports.
    """

    drift: Drift
    selected: Callable[[Breadcrumb], bool] = lambda _: True
    include_links: bool = False
    keys: frozenset[str] = frozenset()
    breadcrumb: Breadcrumb = ()
    path: str = ""

    def at(self, name: str) -> Breadcrumb:
        """Return the breadcrumb of a property of this object."""
        return (*self.breadcrumb, "properties", name)

    def wanted(self, name: str, column: Schema) -> bool:
        """Return whether a property of this object is to be kept."""
        return self.selected(self.at(name)) and ("x-link" not in column or self.include_links)

    def within(self, name: str) -> Rules:
        """Return the rules for an object nested in this one."""
        path = f"{self.path}{name}."
        return replace(self, keys=frozenset(), breadcrumb=self.at(name), path=path)


class Projection:
    """Turns rows of one stream into records.

    Args:
        schema: the stream's schema file, `x-` keywords included.
        rules: what to keep and where to note what the documents do not tell of.
        fill_booleans: give documented booleans that e-conomic leaves out as false.
    """

    def __init__(self, schema: Schema, rules: Rules, *, fill_booleans: bool = True) -> None:
        columns: Mapping[str, Schema] = schema["properties"]
        wanted = {
            name: column for name, column in columns.items() if rules.selected(rules.at(name))
        }
        self._stamps = {
            name: column["x-stamp"] for name, column in wanted.items() if "x-stamp" in column
        }
        self._absent: Record = {
            name: False
            for name, column in wanted.items()
            if fill_booleans and column["type"] == "boolean"
        }
        self._fill = _filler(schema, replace(rules, keys=frozenset(schema["required"])))
        self._required = [name for name in schema["required"] if name in wanted]
        self._drift = rules.drift

    def __call__(self, row: Row, stamps: Mapping[str, Any]) -> Record:
        """Return the record for a row; `stamps` holds agreementNumber and path parameters."""
        record = {"agreementNumber": stamps["agreementNumber"]}
        for name, source in self._stamps.items():
            record[name] = stamps[source]
        record.update(self._absent)
        self._fill(row, record)
        for name in self._required:
            if record.get(name) is None:
                self._drift.missing(name)
        return record


def _filler(schema: Schema, rules: Rules, lifted_from: Mapping[str, Any] | None = None) -> Write:
    """Return the function that puts an object's properties into a record.

    Neither wanted nor news are the keys in `lifted_from`, which were lifted out of the object, and
    what the schema says is never emitted: a token, lists that are always empty.
    """
    columns: Mapping[str, Schema] = schema.get("properties", {})
    links = () if rules.include_links else ALWAYS_LINKS
    writes: dict[str, Write | None] = dict.fromkeys(
        (*(lifted_from or ()), *schema.get("x-omit", ()), *links)
    )
    lifted = {
        outer: {key: _scalar(*to, rules) if to else None for key, to in keyed.items()}
        for outer, keyed in lifted_columns(columns, rules).items()
    }
    for name, column in columns.items():
        if "x-source" not in column:
            writes[name] = _property(name, column, rules, lifted.get(name))
    for outer, keyed in lifted.items():
        documented = columns.get(outer, {}).get("properties", {})
        writes[outer] = _lift(outer, keyed, writes.get(outer), documented, rules)
    open_ended = not columns
    passing = open_ended or all(
        rules.selected(rules.at(name)) or "x-link" in column for name, column in columns.items()
    )

    def fill(row: Any, record: Record) -> None:
        for name, value in row.items():
            try:
                write = writes[name]
            except KeyError:
                if not open_ended:
                    rules.drift.unknown(f"{rules.path}{name}")
                if passing and name not in record:
                    record[name] = _passed_on(name, value, rules)
                continue
            if write is not None:
                write(value, record)

    return fill


def _passed_on(name: str, value: Any, rules: Rules) -> Any:
    """Return the value of a property that no document describes; null if nobody could read it."""
    try:
        return not_too_deep(value)
    except MistypedError:
        rules.drift.too_deep(f"{rules.path}{name}")
        return None


def lifted_columns(columns: Mapping[str, Schema], rules: Rules) -> Mapping[str, Lifted]:
    """Return the columns lifted out of reference objects, by object and key."""
    lifted: dict[str, dict[str, tuple[str, Schema] | None]] = {}
    for name, column in columns.items():
        if "x-source" in column:
            outer, key = column["x-source"].split(".")
            wanted = rules.selected(rules.at(name)) and "x-stamp" not in column
            lifted.setdefault(outer, {})[key] = (name, column) if wanted else None
    return lifted


def is_stamped(breadcrumb: Breadcrumb, column: Schema) -> bool:
    """Return whether a column is filled from what was asked for, whatever the row says."""
    return "x-stamp" in column or breadcrumb == AGREEMENT


def _property(
    name: str, column: Schema, rules: Rules, lifted: Mapping[str, Any] | None
) -> Write | None:
    """Return what writes one property, None if it is not wanted."""
    if not rules.wanted(name, column) or is_stamped(rules.at(name), column):
        return None
    kind = json_type(column)
    if kind == "object":
        return _object(name, column, rules, lifted)
    if kind == "array":
        return _array(name, column, rules)
    return _scalar(name, column, rules)


def _scalar(name: str, column: Schema, rules: Rules) -> Write:
    documented, convert = converter_of(column)
    is_key = name in rules.keys

    def write(value: Any, record: Record) -> None:
        if value is None:
            record[name] = None
            return
        try:
            record[name] = convert(value)
        except TimeOfDayError as error:
            rules.drift.time_of_day(f"{rules.path}{name}")
            record[name] = error.day
        except MistypedError:
            outcome = "passed on, being a key" if is_key else "left out"
            rules.drift.mistyped(f"{rules.path}{name}", documented, value, outcome)
            record[name] = _passed_on(name, value, rules) if is_key else None

    return write


def _object(name: str, column: Schema, rules: Rules, lifted: Mapping[str, Any] | None) -> Write:
    fill = _filler(column, rules.within(name), lifted)

    def write(value: Any, record: Record) -> None:
        if isinstance(value, dict):
            nested: Record = {}
            fill(value, nested)
            record[name] = nested
        else:
            record[name] = None
            if value is not None:
                rules.drift.mistyped(f"{rules.path}{name}", "an object", value, "left out")

    return write


def _array(name: str, column: Schema, rules: Rules) -> Write:
    item = _property("[]", column.get("items", {}), replace(rules.within(name)), None)

    def write(value: Any, record: Record) -> None:
        if isinstance(value, list):
            items = []
            for element in value:
                holder: Record = {}
                if item is not None:
                    item(element, holder)
                items.append(holder.get("[]"))
            record[name] = items
        else:
            record[name] = None
            if value is not None:
                rules.drift.mistyped(f"{rules.path}{name}", "an array", value, "left out")

    return write


def _lift(
    outer: str,
    keyed: Mapping[str, Write | None],
    keep: Write | None,
    documented: Mapping[str, Any],
    rules: Rules,
) -> Write:
    """Return what writes the columns lifted out of a reference object, and the object if kept."""

    def write(value: Any, record: Record) -> None:
        if keep is not None:
            keep(value, record)
        if not isinstance(value, dict):
            if value is not None and keep is None:
                rules.drift.mistyped(f"{rules.path}{outer}", "an object", value, "left out")
            return
        for key, write_column in keyed.items():
            if write_column is not None and key in value:
                write_column(value[key], record)
        if keep is None:
            for key in value:
                if key not in keyed and key not in documented and key not in ALWAYS_LINKS:
                    rules.drift.unknown(f"{rules.path}{outer}.{key}")

    return write
