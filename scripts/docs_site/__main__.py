"""Put the site's pages together: `python -m scripts.docs_site` writes them to `build/docs`.

What is written by hand in `docs/` is copied, what follows from the tap's declarations is added, and
`<!-- section: CHANGELOG.md, Heading -->` in a page becomes that section of the file, without its
heading. Nothing of it is kept in the repository, so nothing of it can be out of date. `mkdocs.yml`
builds the site from there.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

from scripts.docs_site.pages import linked, pages
from scripts.docs_site.sections import section

ROOT = Path(__file__).parent.parent.parent
BY_HAND = ROOT / "docs"

_PLACE = re.compile(r"<!-- section: ([^,]+), (.+?) -->")


def stage(folder: Path) -> None:
    """Put every page into a folder, which is emptied before.

    Raises:
        LookupError: a page wants a section that is not there.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(BY_HAND, folder)
    for path in folder.rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        whole = _PLACE.sub(_section, text)
        if whole != text:
            path.write_text(whole, encoding="utf-8")
    index = folder / "streams" / "index.md"
    index.write_text(linked(index.read_text(encoding="utf-8")), encoding="utf-8")
    for name, text in pages().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _section(place: re.Match[str]) -> str:
    return section((ROOT / place[1]).read_text(encoding="utf-8"), place[2])


def main() -> int:
    """Put the pages together."""
    parser = argparse.ArgumentParser(prog="python -m scripts.docs_site", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "docs")
    stage(parser.parse_args().folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
