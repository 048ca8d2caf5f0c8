"""What an object of e-conomic looks like, and what becomes of its properties.

A `Shape` is made of a schema, the selection and the properties learnt so far. Three things come of
it, so that they cannot disagree: the Struct that answers are decoded to; the lines of `finalize`,
which turn such an object into a record, in place; and `conform`, which makes a row fit the Struct.

The lines look like this:

    for r in rows:
        r.f0 = stamp0
        r.f4 = days[r.f4]
        v1 = r.f7
        r.f7 = unset
        if v1:
            r.f8 = v1.f0

The fields of a Struct stand in the order of the schema, and so do the properties of a record.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tap_visma_economic.records.records import AGREEMENT, ALWAYS_LINKS, lifted_columns
from tap_visma_economic.records.values import (
    MistypedError,
    TimeOfDayError,
    civil_date,
    converter_of,
    instant,
    json_type,
    not_too_deep,
    trimmed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from tap_visma_economic.records.drift import Drift
    from tap_visma_economic.records.records import Lifted, Schema, Selection

Path = tuple[str, ...]
"""Names that lead to a property of a row; `[]` stands for the items of an array."""

_DROPPED: Any = Raw | UnsetType
"""Type of a property that is not wanted: anything, and not looked at."""

_TYPES: dict[str, Any] = {
    "integer": int,
    "number": Any,  # a Decimal would be read from any string, "NaN" among them
    "boolean": bool,
    "string": str,
}

_PLACEHOLDERS: dict[Any, Any] = {int: 0, str: "", bool: False}
"""What stands in a Struct for a key that does not fit, until it is set."""

_NOTHING = frozenset({NoneType, UnsetType})

_MOST_REMEMBERED = 10_000
"""Texts that a memo holds before it starts over."""


class Memo(dict[Any, Any]):
    """Remembers what a converter made of a text; null and what is absent stay as they are."""

    def __init__(self, convert: Callable[[Any], Any]) -> None:
        self._convert = convert
        self._start()

    def _start(self) -> None:
        self.clear()
        self.update({None: None, UNSET: UNSET})

    def __missing__(self, value: Any) -> Any:
        if len(self) >= _MOST_REMEMBERED:
            self._start()
        converted = self[value] = self._convert(value)
        return converted


class Code:
    """The function `finalize`: constants and variables. No text of a schema or a row is in it.

    Args:
        learnt: properties that no document names.
        drift: where their rows are counted.
        as_text: numbers become texts in plain notation.
    """

    def __init__(self, learnt: frozenset[Path], drift: Drift, *, as_text: bool = False) -> None:
        self.learnt = learnt
        self._constants: dict[str, Any] = {
            "days": Memo(civil_date),
            "instants": Memo(instant),
            "trims": Memo(trimmed),
            "numbers": _NOTHING if as_text else _NOTHING | {int, Decimal},
            "number_of": _plain if as_text else _no_number,
            "nested": frozenset({dict, list}),
            "open_object": _open_object,
            "passed": partial(_passed_on, drift=drift),
            "unknown": drift.unknown,
            "unset": UNSET,
            "nothing": (None, UNSET),
            "Mistyped": MistypedError,
        }
        self._stamps: dict[str, str] = {}
        self._counters: dict[str, str] = {}
        self._variables = 0

    def variable(self) -> str:
        """Return the name of a new variable."""
        self._variables += 1
        return f"v{self._variables}"

    def constant(self, value: Any) -> str:
        """Return the name of a constant."""
        name = f"c{len(self._constants)}"
        self._constants[name] = value
        return name

    def stamp(self, source: str) -> str:
        """Return the variable that holds what was asked for."""
        return self._stamps.setdefault(source, f"stamp{len(self._stamps)}")

    def counter(self, arguments: str) -> str:
        """Return the variable that counts an unknown property; its place is in `arguments`."""
        return self._counters.setdefault(arguments, f"n{len(self._counters)}")

    def function(self, lines: list[str]) -> Callable[[Iterable[Any], Mapping[str, Any]], None]:
        """Return the function that does these lines to every row."""
        source = [
            "def finalize(rows, stamps):",
            *(f"    {name} = stamps[{self.constant(of)}]" for of, name in self._stamps.items()),
            *(f"    {counter} = 0" for counter in self._counters.values()),
            "    try:",
            "        for r in rows:",
            *_in(_in(_in(lines or ["pass"]))),
            "    finally:",
            "        pass",
            *(f"        if {n}: unknown({of}, rows={n})" for of, n in self._counters.items()),
        ]
        namespace = dict(self._constants)
        exec("\n".join(source), namespace)  # noqa: S102  made of the names above alone
        finalize: Callable[[Iterable[Any], Mapping[str, Any]], None] = namespace["finalize"]
        return finalize


@dataclass(frozen=True)
class Field:
    """One property of an object, or one column of its record.

    Args:
        attribute: what it is called in the Struct, by which it can have any name.
        type: what it is decoded to.
        default: what stands for it where it is absent; none if it is a key.
        fit: makes a value that is not null fit the type; None if the property is dropped.
        shape: that of the object, or of the objects in the array, if it is one.
    """

    attribute: str
    type: Any
    default: Any
    fit: Callable[[Any, str, Drift], Any] | None = None
    shape: Shape | None = None


class Shape:
    """One object.

    Args:
        code: the function that is made.
        variable: what the object is called in it.
        path: where in the row it is.
        absent: what stands for a property that is absent: null, or nothing.
        fill_booleans: booleans that are absent and cannot be null are false.

    Attributes:
        fields: what it consists of, by property.
        columns: attributes by property, of those that are as they came or equal to it.
        keys: attributes of the columns that no row can be without.
        variable: what the object is called in the function.
        lines: what `finalize` does to it.
    """

    def __init__(
        self,
        code: Code,
        variable: str,
        path: Path,
        *,
        absent: UnsetType | None = UNSET,
        fill_booleans: bool = False,
    ) -> None:
        self.fields: dict[str, Field] = {}
        self.columns: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.lines: list[str] = []
        self._code = code
        self.variable = variable
        self._path = path
        self._absent = absent
        self._fill_booleans = fill_booleans
        self._order: dict[str, int] = {}
        self._passing = True

    def build(
        self,
        schema: Schema,
        selection: Selection,
        *,
        required: Collection[str] = (),
        lifted: Iterable[str] = (),
    ) -> None:
        """Add what a schema says of the object.

        Args:
            schema: the object's.
            selection: what of it is wanted.
            required: its keys.
            lifted: keys that were lifted out of it, and are no news in it.
        """
        columns: Mapping[str, Schema] = schema.get("properties", {})
        references = lifted_columns(columns, selection)
        self._order = {name: place for place, name in enumerate(columns)}
        self._passing = all(
            selection.selected(selection.at(name)) or "x-link" in column
            for name, column in columns.items()
        )
        for name, column in columns.items():
            if "x-stamp" in column or selection.at(name) == AGREEMENT:
                self._stamp(name, column, selection)
            elif name in references or not selection.wanted(name, column):
                continue
            elif "x-source" in column:
                self.add_scalar(name, column, self._absent)
            else:
                self._property(name, column, selection, is_key=name in required)
        for name, keyed in references.items():
            if name not in self.fields:
                column = columns.get(name, {})
                self._reference(name, {} if "x-source" in column else column, keyed, selection)
        links = () if selection.include_links else ALWAYS_LINKS
        plain = (name for name, column in columns.items() if "x-source" not in column)
        for name in (*plain, *lifted, *schema.get("x-omit", ()), *links):
            self.drop(name)
        self._learn(passing=self._passing)
        self.keys = {name: self.fields[name].attribute for name in required if name in self.fields}
        for name in self.keys:  # a key with a type of its own is asked for by the Struct
            if self.fields[name].default is None or self.fields[name].default is UNSET:
                self.lines.append(f"if {self.at(name)} in nothing: raise Mistyped")

    def struct(self) -> type[msgspec.Struct]:
        """Return the Struct. It refuses properties that are not among its fields."""
        last = len(self._order)
        fields = sorted(self.fields.items(), key=lambda item: self._order.get(item[0], last))
        return msgspec.defstruct(
            "Row",
            [(f.attribute, f.type, msgspec.field(default=f.default)) for _, f in fields],
            rename={f.attribute: name for name, f in fields},
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )

    def at(self, name: str) -> str:
        """Return what a property is called in the function."""
        return f"{self.variable}.{self.fields[name].attribute}"

    # Rows that do not fit

    def unknown(self, row: Mapping[str, Any], found: set[Path]) -> None:
        """Add the paths of what no document names, as far as it can be learnt."""
        for name, value in row.items():
            field = self.fields.get(name)
            if field is None and _can_be_learnt(name):
                found.add((*self._path, name))
            elif field is not None and field.shape is not None:
                for inner in value if isinstance(value, list) else (value,):
                    if isinstance(inner, dict):
                        field.shape.unknown(inner, found)

    def conform(self, row: Mapping[str, Any], drift: Drift, keys: dict[str, Any]) -> dict[str, Any]:
        """Return what of a row fits the Struct.

        Args:
            row: the object.
            drift: where is noted what does not fit.
            keys: gets the attributes to set although they do not: a key is never left out.
        """
        fitting: dict[str, Any] = {}
        for name, value in row.items():
            field = self.fields.get(name)
            where = ".".join((*self._path, name))
            if field is None:
                drift.unknown(where, passed=False)
            elif field.fit is not None:
                fitting[name] = None if value is None else field.fit(value, where, drift)
        for name in self.keys:
            field, value = self.fields[name], fitting.get(name)
            if field.default is msgspec.NODEFAULT and type(value) is not field.type:
                fitting[name] = _PLACEHOLDERS[field.type]
                keys[field.attribute] = value
        return fitting

    # Fields

    def _add(self, name: str, type_: Any, *, default: Any = UNSET, **more: Any) -> str:
        """Add a field and return what it is called in the function."""
        if default is not msgspec.NODEFAULT and type_ not in (Any, _DROPPED):
            type_ = type_ | None | UnsetType if default is UNSET else type_ | None
        self.fields[name] = Field(self._next, type_, default, **more)
        return self.at(name)

    @property
    def _next(self) -> str:
        """The attribute of the field that is added next."""
        return f"f{len(self.fields)}"

    def drop(self, name: str) -> None:
        """Take a property and let it go."""
        if name not in self.fields:
            self.lines.append(f"{self._add(name, _DROPPED)} = unset")

    def _learn(self, *, passing: bool) -> list[str]:
        """Add the properties that no document names, and return them."""
        learnt = sorted(path for path in self._code.learnt if path[:-1] == self._path)
        for path in learnt:
            where = self._code.constant(".".join(path))
            count = f"    {self._code.counter(f'{where}, passed={passing}')} += 1"
            if passing:
                target = self._add(path[-1], Any, fit=_as_it_is)
                then = f"    if type({target}) in nested: {target} = passed({target}, {where})"
            else:
                target = self._add(path[-1], _DROPPED)
                then = f"    {target} = unset"
            self.lines += [f"if {target} is not unset:", count, then]
        return [path[-1] for path in learnt]

    def _stamp(self, name: str, column: Schema, selection: Selection) -> None:
        """Fill a column from what was asked for, whatever the row says."""
        crumb = selection.at(name)
        if crumb == AGREEMENT or selection.selected(crumb):
            target = self._add(name, _DROPPED)
            self.lines.append(f"{target} = {self._code.stamp(column.get('x-stamp', name))}")

    def add_scalar(
        self, name: str, column: Schema, absent: UnsetType | None, *, is_key: bool = False
    ) -> str:
        """Add a field for a scalar and return what it is called in the function."""
        type_ = _TYPES.get(json_type(column), Any)
        default: Any = absent
        if is_key and type_ in _PLACEHOLDERS:
            default = msgspec.NODEFAULT
        elif self._fill_booleans and column.get("type") == "boolean":
            default = False
        fit = partial(_fit_scalar, column=column, is_key=is_key)
        return self._add(name, type_, default=default, fit=fit)

    def _property(
        self, name: str, column: Schema, selection: Selection, *, is_key: bool = False
    ) -> None:
        kind = json_type(column)
        if kind == "object":
            self._object(name, column, selection)
        elif kind == "array":
            self._array(name, column, selection)
        else:
            target = self.add_scalar(name, column, self._absent, is_key=is_key)
            self.lines += _converting(column, target)
            if self.fields[name].default is not False:
                self.columns[name] = self.fields[name].attribute

    def _inner(self, *steps: str) -> Shape:
        return Shape(self._code, self._code.variable(), (*self._path, *steps))

    def _object(self, name: str, column: Schema, selection: Selection) -> None:
        inner = self._inner(name)
        if column.get("properties"):
            inner.build(column, selection.within(name))
            target = self._add_object(name, inner, default=self._absent)
        else:
            links = () if selection.include_links else ALWAYS_LINKS
            dropped = self._code.constant((*column.get("x-omit", ()), *links))
            target = self._add(name, dict[str, Any], default=self._absent, fit=_fit_open)
            inner.lines = [f"open_object({inner.variable}, {dropped})"]
        if inner.lines:
            self.lines += [f"{inner.variable} = {target}", f"if {inner.variable}:"]
            self.lines += _in(inner.lines)

    def _add_object(self, name: str, inner: Shape, *, default: Any) -> str:
        fit = partial(_fit_object, shape=inner)
        return self._add(name, inner.struct(), default=default, fit=fit, shape=inner)

    def _array(self, name: str, column: Schema, selection: Selection) -> None:
        items: Schema = column.get("items", {})
        item = self._inner(name, "[]")
        fit_item: Any = partial(_fit_scalar, column=items)
        if items.get("properties"):
            item.build(items, selection.within(name).within("[]"))
            type_: Any = item.struct() | None
            fit_item = partial(_fit_object, shape=item)
        elif items_type := _TYPES.get(json_type(items)):
            type_ = items_type if items_type is Any else items_type | None
        else:
            type_ = Any
        fit = partial(_fit_array, fit_item=fit_item)
        shape = item if item.fields else None
        target = self._add(name, list[type_], default=self._absent, fit=fit, shape=shape)
        if item.lines:
            self.lines.append(f"for {item.variable} in {target} or ():")
            self.lines += _in([f"if {item.variable}:", *_in(item.lines)])
        elif converted := _converted(items, "x"):
            self.lines.append(f"if {target}: {target} = [{converted} for x in {target}]")

    def _reference(self, name: str, column: Schema, keyed: Lifted, selection: Selection) -> None:
        """Add an object that columns are lifted out of.

        It stays if it has more to say: a document describes it and it is wanted, or there is in it
        what no document names.

        Args:
            name: the object.
            column: its schema, if it has one.
            keyed: where each of its keys goes.
            selection: what is wanted.
        """
        inner, within = self._inner(name), selection.within(name)
        documented: Mapping[str, Schema] = column.get("properties", {})
        kept = bool(column) and selection.wanted(name, column)
        goals = {key: to for key, to in keyed.items() if to is not None}
        is_replaced = name in {goal for goal, _ in goals.values()}
        for key, (_, described) in goals.items():
            stays = kept and key in documented and within.wanted(key, documented[key])
            if not stays or "x-source" in documented[key]:
                inner.add_scalar(key, described, self._absent)
        passing = list(inner.fields)
        if kept:
            inner.build(column, within, lifted=keyed)
            inner.lines += [f"{inner.at(key)} = unset" for key in passing]
        else:
            for key in (*keyed, *documented, *ALWAYS_LINKS):
                inner.drop(key)
            inner.lines = []  # they go with their object
        default = self._absent if kept or is_replaced else UNSET
        emitted = f"{self.variable}.{self._next}"
        if not kept:
            inner.keep_news(emitted, passing=self._passing and not is_replaced)
        self._add_object(name, inner, default=default)
        self.lines.append(f"{inner.variable} = {emitted}")
        if not kept:
            self.lines.append(f"{emitted} = {None if default is None else 'unset'}")
        lines = [*self._lifting(inner, goals), *inner.lines]
        if lines:
            self.lines += [f"if {inner.variable}:", *_in(lines)]

    def _lifting(self, inner: Shape, goals: Mapping[str, tuple[str, Schema]]) -> list[str]:
        """Return the lines that fill columns from an object, and add those columns."""
        lines = []
        for key, (goal, described) in goals.items():
            if goal not in self.fields:
                self.add_scalar(goal, described, self._absent)
            value = inner.at(key)
            converted = _converted(described, value) or value
            if inner.fields[key].default is not self._absent:
                converted = f"None if {value} is unset else {converted}"
            lines.append(f"{self.at(goal)} = {converted}")
        return lines

    def keep_news(self, emitted: str, *, passing: bool) -> None:
        """Add what no document names to an object that goes, and stays for this alone."""
        others = [f"{self.at(name)} = unset" for name in self.fields]
        learnt = self._learn(passing=passing)
        if learnt and passing:
            is_there = " or ".join(f"{self.at(name)} is not unset" for name in learnt)
            then = [*others, f"{emitted} = {self.variable}"]
            self.lines += [f"if {is_there}:", *_in(then)]


# What a value is made to


def _fit_scalar(
    value: Any, where: str, drift: Drift, *, column: Schema, is_key: bool = False
) -> Any:
    documented, convert = converter_of(column)
    try:
        return convert(value)
    except TimeOfDayError as error:
        drift.time_of_day(where)
        return error.day
    except MistypedError:
        outcome = "passed on, being a key" if is_key else "left out"
        drift.mistyped(where, documented, value, outcome)
        return _passed_on(value, where, drift) if is_key else None


def _fit_object(value: Any, where: str, drift: Drift, *, shape: Shape) -> Any:
    if isinstance(value, dict):
        return shape.conform(value, drift, {})
    return drift.mistyped(where, "an object", value, "left out")


def _fit_open(value: Any, where: str, drift: Drift) -> Any:
    if isinstance(value, dict):
        return _passed_on(value, where, drift)
    return drift.mistyped(where, "an object", value, "left out")


def _fit_array(
    value: Any, where: str, drift: Drift, *, fit_item: Callable[[Any, str, Drift], Any]
) -> Any:
    if isinstance(value, list):
        return [None if item is None else fit_item(item, f"{where}.[]", drift) for item in value]
    return drift.mistyped(where, "an array", value, "left out")


def _as_it_is(value: Any, where: str, drift: Drift) -> Any:  # noqa: ARG001
    return value


def _passed_on(value: Any, where: str, drift: Drift) -> Any:
    """Return the value of a property that no document describes; null if nobody could read it."""
    try:
        return not_too_deep(value)
    except MistypedError:
        drift.too_deep(where)
        return None


def _no_number(_: Any) -> Any:
    raise MistypedError


def _plain(value: Any) -> str:
    """Return a number as text without an exponent, with all its digits."""
    if type(value) is Decimal:
        return format(value, "f")
    if type(value) is int:
        return str(value)
    raise MistypedError


def _open_object(value: dict[str, Any], dropped: Iterable[str]) -> None:
    """Take links out of an object that no document describes."""
    for name in dropped:
        value.pop(name, None)
    for inner in value.values():
        not_too_deep(inner)


# Lines


def _converting(column: Schema, target: str) -> list[str]:
    """Return the lines that convert a scalar where it stands."""
    if json_type(column) == "number":  # asked first: a call for each would be dear
        return [f"if type({target}) not in numbers: {target} = number_of({target})"]
    converted = _converted(column, target)
    return [f"{target} = {converted}"] if converted else []


def _converted(column: Schema, value: str) -> str | None:
    """Return the code of a converted scalar; None if it stays as it is."""
    if json_type(column) == "number":
        return f"{value} if type({value}) in numbers else number_of({value})"
    form = column.get("format")
    if form in {"date", "date-time"}:
        return f"{'days' if form == 'date' else 'instants'}[{value}]"
    return f"trims[{value}]" if column.get("x-trim") else None


def _in(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _can_be_learnt(name: str) -> bool:
    """Return whether msgspec takes a text for the name of a field."""
    return not any(sign < " " or sign in '"\\' for sign in name)
