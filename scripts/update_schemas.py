"""Write the tap's schema files from e-conomic's published documents.

    python scripts/update_schemas.py DIR [--check]

DIR holds `rest/schemas/*.schema.json` (https://restapi.e-conomic.com/schema/) and
`openapi/specs/<module>.json` (each module's page on https://apis.e-conomic.com). Prints what
changes, stream by stream. With --check nothing is written, and differences exit with 1.
A document that says something this script must not guess about exits with 2, nothing written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.schema_update.files import plan  # noqa: E402
from scripts.schema_update.tree import DocumentError, Stream  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMAS = ROOT / "tap_visma_economic" / "schemas"


def tap_streams() -> list[Stream]:
    """The facts about every stream, from the tap's own declarations."""
    from tap_visma_economic.streams import STREAMS  # noqa: PLC0415 - slow, and not for --help

    declared: tuple[Any, ...] = STREAMS  # the SDK types names and keys for instances only
    return [
        Stream(
            name=stream.name,
            module=getattr(stream, "module", None),
            path=stream.path,
            primary_keys=tuple(stream.primary_keys),
            parent=stream.parent.name if stream.parent else None,
            path_params={
                parameter: source if isinstance(source, str) else None
                for parameter, source in stream.path_params.items()
            },
        )
        for stream in declared
    ]


def main(
    arguments: Sequence[str] | None = None,
    *,
    streams: Sequence[Stream] | None = None,
    schemas: Path = SCHEMAS,
) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path, metavar="DIR", help="the published documents")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 on differences")
    options = parser.parse_args(arguments)
    try:
        planned = plan(options.directory, tap_streams() if streams is None else streams, schemas)
    except DocumentError as error:
        print(f"Refused, nothing written:\n{error}", file=sys.stderr)
        return 2
    for line in planned.report:
        print(line)
    if not planned.files:
        print("Nothing changed.")
        return 0
    if options.check:
        return 1
    for name, text in planned.files.items():
        (schemas / name).write_text(text, encoding="utf-8")
    print(f"{len(planned.files)} files written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
