"""The schema files as they are and as they should be."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scripts.schema_update.changes import compare
from scripts.schema_update.columns import build
from scripts.schema_update.documents import read
from scripts.schema_update.openapi import module_version
from scripts.schema_update.tree import DocumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from scripts.schema_update.tree import Stream

Json = dict[str, Any]
MODULES = "modules.json"


@dataclass
class Plan:
    """The files to write, by name, and what to tell about them."""

    files: dict[str, str] = field(default_factory=dict)
    report: list[str] = field(default_factory=list)


def plan(directory: Path, streams: Sequence[Stream], schemas: Path) -> Plan:
    """Build every schema file and compare it with the one that is there.

    Raises:
        DocumentError: All that the documents say and this script must not guess about.
    """
    planned, built, errors = Plan(), _committed(streams, schemas), []
    for stream in streams:
        parent = built.get(stream.parent) if stream.parent else None
        try:
            document = read(directory, stream)
            if document is None:
                _tell(planned, stream.name, ["its document is missing; the file stays as it is"])
                continue
            schema = build(stream, *document, parent)
        except DocumentError as error:
            errors.append(str(error))
            continue
        old = built.get(stream.name)
        built[stream.name] = schema
        if old is None:
            _tell(planned, stream.name, [f"new, {len(schema['properties'])} columns"])
        elif changes := list(compare(old, schema)):
            _tell(planned, stream.name, changes)
        _put(planned, schemas, f"{stream.name}.json", schema)
    if errors:
        raise DocumentError("\n".join(errors))
    _plan_modules(planned, directory, streams, schemas)
    return planned


def text(content: Json) -> str:
    """A file's text: indented by two, lists of words on one line."""
    indented = json.dumps(content, indent=2, ensure_ascii=False)
    return re.sub(r"\[\s+((?:\"[^\"]*\",?\s+)+)\]", _one_line, indented) + "\n"


def _one_line(found: re.Match[str]) -> str:
    return f"[{' '.join(found[1].split())}]"


def _committed(streams: Sequence[Stream], schemas: Path) -> dict[str, Json]:
    files = {stream.name: schemas / f"{stream.name}.json" for stream in streams}
    return {
        name: json.loads(file.read_text(encoding="utf-8"))
        for name, file in files.items()
        if file.exists()
    }


def _plan_modules(planned: Plan, directory: Path, streams: Sequence[Stream], schemas: Path) -> None:
    file = schemas / MODULES
    old: dict[str, str] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    new = {}
    for module in sorted({stream.module for stream in streams if stream.module}, key=str.lower):
        version = module_version(directory, module) or old.get(module)
        if version is None:
            continue
        new[module] = version
        if version != old.get(module):
            _tell(planned, module, [f"version {old.get(module, 'none')} -> {version}"])
    _put(planned, schemas, MODULES, new)


def _tell(planned: Plan, name: str, changes: list[str]) -> None:
    planned.report.extend((name, *(f"  {change}" for change in changes)))


def _put(planned: Plan, schemas: Path, name: str, content: Json) -> None:
    file, wanted = schemas / name, text(content)
    if not file.exists() or file.read_text(encoding="utf-8") != wanted:
        planned.files[name] = wanted
