"""Rows of large pages as objects of C: decoded, mended and encoded without a dictionary each.

A `RowForm` is made of the same schema, selection and settings as a stream's `Projection`, and gives
the same records. msgspec decodes a page to Structs, which takes care of types, of absent booleans
and of properties that nobody has documented: such a page is not decoded, and goes the careful way
through `Projection`, which notes what is off. What C cannot do is done by one function per stream,
straight-line code made from the schema: dates to days, blanks off VAT codes, columns lifted out of
reference objects, links and deselected properties out, agreementNumber and path parameters in.

Such a function looks like this:

    for r in rows:
        r.f0 = stamp0
        r.f4 = days[r.f4]
        v1 = r.f7
        r.f7 = unset
        if v1:
            r.f8 = v1.f0
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tap_visma_economic.rows.records import (
    AGREEMENT,
    ALWAYS_LINKS,
    is_stamped,
    lifted_columns,
)
from tap_visma_economic.rows.typed import TypedRows
from tap_visma_economic.rows.values import (
    MistypedError,
    civil_date,
    instant,
    json_type,
    not_too_deep,
    trimmed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_visma_economic.rows.records import (
        Lifted,
        Rules,
        Schema,
    )
    from tap_visma_economic.rows.typed import Row

_NUMBERS = frozenset({int, Decimal, NoneType, UnsetType})

_DROPPED: Any = Raw | UnsetType
"""Type of a property that is not wanted: anything, and not looked at."""

_NEVER: Any = UnsetType
"""Type of a column that no property of the row may fill."""


class _Memo(dict[Any, Any]):
    """Remembers what a converter made of a string; null and what is absent stay as they are."""

    def __init__(self, convert: Callable[[Any], Any]) -> None:
        self._convert = convert
        self._reset()

    def _reset(self) -> None:
        self.clear()
        self.update({None: None, UNSET: UNSET})

    def __missing__(self, value: str) -> Any:
        if len(self) >= _MOST_REMEMBERED:
            self._reset()
        converted = self[value] = self._convert(value)
        return converted


_MOST_REMEMBERED = 10_000
"""Texts that a memo holds before it starts over."""


def _open_object(value: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """Take links out of an object that no document describes."""
    for name in dropped:
        value.pop(name, None)
    for inner in value.values():
        not_too_deep(inner)


class UntypableError(Exception):
    """A schema that has something no form is made for: its rows go the careful way."""


class RowForm:
    """How rows of one stream are decoded to objects of C, and how those become records.

    Args:
        schema: the stream's schema file, `x-` keywords included.
        rules: what to keep; those of the stream's `Projection`.
        fill_booleans: give documented booleans that e-conomic leaves out as false.
    """

    def __init__(self, schema: Schema, rules: Rules, *, fill_booleans: bool = True) -> None:
        self._schema = schema
        self._rules = rules
        self._fill_booleans = fill_booleans
        self._lock = threading.Lock()
        self._compiled: _Compiled | None = None
        self._untypable = False

    def decoder(self, envelope: Any) -> msgspec.json.Decoder[Any] | None:
        """Return the decoder of a generic type over rows, such as `list`; None if there is none.

        The first call compiles the form. May be called in any thread.
        """
        with self._lock:
            if self._compiled is None and not self._untypable:
                try:
                    self._compiled = _compile(self._schema, self._rules, self._fill_booleans)
                except UntypableError:
                    self._untypable = True
            return self._compiled.decoder(envelope) if self._compiled else None

    def rows(self, typed: list[Any], plain: Callable[[], list[Row]]) -> TypedRows:
        """Return decoded objects as rows; `plain` decodes them as dictionaries."""
        assert self._compiled is not None  # noqa: S101  they were decoded with it
        return TypedRows(self, typed, self._compiled.names, plain)

    def records(self, rows: TypedRows, stamps: Mapping[str, Any]) -> list[Any] | None:
        """Turn rows into records to encode, in place; None if they have to go the careful way."""
        if rows.form is not self or self._compiled is None:
            return None
        try:
            self._compiled.mend(rows.typed, stamps)
        except MistypedError:
            return None
        return rows.typed


@dataclass
class _Compiled:
    """A form that is in use.

    Attributes:
        row: the Struct.
        mend: turns objects as they were decoded into records, in place.
        names: attributes by property, of the scalars that are kept.
    """

    row: type[msgspec.Struct]
    mend: Callable[[list[Any], Mapping[str, Any]], None]
    names: dict[str, str]
    _decoders: dict[Any, msgspec.json.Decoder[Any]] = field(default_factory=dict)

    def decoder(self, envelope: Any) -> msgspec.json.Decoder[Any]:
        if envelope not in self._decoders:
            kind = envelope[self.row]
            self._decoders[envelope] = msgspec.json.Decoder(kind, float_hook=Decimal)
        return self._decoders[envelope]


def _compile(schema: Schema, rules: Rules, fill_booleans: bool) -> _Compiled:
    code = _Code()
    shape = _Shape(code, "r", fill_booleans=fill_booleans)
    shape.fill(schema, rules)
    for name, column in schema["properties"].items():
        if is_stamped(rules.at(name), column):
            is_wanted = rules.at(name) == AGREEMENT or rules.selected(rules.at(name))
            source = code.stamp(column.get("x-stamp", name)) if is_wanted else None
            shape.stamp(name, column, source)
        elif name in schema["required"] and rules.selected(rules.at(name)):
            shape.require(name)
    return _Compiled(shape.struct(), code.function(shape.lines), shape.kept)


class _Code:
    """The source of a form's function, and the constants it uses. No text of a schema is in it."""

    def __init__(self) -> None:
        self.constants: dict[str, Any] = {
            "days": _Memo(civil_date),
            "instants": _Memo(instant),
            "trims": _Memo(trimmed),
            "numbers": _NUMBERS,
            "open_object": _open_object,
            "unset": UNSET,
            "Mistyped": MistypedError,
        }
        self._stamps: dict[str, str] = {}
        self._variables = 0

    def variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = value
        return name

    def stamp(self, source: str) -> str:
        return self._stamps.setdefault(source, f"stamp{len(self._stamps)}")

    def function(self, lines: list[str]) -> Callable[[list[Any], Mapping[str, Any]], None]:
        source = ["def mend(rows, stamps):"]
        for stamp, variable in self._stamps.items():
            source.append(f"    {variable} = stamps[{self.constant(stamp)}]")
        source += ["    for r in rows:", *(f"        {line}" for line in lines)]
        namespace = dict(self.constants)
        exec("\n".join(source), namespace)  # noqa: S102  made of the numbers above alone
        mend: Callable[[list[Any], Mapping[str, Any]], None] = namespace["mend"]
        return mend


class _Shape:
    """One object as a Struct: its fields, and what has to be done with them once it is decoded.

    Args:
        code: the function that is made.
        variable: the name of the object in it.
        fill_booleans: absent booleans are false.
    """

    def __init__(self, code: _Code, variable: str, *, fill_booleans: bool = False) -> None:
        self.lines: list[str] = []
        self.kept: dict[str, str] = {}
        self._code = code
        self._variable = variable
        self._fill_booleans = fill_booleans
        self._fields: dict[str, tuple[str, Any, Any]] = {}

    def struct(self) -> type[msgspec.Struct]:
        """Return the Struct. It refuses properties that are not among its fields."""
        return msgspec.defstruct(
            "Row",
            list(self._fields.values()),
            rename={attribute: name for name, (attribute, _, _) in self._fields.items()},
            forbid_unknown_fields=True,
            gc=False,
        )

    def add(self, name: str, kind: Any, default: Any = UNSET) -> str:
        """Add a field and return its attribute."""
        if name in self._fields:
            raise UntypableError
        attribute = f"f{len(self._fields)}"
        self._fields[name] = (attribute, kind, default)
        return attribute

    def drop(self, name: str) -> None:
        """Take a property and let it go."""
        if name not in self._fields:
            self.lines.append(f"{self._variable}.{self.add(name, _DROPPED)} = unset")

    def fill(
        self, schema: Schema, rules: Rules, lifted_from: Mapping[str, Any] | None = None
    ) -> None:
        """Add the fields of an object, as `records` decides about them."""
        columns: Mapping[str, Schema] = schema["properties"]
        lifted = lifted_columns(columns, rules)
        for name, column in columns.items():
            if name in lifted or "x-source" in column:
                continue
            if is_stamped(rules.at(name), column):
                if rules.breadcrumb:
                    self.drop(name)
            elif rules.wanted(name, column):
                self._property(name, column, rules)
            else:
                self.drop(name)
        for outer, keyed in lifted.items():
            column = columns.get(outer, {})
            self._lift(outer, keyed, {} if "x-source" in column else column, rules)
        links = () if rules.include_links else ALWAYS_LINKS
        for name in (*(lifted_from or ()), *schema.get("x-omit", ()), *links):
            self.drop(name)

    def _property(self, name: str, column: Schema, rules: Rules) -> None:
        kind = json_type(column)
        if kind == "object":
            self._object(name, column, rules)
        elif kind == "array":
            self._array(name, column, rules)
        else:
            self._scalar(name, column)

    def _scalar(self, name: str, column: Schema) -> None:
        is_filled = self._fill_booleans and column["type"] == "boolean"
        attribute = self.add(name, _type_of(column), False if is_filled else UNSET)
        target = f"{self._variable}.{attribute}"
        converted = _converted(column, target)
        if converted is not None:
            self.lines.append(f"{target} = {converted}")
        elif json_type(column) == "number":
            self.lines.append(f"if type({target}) not in numbers: raise Mistyped")
        if not is_filled:
            self.kept[name] = attribute

    def _object(self, name: str, column: Schema, rules: Rules) -> None:
        """Add an object that is kept."""
        inner = self._code.variable()
        if not column.get("properties"):
            links = () if rules.include_links else ALWAYS_LINKS
            dropped = self._code.constant((*column.get("x-omit", ()), *links))
            attribute = self.add(name, dict[str, Any] | None | UnsetType)
            mended = [f"open_object({inner}, {dropped})"]
        else:
            shape = _Shape(self._code, inner)
            shape.fill(column, rules.within(name))
            attribute = self.add(name, shape.struct() | None | UnsetType)
            mended = shape.lines
        if mended:
            self.lines += [f"{inner} = {self._variable}.{attribute}", f"if {inner}:", *_in(mended)]

    def _array(self, name: str, column: Schema, rules: Rules) -> None:
        items: Schema = column.get("items", {})
        within = rules.within(name)
        kind = json_type(items)
        if kind not in {"object", "string"} or not within.wanted("[]", items):
            raise UntypableError
        if kind == "string":
            if _converted(items, "") is not None:
                raise UntypableError
            self.add(name, list[str | None] | None | UnsetType)
            return
        if not items.get("properties"):
            raise UntypableError
        item = self._code.variable()
        shape = _Shape(self._code, item)
        shape.fill(items, within.within("[]"))
        attribute = self.add(name, list[shape.struct() | None] | None | UnsetType)  # type: ignore[misc]
        if shape.lines:
            self.lines += [
                f"for {item} in {self._variable}.{attribute} or ():",
                *_in([f"if {item}:", *_in(shape.lines)]),
            ]

    def _lift(self, outer: str, keyed: Lifted, column: Schema, rules: Rules) -> None:
        """Add a reference object that columns are lifted out of; `column` describes it, if any."""
        reference = self._code.variable()
        shape = _Shape(self._code, reference)
        is_kept = bool(column) and rules.wanted(outer, column)
        if is_kept:
            shape.lift_and_keep(column, rules.within(outer), keyed)
        else:
            shape.lift_alone(column, keyed)
        attribute = self.add(outer, shape.struct() | None | UnsetType)
        mended: list[str] = []
        for key, lifted in keyed.items():
            if lifted is not None:
                name, described = lifted
                if self._fill_booleans and json_type(described) == "boolean":
                    raise UntypableError
                value = f"{reference}.{shape.attribute(key)}"
                target = attribute if name == outer else self.add(name, _NEVER)
                if json_type(described) == "number":
                    mended.append(f"if type({value}) not in numbers: raise Mistyped")
                converted = _converted(described, value) or value
                mended.append(f"{self._variable}.{target} = {converted}")
        mended += shape.lines
        self.lines.append(f"{reference} = {self._variable}.{attribute}")
        if not is_kept:
            self.lines.append(f"{self._variable}.{attribute} = unset")
        if mended:
            self.lines += [f"if {reference}:", *_in(mended)]

    def lift_and_keep(self, column: Schema, rules: Rules, keyed: Lifted) -> None:
        """Add the fields of an object that columns are lifted out of and that stays."""
        documented: Mapping[str, Schema] = column.get("properties", {})
        if not documented:
            raise UntypableError
        for key, lifted in keyed.items():
            if lifted is None:
                continue
            inside = documented.get(key, {"x-source": ""})
            if "x-source" in inside or not rules.wanted(key, inside):
                attribute = self.add(key, _type_of(lifted[1]))
                self.lines.append(f"{self._variable}.{attribute} = unset")
            elif _type_of(lifted[1]) != _type_of(inside):
                raise UntypableError
        self.fill(column, rules, keyed)

    def lift_alone(self, column: Schema, keyed: Lifted) -> None:
        """Add the fields of an object of which nothing stays but the columns lifted out of it."""
        for key, lifted in keyed.items():
            self.add(key, _DROPPED if lifted is None else _type_of(lifted[1]))
        for key in (*column.get("properties", {}), *ALWAYS_LINKS):
            if key not in self._fields:
                self.add(key, _DROPPED)

    def stamp(self, name: str, column: Schema, variable: str | None) -> None:
        """Fill a column from what was asked for, whatever the row says; None: let it go."""
        if "x-source" not in column:
            attribute = self.add(name, _DROPPED)
        elif variable is None:
            return
        elif name in self._fields:
            attribute = self.attribute(name)
        else:
            attribute = self.add(name, _NEVER)
        self.lines.append(f"{self._variable}.{attribute} = {variable or 'unset'}")

    def require(self, name: str) -> None:
        """Refuse rows that lack a column."""
        target = f"{self._variable}.{self.attribute(name)}"
        self.lines.append(f"if {target} is unset or {target} is None: raise Mistyped")

    def attribute(self, name: str) -> str:
        """Return the attribute that holds a property."""
        return self._fields[name][0]


_TYPES: dict[str, Any] = {
    "integer": int | None | UnsetType,
    "number": Any,  # a Decimal would be read from any string
    "boolean": bool | None | UnsetType,
    "string": str | None | UnsetType,
}


def _type_of(column: Schema) -> Any:
    try:
        return _TYPES[json_type(column)]
    except KeyError:
        raise UntypableError from None


def _converted(column: Schema, value: str) -> str | None:
    """Return the code that converts a scalar; None if it stays as it is."""
    form = column.get("format")
    if form == "date":
        return f"days[{value}]"
    if form == "date-time":
        return f"instants[{value}]"
    return f"trims[{value}]" if column.get("x-trim") else None


def _in(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
