"""From the record of a document to the columns of a stream.

The rules in short: an object that refers to another entity gives that entity's key to a column
beside it; links are marked; instants and days are told apart; what is not a key may be null.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from scripts.schema_update.documents import FACTS, DocumentError

if TYPE_CHECKING:
    from scripts.schema_update.documents import AnyStream, Node

Json = dict[str, Any]

DESCRIPTIONS: dict[str, str] = yaml.safe_load(
    Path(__file__).with_name("descriptions.yml").read_text(encoding="utf-8")
)
AGREEMENT_NUMBER = "The company (agreement) the record was read from."
PARAMETER = "Taken from the address of the listing the record came from."
KEYWORDS = (
    *("type", "format", "description", "x-source", "x-stamp", "x-trim", "x-link", "x-omit"),
    *("properties", "items"),
)
"""The keywords of a column in the order in which one reads them."""


def describe(stream: str, path: str) -> str | None:
    """The description of a property of a stream, by its dotted path, or none."""
    return DESCRIPTIONS.get(f"{stream}.{path}") or DESCRIPTIONS.get(path.rpartition(".")[2])


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


def build(stream: AnyStream, source: str, record: Node, parent: Json | None) -> Json:
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
    body = _columns(stream.name, record)
    columns: Json = {
        "agreementNumber": body.pop("agreementNumber", {"type": ["integer", "null"]})
        | {"description": describe(stream.name, "agreementNumber") or AGREEMENT_NUMBER}
    }
    for parameter, parent_column in stream.path_params.items():
        name = FACTS["parameter_columns"].get(parameter, parameter)
        column = body.pop(name, None) or _parameter(stream, name, parent_column, parent)
        description = describe(stream.name, name) or PARAMETER
        columns[name] = column | {"description": description, "x-stamp": parameter}
    for name, column in body.items():
        _put(columns, name, column, stream.name)
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


def _parameter(stream: AnyStream, name: str, column: Any, parent: Json | None) -> Json:
    if not isinstance(column, str):  # a path parameter of fixed values
        return {"type": ["string", "null"]}
    if parent is None:
        raise DocumentError(f"{stream.name}.{name}: its parent has no schema to type it")
    kind = parent["properties"][column]["type"]
    return {"type": [kind, "null"] if isinstance(kind, str) else kind}


def _columns(stream: str, node: Node, where: str = "") -> Json:
    """The columns of an object, the lifted ones beside or in place of their objects."""
    columns: Json = {}
    for name, child in node.properties.items():
        key = _reference_key(name, child)
        if key is not None:
            lifted = column_name(name, key)
            column = _schema(stream, child.properties[key], f"{where}{lifted}")
            _put(columns, lifted, column | {"x-source": f"{name}.{key}"}, f"{stream}.{where}")
            if lifted.lower() == name.lower():
                continue
        _put(columns, name, _schema(stream, child, f"{where}{name}"), f"{stream}.{where}")
    return columns


def _put(columns: Json, name: str, column: Json, where: str) -> None:
    taken = next((other for other in columns if other.lower() == name.lower()), None)
    if taken is not None:
        sources = " and ".join(
            str(one.get("x-source", "a property")) for one in (columns[taken], column)
        )
        raise DocumentError(f"{where.rstrip('.')}: two columns named {name} ({sources})")
    columns[name] = column


def _schema(stream: str, node: Node, path: str) -> Json:
    """The schema of the column at a path."""
    name = path.rpartition(".")[2]
    # A false boolean is left out by e-conomic, so at the top it is never unknown.
    plain = node.type == "boolean" and not node.nullable and path == name
    schema: Json = {"type": node.type if plain else [node.type, "null"]}
    if node.date:
        schema["format"] = _date_format(stream, path)
    meaning = f"{node.meaning[0].upper()}{node.meaning[1:]}." if node.meaning else None
    if description := describe(stream, path) or meaning:
        schema["description"] = description
    if name in FACTS["vat_codes"] and node.type == "string":
        schema["x-trim"] = True
    if _is_link(node) or _says_nothing_more(name, node):
        schema["x-link"] = True
    if node.omit:
        schema["x-omit"] = node.omit
    if node.type == "object":
        inner = _columns(stream, node, f"{path}.")
        schema["properties"] = {key: _ordered(value) for key, value in inner.items()}
    if node.items is not None:
        schema["items"] = _ordered(_schema(stream, node.items, f"{path}[]"))
    return schema


def _date_format(stream: str, path: str) -> str:
    name = path.rpartition(".")[2]
    if name in FACTS["instants"]:
        return "date-time"
    if {name, f"{stream}.{path}"} & set(FACTS["days"]):
        return "date"
    raise DocumentError(
        f"{stream}.{path}: a date that is not known to be an instant or a day; "
        "add it to instants or days in scripts/schema_update/facts.yml"
    )


def _reference_key(prop: str, node: Node) -> str | None:
    """The key of the entity an object refers to, or None where it refers to none.

    A reference carries a link to the entity, `self`, beside the entity's key.
    """
    if node.type != "object" or "self" not in node.properties or prop in FACTS["value_objects"]:
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


def _is_link(node: Node) -> bool:
    children = node.properties.values()
    return node.link or (bool(children) and all(_is_link(child) for child in children))


def _says_nothing_more(name: str, node: Node) -> bool:
    """Whether an object refers to an entity and holds only its key and links.

    The items of an array have no column beside them to hold their key, so they keep it.
    """
    key = None if name.endswith("[]") else _reference_key(name, node)
    return key is not None and all(
        other == key or _is_link(child) for other, child in node.properties.items()
    )


def _ordered(column: Json) -> Json:
    return {word: column[word] for word in KEYWORDS if word in column}
