"""The form of an object of e-conomic, and the fate of its properties.

A `Shape` is made of a schema, the selection and the properties learnt so far. Three things are made
of it, so that they cannot disagree: the Struct that rows are decoded to; the lines of `finalize`,
which turn a decoded row into a record, in place; and `conform`, which makes a row fit the Struct.

The lines look like this:

    for v0 in rows:
        v0.f0 = v1
        v0.f4 = c8[v0.f4]
        v2 = v0.f7
        v0.f7 = unset
        if v2:
            v0.f8 = v2.f0

The fields of a Struct stand in the order of the schema, and so do the properties of a record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import count
from types import NoneType
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tap_visma_economic.records.drift import Drift
from tap_visma_economic.records.selection import Schema, Selection
from tap_visma_economic.records.values import (
    MistypedError,
    TimeOfDayError,
    TooDeepError,
    converter_of,
    json_type,
    not_too_deep,
    number,
    number_text,
)

Path = tuple[str, ...]
"""Names that lead to a property of a row; `[]` stands for the items of an array."""

Keyless = list[tuple[Any, str]]
"""Records that lack a key, each with the name of that key."""

Finalize = Callable[[Iterable[Any], Mapping[str, Any], Keyless], None]
"""Turns rows into records, in place; takes path parameters, and a list for rows without a key."""

_ALWAYS_LINKS = ("self", "metaData")
"""Links wherever they appear, documented or not."""

_AGREEMENT = ("properties", "agreementNumber")
"""Like every column with `x-stamp`, filled from the request: no row can change it."""

_DROPPED: Any = Raw | UnsetType
"""Type of a property that is not wanted: anything, and not parsed."""

_TYPES: dict[str, Any] = {"integer": int, "boolean": bool, "string": str}
"""A number is Any: as a Decimal it would be read from any string, "NaN" among them."""

_NOTHING = frozenset({NoneType, UnsetType})

_MOST_REMEMBERED = 10_000
"""Texts that a memo holds before it starts over."""


@dataclass(frozen=True)
class Fit:
    """Makes a value that is not null what the documents say it is; null if it cannot be.

    Args:
        documented: the type in words.
        convert: returns the value, or raises a MistypedError.
        where: the value's place, for the report of what is lost.
        is_key: one value of another type is better than a row without its key.
    """

    documented: str
    convert: Callable[[Any], Any]
    where: str
    drift: Drift
    is_key: bool = False

    def __call__(self, value: Any) -> Any:
        """Return the value as documented, and note what is lost."""
        try:
            return self.convert(value)
        except TimeOfDayError as error:
            self.drift.time_of_day(self.where)
            return error.day
        except TooDeepError:
            self.drift.left_out(self.where, "nested too deep")
        except MistypedError:
            if self.is_key and not isinstance(value, (dict, list)):
                self.drift.mistyped(self.where, self.documented, value, "passed on, being a key")
                return value
            self.drift.mistyped(self.where, self.documented, value)
        return None


class Memo(dict[Any, Any]):
    """Caches converted texts, if the conversion lost nothing; null and absent stay as they are."""

    def __init__(self, fit: Fit) -> None:
        super().__init__({None: None, UNSET: UNSET})
        self._fit = fit

    def __missing__(self, value: Any) -> Any:
        try:
            converted = self._fit.convert(value)
        except MistypedError:
            return self._fit(value)
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
            self.update({None: None, UNSET: UNSET})
        self[value] = converted
        return converted


@dataclass
class Code:
    """The function `finalize` in the making. No text of a schema or of a row is in it.

    Args:
        learnt: properties that no document names.
        as_text: numbers become texts in plain notation.
    """

    learnt: frozenset[Path]
    drift: Drift
    as_text: bool = False

    def __post_init__(self) -> None:
        self._names: dict[str, Any] = {
            "Decimal": Decimal,
            "nothing": _NOTHING,
            "numbers": _NOTHING if self.as_text else _NOTHING | {int, Decimal},
            "nested": frozenset({dict, list}),
            "unset": UNSET,
        }
        self._before: list[str] = []
        self._after: list[str] = []
        self._variables = count()

    def variable(self) -> str:
        """Return the name of a new variable."""
        return f"v{next(self._variables)}"

    def constant(self, value: Any) -> str:
        """Return the name of a constant."""
        name = f"c{len(self._names)}"
        self._names[name] = value
        return name

    def stamp(self, parameter: str) -> str:
        """Return the variable that holds a path parameter."""
        name = self.variable()
        self._before.append(f"{name} = stamps[{self.constant(parameter)}]")
        return name

    def counter(self, where: str, *, passed: bool) -> str:
        """Return the variable that counts the rows with an unknown property."""
        name = self.variable()
        note = self.constant(partial(self.drift.unknown, where, passed=passed))
        self._before.append(f"{name} = 0")
        self._after.append(f"if {name}: {note}(rows={name})")
        return name

    def function(self, row: str, lines: list[str]) -> Finalize:
        """Return the function that does these lines to every row."""
        body = [*self._before, f"for {row} in rows:", *_in(lines or ["pass"]), *self._after]
        source = "\n".join(["def finalize(rows, stamps, keyless):", *_in(body)])
        exec(source, self._names)  # noqa: S102  made of the names above alone
        finalize: Finalize = self._names["finalize"]
        return finalize


@dataclass(frozen=True)
class Field:
    """One property of an object, or one column of its record.

    Args:
        attribute: its name in the Struct: not every property's name can be one.
        type: what it is decoded to.
        default: what stands for it where it is absent.
        fit: makes a value fit the type; None if any does.
        shape: that of the object, or of the objects in the array, if it is one.
    """

    attribute: str
    type: Any
    default: Any
    fit: Callable[[Any], Any] | None = None
    shape: Shape | None = None


@dataclass(eq=False)
class Shape:
    """One object.

    Args:
        code: the function that is made.
        path: where in the row it is.
        absent: what stands for a property that is absent: null, or nothing.
        fill_booleans: booleans that are absent and cannot be null are false.

    Attributes:
        variable: the object's name in the function.
        fields: what it consists of, by property.
        columns: attributes by property, if their values are as received or equal to that.
        lines: what `finalize` does to it.
    """

    code: Code
    path: Path = ()
    absent: UnsetType | None = UNSET
    fill_booleans: bool = False

    def __post_init__(self) -> None:
        self.variable = self.code.variable()
        self.fields: dict[str, Field] = {}
        self.columns: dict[str, str] = {}
        self.lines: list[str] = []
        self._order: list[str] = []
        self._passing = True

    def build(
        self,
        schema: Schema,
        selection: Selection,
        *,
        keys: Collection[str] = (),
        known: Iterable[str] = (),
    ) -> None:
        """Add what a schema says of the object.

        Args:
            schema: the object's.
            selection: what of it is wanted.
            keys: columns that no record can be without.
            known: more properties that are no news.
        """
        columns: Mapping[str, Schema] = schema.get("properties", {})
        references = _references(columns)
        self._order = list(columns)
        self._passing = all(selection.has(name) or "x-link" in columns[name] for name in columns)
        for name, column in columns.items():
            if "x-stamp" in column or selection.at(name) == _AGREEMENT:
                self._stamp(name, column, selection)
            elif name in {*self.fields, *references} or not selection.wanted(name, column):
                continue
            elif "x-source" in column:
                self._scalar(name, column, self.absent)
            else:
                self._property(name, column, selection, is_key=name in keys)
        for name, lifted in references.items():
            if name not in self.fields:
                self._reference(name, columns.get(name, {}), lifted, selection)
        links = () if selection.include_links else _ALWAYS_LINKS
        plain = (name for name, column in columns.items() if "x-source" not in column)
        for name in (*plain, *known, *schema.get("x-omit", ()), *links):
            self._drop(name)
        self._learn(passing=self._passing)
        for name in keys:
            if name in self.fields and self.fields[name].type is not _DROPPED:
                self._check_key(name, columns[name])

    def struct(self) -> type[msgspec.Struct]:
        """Return the Struct. It rejects properties that are not among its fields."""
        order = {name: place for place, name in enumerate(self._order)}
        fields = sorted(self.fields.items(), key=lambda item: order.get(item[0], len(order)))
        return msgspec.defstruct(
            "Row",
            [(f.attribute, f.type, msgspec.field(default=f.default)) for _, f in fields],
            rename={f.attribute: name for name, f in fields},
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )

    # Rows that do not fit

    def unknown(self, row: Any, found: set[Path]) -> None:
        """Add the paths of what no document names, as far as it can be learnt."""
        for name, value in row.items() if isinstance(row, dict) else ():
            field = self.fields.get(name)
            if field is None and _can_be_learnt(name):
                found.add((*self.path, name))
            elif field is not None and field.shape is not None:
                for inner in value if isinstance(value, list) else (value,):
                    field.shape.unknown(inner, found)

    def conform(self, row: Any) -> dict[str, Any] | None:
        """Return what of an object fits the Struct, and note what does not."""
        if not isinstance(row, dict):
            self.code.drift.mistyped(self._where(), "an object", row)
            return None
        fitting: dict[str, Any] = {}
        for name, value in row.items():
            field = self.fields.get(name)
            if field is None:
                self.code.drift.unknown(self._where(name), passed=False)
            elif field.type is not _DROPPED:
                fits = value is None or field.fit is None
                fitting[name] = value if fits else field.fit(value)  # type: ignore[misc]
        return fitting

    # Fields

    def _where(self, *steps: str) -> str:
        return ".".join((*self.path, *steps))

    def _at(self, name: str) -> str:
        return f"{self.variable}.{self.fields[name].attribute}"

    def _add(self, name: str, type_: Any, default: Any = UNSET, **more: Any) -> str:
        if type_ not in (Any, _DROPPED):
            type_ = type_ | None | UnsetType if default is UNSET else type_ | None
        self.fields[name] = Field(f"f{len(self.fields)}", type_, default, **more)
        return self._at(name)

    def _drop(self, name: str) -> None:
        """Drop a property, unless it has a field."""
        if name not in self.fields:
            self.lines.append(f"{self._add(name, _DROPPED)} = unset")

    def _learn(self, *, passing: bool) -> list[str]:
        """Add the properties that no document names, and return those that pass."""
        learnt = sorted(path for path in self.code.learnt if path[:-1] == self.path)
        targets = [self._add(name, Any if passing else _DROPPED) for *_, name in learnt]
        for (*_, name), target in zip(learnt, targets, strict=True):
            then = f"{target} = unset"
            if passing:
                fit = self.code.constant(self._fit_to("anything", not_too_deep, name))
                then = f"if type({target}) in nested: {target} = {fit}({target})"
            counted = f"{self.code.counter(self._where(name), passed=passing)} += 1"
            self.lines += [f"if {target} is not unset:", *_in([counted, then])]
        return targets if passing else []

    def _stamp(self, name: str, column: Schema, selection: Selection) -> None:
        if selection.at(name) == _AGREEMENT or selection.has(name):
            target = self._add(name, _DROPPED)
            self.lines.append(f"{target} = {self.code.stamp(column.get('x-stamp', name))}")

    def _scalar(self, name: str, column: Schema, absent: UnsetType | None) -> str:
        type_ = _TYPES.get(json_type(column), Any)
        default = False if self.fill_booleans and column.get("type") == "boolean" else absent
        fit = None if type_ is Any else self._fit(column, self._where(name))
        return self._add(name, type_, default, fit=fit)

    def _property(
        self, name: str, column: Schema, selection: Selection, *, is_key: bool = False
    ) -> None:
        kind, where = json_type(column), self._where(name)
        if kind == "object":
            self._object(name, column, selection)
        elif kind == "array":
            self._array(name, column, selection)
        elif is_key:
            self._add(name, Any, self.absent)
        else:
            target = self._scalar(name, column, self.absent)
            if kind == "number" and not self.code.as_text:  # spares an assignment
                fit = self.code.constant(self._fit(column, where))
                self.lines.append(f"if type({target}) not in numbers: {target} = {fit}({target})")
            elif converted := self._converted(target, column, where):
                self.lines.append(f"{target} = {converted}")
        if kind not in {"object", "array"} and self.fields[name].default is not False:
            self.columns[name] = self.fields[name].attribute

    def _check_key(self, name: str, column: Schema) -> None:
        """Note rows without this key. One of another type than documented stays as it is."""
        target, where = self._at(name), self._where(name)
        check = partial(_key, name=name, fit=self._fit(column, where, is_key=True))
        line = f"{target} = {self.code.constant(check)}({target}, {self.variable}, keyless)"
        type_ = _TYPES.get(json_type(column))
        if type_ and not self._converted(target, column, where):
            line = f"if type({target}) is not {type_.__name__}: {line}"
        self.lines.append(line)

    def _object(self, name: str, column: Schema, selection: Selection) -> None:
        if column.get("properties"):
            inner = Shape(self.code, (*self.path, name))
            inner.build(column, selection.within(name))
            target = self._add(name, inner.struct(), self.absent, fit=inner.conform, shape=inner)
            if inner.lines:
                self.lines += [f"{inner.variable} = {target}", f"if {inner.variable}:"]
                self.lines += _in(inner.lines)
        else:
            links = () if selection.include_links else _ALWAYS_LINKS
            convert = partial(_open_object, dropped=(*column.get("x-omit", ()), *links))
            fit = self.code.constant(self._fit_to("an object", convert, name))
            target = self._add(name, Any, self.absent)
            self.lines.append(f"if type({target}) not in nothing: {target} = {fit}({target})")

    def _array(self, name: str, column: Schema, selection: Selection) -> None:
        items: Schema = column.get("items", {})
        item, where = Shape(self.code, (*self.path, name, "[]")), self._where(name, "[]")
        type_: Any = _TYPES.get(json_type(items), Any)
        fit_item: Callable[[Any], Any] = self._fit(items, where)
        if items.get("properties"):
            item.build(items, selection.within(name).within("[]"))
            type_, fit_item = item.struct(), item.conform
        if type_ is not Any:
            type_ = type_ | None
        fit = self._fit_to("an array", partial(_list, fit_item=fit_item), name)
        shape = item if item.fields else None
        target = self._add(name, list[type_], self.absent, fit=fit, shape=shape)
        if item.lines:
            self.lines.append(f"for {item.variable} in {target} or ():")
            self.lines += _in([f"if {item.variable}:", *_in(item.lines)])
        elif converted := self._converted("x", items, where):
            self.lines.append(f"if {target}: {target} = [{converted} for x in {target}]")

    def _reference(
        self,
        name: str,
        column: Schema,
        lifted: Mapping[str, tuple[str, Schema]],
        selection: Selection,
    ) -> None:
        """Add an object that columns are lifted out of: by its key, each one's name and schema.

        It stays if it has more to say: a document describes it and it is wanted, or there is in it
        what no document names.
        """
        inner, within = Shape(self.code, (*self.path, name)), selection.within(name)
        documented: Mapping[str, Schema] = column.get("properties", {})
        kept = bool(column) and "x-source" not in column and selection.wanted(name, column)
        goals = {
            key: (goal, described)
            for key, (goal, described) in lifted.items()
            if selection.has(goal) and "x-stamp" not in described
        }
        replaced = name in {goal for goal, _ in goals.values()}
        for key, (_, described) in goals.items():
            plain = kept and key in documented and "x-source" not in documented[key]
            if not (plain and within.wanted(key, documented[key])):
                inner._scalar(key, described, self.absent)
        gone = [f"{inner._at(key)} = unset" for key in inner.fields]
        if kept:
            for key, (goal, _) in lifted.items():
                if "x-link" in column and not selection.has(goal):  # it is here for its links
                    inner._drop(key)
            inner.build(column, within, known=lifted)
            inner.lines += gone
        else:
            for key in (*lifted, *documented, *_ALWAYS_LINKS):
                inner._drop(key)
            inner.lines = []  # they go with their object
            gone = [f"{inner._at(key)} = unset" for key in inner.fields]
            news = inner._learn(passing=self._passing and not replaced)
        default = self.absent if kept or replaced else UNSET
        target = self._add(name, inner.struct(), default, fit=inner.conform, shape=inner)
        self.lines.append(f"{inner.variable} = {target}")
        if not kept:
            self.lines.append(f"{target} = {'None' if default is None else 'unset'}")
            if news:
                some = " or ".join(f"{new} is not unset" for new in news)
                inner.lines += [f"if {some}:", *_in([*gone, f"{target} = {inner.variable}"])]
        if lines := [*self._lift(inner, goals), *inner.lines]:
            self.lines += [f"if {inner.variable}:", *_in(lines)]

    def _lift(self, inner: Shape, goals: Mapping[str, tuple[str, Schema]]) -> Iterable[str]:
        """Add the columns lifted out of an object, and yield the lines that fill them."""
        for key, (goal, column) in goals.items():
            if goal not in self.fields:
                self._scalar(goal, column, self.absent)
            value = inner._at(key)
            converted = self._converted(value, column, inner._where(key)) or value
            if inner.fields[key].default is not self.absent:
                converted = f"None if {value} is unset else {converted}"
            yield f"{self._at(goal)} = {converted}"

    # Values

    def _fit_to(self, documented: str, convert: Callable[[Any], Any], name: str) -> Fit:
        return Fit(documented, convert, self._where(name), self.code.drift)

    def _fit(self, column: Schema, where: str, *, is_key: bool = False) -> Fit:
        documented, convert = converter_of(column)
        if self.code.as_text and convert is number:
            convert = number_text
        return Fit(documented, convert, where, self.code.drift, is_key)

    def _converted(self, value: str, column: Schema, where: str) -> str | None:
        """Return the code of a converted scalar; None if it stays as it is."""
        fit = self._fit(column, where)
        if json_type(column) == "number":
            text = f'format({value}, "f") if type({value}) is Decimal else '
            other = f"{value} if type({value}) in numbers else {self.code.constant(fit)}({value})"
            return text + other if self.code.as_text else other
        if column.get("format") in {"date", "date-time"} or column.get("x-trim"):
            return f"{self.code.constant(Memo(fit))}[{value}]"
        if fit.convert is not_too_deep:
            return f"{self.code.constant(fit)}({value}) if type({value}) in nested else {value}"
        return None


def _references(columns: Mapping[str, Schema]) -> dict[str, dict[str, tuple[str, Schema]]]:
    """Return the columns lifted out of reference objects, by object and key."""
    found: dict[str, dict[str, tuple[str, Schema]]] = {}
    for name, column in columns.items():
        if "x-source" in column:
            outer, key = column["x-source"].split(".")
            found.setdefault(outer, {})[key] = (name, column)
    return found


def _key(value: Any, record: Any, keyless: Keyless, *, name: str, fit: Fit) -> Any:
    """Return a key; without one the record is listed."""
    found = None if value is None or value is UNSET else fit(value)
    if found is None:
        keyless.append((record, name))
    return found


def _list(value: Any, *, fit_item: Callable[[Any], Any]) -> Any:
    if not isinstance(value, list):
        raise MistypedError
    return [None if item is None else fit_item(item) for item in value]


def _open_object(value: Any, *, dropped: Collection[str]) -> Any:
    """Return an object that no document describes without its links."""
    if not isinstance(value, dict):
        raise MistypedError
    return not_too_deep({name: inner for name, inner in value.items() if name not in dropped})


def _in(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _can_be_learnt(name: str) -> bool:
    """Return whether msgspec takes a text for the name of a field."""
    return not any(sign < " " or sign in '"\\' for sign in name)
