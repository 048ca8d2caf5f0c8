"""From the tree of a document to the columns of a stream.

The rules in short: an object that refers to another entity gives that entity's key to a column
beside it; links are marked; instants and days are told apart; what is not a key may be null.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from scripts.schema_update import facts
from scripts.schema_update.descriptions import AGREEMENT_NUMBER, PARAMETER, describe
from scripts.schema_update.tree import DocumentError

if TYPE_CHECKING:
    from scripts.schema_update.tree import Node, Stream

Json = dict[str, Any]


def column_name(prop: str, key: str) -> str:
    """The name of the column that holds the key of the entity a property refers to.

    The name tells what the column joins: `customerGroup.customerGroupNumber` gives
    `customerGroupNumber`, `accountingYear.year` gives `accountingYear`, `unit1.unitNumber` gives
    `unit1Number`, `salesPerson.employeeNumber` gives `salesPersonEmployeeNumber`.
    """
    if key == "vatCode" and prop.lower().endswith("vataccount"):
        return f"{prop[: -len('Account')]}Code"
    if prop.lower() in key.lower():
        return key
    if prop.lower().endswith(key.lower()):
        return prop
    entity, suffix = re.fullmatch(r"(.*?)(Number|Code|)", key).groups()  # type: ignore[union-attr]
    if entity and suffix and prop.rstrip("0123456789").lower().endswith(entity.lower()):
        return f"{prop}{suffix}"
    return f"{prop}{key[0].upper()}{key[1:]}"


def reference_key(prop: str, node: Node) -> str | None:
    """The key of the entity an object refers to, or None where it refers to none.

    A reference carries a link to the entity, `self`, beside the entity's key.
    """
    if node.type != "object" or "self" not in node.properties or prop in facts.VALUE_OBJECTS:
        return None
    keys = [
        name
        for name, child in node.properties.items()
        if child.type in {"integer", "string"}
        and (name.endswith("Number") or name in {"code", "vatCode", "year"})
    ]
    if len(keys) > 1:
        raise DocumentError(f"{prop}: which of {', '.join(keys)} is the key of the entity?")
    return keys[0] if keys else None


def build(stream: Stream, source: str, record: Node, parent: Json | None) -> Json:
    """The schema file of a stream.

    Args:
        stream: The facts about the stream.
        source: Where the properties are documented.
        record: The record as documented.
        parent: The schema file of the parent stream, which types the path parameters.

    Raises:
        DocumentError: Two columns share a name, a date is not known to be an instant or a day, or
            a primary key is not among the columns.
    """
    body = _Columns(stream.name).of(record, "")
    columns: Json = {
        "agreementNumber": body.pop("agreementNumber", {"type": ["integer", "null"]})
        | {"description": describe(stream.name, "agreementNumber") or AGREEMENT_NUMBER}
    }
    for parameter, parent_column in stream.path_params.items():
        name = facts.PARAMETER_COLUMNS.get(parameter, parameter)
        if name in body:
            column = body.pop(name)
        elif parent_column is None:
            column = {"type": ["string", "null"]}
        elif parent is not None:
            column = {"type": _nullable(parent["properties"][parent_column]["type"])}
        else:
            raise DocumentError(f"{stream.name}.{name}: its parent has no schema to type it")
        description = describe(stream.name, name) or PARAMETER
        columns[name] = column | {"description": description, "x-stamp": parameter}
    for name, column in body.items():
        if name.lower() in {taken.lower() for taken in columns}:
            raise DocumentError(f"{stream.name}.{name}: collides with a stamped column")
        columns[name] = column
    for key in stream.primary_keys:
        if key not in columns:
            raise DocumentError(f"{stream.name}.{key}: a primary key without a column")
        columns[key]["type"] = next(kind for kind in columns[key]["type"] if kind != "null")
    return {
        "x-source-document": source,
        **({"x-omit": record.omit} if record.omit else {}),
        "type": "object",
        "properties": {name: _ordered(column) for name, column in columns.items()},
        "required": list(stream.primary_keys),
    }


class _Columns:
    """Turns the objects of one stream's document into columns."""

    def __init__(self, stream: str) -> None:
        self._stream = stream

    def of(self, node: Node, where: str) -> Json:
        """The columns of an object, the lifted ones beside or in place of their objects."""
        columns: Json = {}
        for name, child in node.properties.items():
            path = f"{where}.{name}" if where else name
            key = reference_key(name, child)
            if key is not None:
                lifted = column_name(name, key)
                column = self._schema(child.properties[key], f"{path}.{key}")
                self._put(columns, where, lifted, column | {"x-source": f"{name}.{key}"})
                if lifted.lower() == name.lower():
                    continue
            self._put(columns, where, name, self._schema(child, path))
        return columns

    def _put(self, columns: Json, where: str, name: str, column: Json) -> None:
        taken = next((other for other in columns if other.lower() == name.lower()), None)
        if taken is not None:
            sources = " and ".join(
                str(one.get("x-source", "a property")) for one in (columns[taken], column)
            )
            place = f"{self._stream}.{where}".rstrip(".")
            raise DocumentError(f"{place}: two columns named {name} ({sources})")
        path = f"{where}.{name}" if where else name
        if "description" not in column and (text := describe(self._stream, path)):
            column["description"] = text
        columns[name] = column

    def _schema(self, node: Node, path: str) -> Json:
        name = path.rpartition(".")[2]
        # A false boolean is left out by e-conomic, so at the top it is never unknown.
        plain = node.type == "boolean" and not node.nullable and path == name
        schema: Json = {"type": node.type if plain else [node.type, "null"]}
        if node.date:
            schema["format"] = self._date_format(name, path)
        if node.meaning and not describe(self._stream, path):
            schema["description"] = f"{node.meaning[0].upper()}{node.meaning[1:]}."
        if name in facts.VAT_CODES and node.type == "string":
            schema["x-trim"] = True
        if _is_link(node) or _says_nothing_more(name, node):
            schema["x-link"] = True
        if node.omit:
            schema["x-omit"] = node.omit
        if node.type == "object":
            schema["properties"] = {
                key: _ordered(value) for key, value in self.of(node, path).items()
            }
        if node.items is not None:
            schema["items"] = _ordered(self._schema(node.items, f"{path}[]"))
        return schema

    def _date_format(self, name: str, path: str) -> str:
        if name in facts.INSTANTS:
            return "date-time"
        if name in facts.CIVIL_DATES or f"{self._stream}.{path}" in facts.CIVIL_DATES:
            return "date"
        raise DocumentError(
            f"{self._stream}.{path}: a date that is not known to be an instant or a day; "
            "add it to INSTANTS or CIVIL_DATES in scripts/schema_update/facts.py"
        )


def _is_link(node: Node) -> bool:
    children = node.properties.values()
    return node.link or (bool(children) and all(_is_link(child) for child in children))


def _says_nothing_more(name: str, node: Node) -> bool:
    """Whether an object refers to an entity and holds only its key and links.

    The items of an array have no column beside them to hold their key, so they keep it.
    """
    key = None if name.endswith("[]") else reference_key(name, node)
    return key is not None and all(
        other == key or _is_link(child) for other, child in node.properties.items()
    )


def _nullable(kind: str | list[str]) -> list[str]:
    return [kind, "null"] if isinstance(kind, str) else kind


def _ordered(column: Json) -> Json:
    """The keywords of a column in the order in which one reads them."""
    order = (
        *("type", "format", "description"),
        *("x-source", "x-stamp", "x-trim", "x-link", "x-omit"),
        *("properties", "items"),
    )
    return {word: column[word] for word in order if word in column}
