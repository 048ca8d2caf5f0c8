"""Write the tap's schema files from e-conomic's published documents.

    python scripts/update_schemas.py DIR [--check]

DIR holds `rest/schemas/*.schema.json` (https://restapi.e-conomic.com/schema/) and
`openapi/specs/<module>.json` (each module's page on https://apis.e-conomic.com). Prints what
changes, stream by stream. With --check nothing is written, and differences exit with 1.
A document that says something this script must not guess about exits with 2, nothing written.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.schema_update.columns import build  # noqa: E402
from scripts.schema_update.documents import DocumentError, module_version, read  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scripts.schema_update.documents import AnyStream

Json = dict[str, Any]

SCHEMAS = ROOT / "tap_visma_economic" / "schemas"
MODULES = "modules"


def main(
    arguments: Sequence[str] | None = None,
    *,
    streams: Sequence[AnyStream] = (),
    schemas: Path = SCHEMAS,
) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path, metavar="DIR", help="the published documents")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 on differences")
    options = parser.parse_args(arguments)
    if not streams:
        from tap_visma_economic.streams import STREAMS as streams  # noqa: PLC0415, N811  slow

    old = {file.stem: json.loads(file.read_text("utf-8")) for file in schemas.glob("*.json")}
    try:
        new = plan(options.directory, streams, old)
    except DocumentError as error:
        print(f"Refused, nothing written:\n{error}", file=sys.stderr)
        return 2
    files = {schemas / f"{name}.json": text(content) for name, content in new.items()}
    files = {
        file: wanted
        for file, wanted in files.items()
        if not file.exists() or file.read_text("utf-8") != wanted
    }
    if not files:
        print("Nothing changed.")
    elif not options.check:
        for file, wanted in files.items():
            file.write_text(wanted, encoding="utf-8")
        print(f"{len(files)} files written.")
    return int(bool(files) and options.check)


def plan(directory: Path, streams: Sequence[AnyStream], old: dict[str, Json]) -> dict[str, Json]:
    """The content of every schema file by name; prints how it differs from what is there.

    Raises:
        DocumentError: all that the documents say and this script must not guess about.
    """
    new: dict[str, Json] = {}
    errors = []
    for stream in streams:
        try:
            document = read(directory, stream)
            if document is None:
                _tell(stream.name, ["its document is missing; the file stays as it is"])
                continue
            parent = {**old, **new}.get(stream.parent.name) if stream.parent else None
            new[stream.name] = build(stream, *document, parent)
        except DocumentError as error:
            errors.append(str(error))
            continue
        if stream.name in old:
            _tell(stream.name, compare(old[stream.name], new[stream.name]))
        else:
            _tell(stream.name, [f"new, {len(new[stream.name]['properties'])} columns"])
    if errors:
        raise DocumentError("\n".join(errors))
    before = old.get(MODULES, {})
    names = sorted({it.module for it in streams if hasattr(it, "module")}, key=str.lower)
    versions = {name: module_version(directory, name) or before.get(name) for name in names}
    new[MODULES] = {name: version for name, version in versions.items() if version}
    for name, version in new[MODULES].items():
        if version != before.get(name):
            _tell(name, [f"version {before.get(name, 'none')} -> {version}"])
    return new


def compare(old: Json, new: Json) -> Iterator[str]:
    """One line per difference between two schema files of a stream."""
    before, after = dict(_flatten(old, "")), dict(_flatten(new, ""))
    yield from (f"added {path}: {_kind(after[path])}" for path in after if path not in before)
    yield from (f"removed {path}: {_kind(before[path])}" for path in before if path not in after)
    for path, column in after.items():
        was = before.get(path, column)
        if _kind(was) != _kind(column):
            yield f"changed {path}: {_kind(was)} -> {_kind(column)}"
        for word in sorted((was.keys() | column.keys()) - {"type", "format"}):
            if was.get(word) != column.get(word):
                yield f"changed {path}: {word} {was.get(word)} -> {column.get(word)}"
    for word in ("x-source-document", "x-omit", "required"):
        if old.get(word) != new.get(word):
            yield f"{word}: {old.get(word)} -> {new.get(word)}"
    if list(before) != list(after) and sorted(before) == sorted(after):
        yield "the order of the columns"


def _flatten(schema: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Every property below a schema, by its dotted path, without what is below it."""
    below = {f"{path}.{name}": column for name, column in schema.get("properties", {}).items()}
    if "items" in schema:
        below[f"{path}[]"] = schema["items"]
    for name, column in below.items():
        own = {word: it for word, it in column.items() if word not in {"properties", "items"}}
        yield name.removeprefix("."), own
        yield from _flatten(column, name)


def _kind(column: Json) -> str:
    kinds = column["type"]
    kind = kinds if isinstance(kinds, str) else " or ".join(kinds)
    return f"{kind} ({column['format']})" if "format" in column else kind


def _tell(name: str, changes: Iterable[str]) -> None:
    if lines := [f"  {change}" for change in changes]:
        print(name, *lines, sep="\n")


def text(content: Json) -> str:
    """A file's text: indented by two, lists of words on one line."""
    indented = json.dumps(content, indent=2, ensure_ascii=False)
    words = re.compile(r"\[\s+((?:\"[^\"]*\",?\s+)+)\]")
    return words.sub(lambda found: f"[{' '.join(found[1].split())}]", indented) + "\n"


if __name__ == "__main__":
    sys.exit(main())
