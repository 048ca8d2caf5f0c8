"""Write the tap's schema files from e-conomic's published documents.

    python scripts/update_schemas.py DIR [--check]

DIR holds `rest/schemas/*.schema.json` (https://restapi.e-conomic.com/schema/) and
`openapi/specs/<module>.json` (each module's page on https://apis.e-conomic.com). Prints what
changes. With --check nothing is written, and differences exit with 1.
A document that says something this script must not guess about exits with 2, nothing written.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.schema_update.columns import build  # noqa: E402
from scripts.schema_update.documents import DocumentError, module_version, read  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    changed = 0
    for name, content in new.items():
        file, wanted = schemas / f"{name}.json", text(content)
        before = file.read_text("utf-8") if file.exists() else ""
        lines = unified_diff(before.splitlines(), wanted.splitlines(), name, name, lineterm="", n=1)
        print("\n".join(lines), end="\n" if before != wanted else "")
        changed += before != wanted
        if not options.check:
            file.write_text(wanted, encoding="utf-8")
    print(f"{changed} files {'differ' if options.check else 'changed'}.")
    return int(bool(changed) and options.check)


def plan(directory: Path, streams: Sequence[AnyStream], old: dict[str, Json]) -> dict[str, Json]:
    """The content of every schema file by name; one whose document is missing is not among them.

    Raises:
        DocumentError: all that the documents say and this script must not guess about.
    """
    new: dict[str, Json] = {}
    errors = []
    for stream in streams:
        try:
            document = read(directory, stream)
            if document is None:
                print(f"{stream.name}: its document is missing; the file stays as it is")
                continue
            parent = {**old, **new}.get(stream.parent.name) if stream.parent else None
            new[stream.name] = build(stream, *document, parent)
        except DocumentError as error:
            errors.append(str(error))
    if errors:
        raise DocumentError("\n".join(errors))
    before = old.get(MODULES, {})
    names = sorted({it.module for it in streams if hasattr(it, "module")}, key=str.lower)
    versions = {name: module_version(directory, name) or before.get(name) for name in names}
    new[MODULES] = {name: version for name, version in versions.items() if version}
    return new


def text(content: Json) -> str:
    """A file's text: indented by two, lists of words on one line."""
    indented = json.dumps(content, indent=2, ensure_ascii=False)
    words = re.compile(r"\[\s+((?:\"[^\"]*\",?\s+)+)\]")
    return words.sub(lambda found: f"[{' '.join(found[1].split())}]", indented) + "\n"


if __name__ == "__main__":
    sys.exit(main())
