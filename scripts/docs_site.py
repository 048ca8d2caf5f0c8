"""Put the site's pages together: `python -m scripts.docs_site` writes them to `build/docs`.

The pages of `docs/` are copied, those that follow from the tap's declarations are added, and
`<!-- section: CHANGELOG.md, Heading -->` in a page becomes that section of the file, without its
heading. `mkdocs.yml` builds the site from there.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from scripts.hub_definition import ROOT
from scripts.streams_page import DOMAINS, domain_page, linked
from scripts.update_docs import default, kind_cell, names_of, own_and_built_in

_PLACE = re.compile(r"<!-- section: ([^,]+), (.+?) -->")
_FENCED_OR_HEADING = re.compile(r"^(```+|~~~+).*?^\1$|^(#+) ([^\n]+)$", re.MULTILINE | re.DOTALL)


def stage(folder: Path) -> None:
    """Put every page into a folder, which is emptied before."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder)
    for path in folder.rglob("*.md"):
        text = _PLACE.sub(_section, path.read_text(encoding="utf-8"))
        path.write_text(linked(text) if path.parent.name == "streams" else text, encoding="utf-8")
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """Return every generated page by its path below `docs/`."""
    streams = {f"streams/{slug}.md": domain_page(slug) for slug in DOMAINS}
    return {"settings.md": settings_page(), **streams}


def settings_page() -> str:
    """Return the page of settings."""
    own, built_in = own_and_built_in()
    sections = []
    for name, it in own.items():
        value = f", default {default(it)}" if "default" in it else ""
        facts = f"*{kind_cell(it)}*{value}, `TAP_VISMA_ECONOMIC_{name.upper()}`"
        sections.append(f"## {name}\n\n{facts}\n\n{it['description'].strip()}\n")
    return f"""# Settings

Only the two tokens have to be set: see [Connect a company](connect.md).

In a file for `--config`, and below `config:` in Meltano, settings have the names below. In the
environment, and in Meltano's `.env`, they have those that begin with `TAP_VISMA_ECONOMIC_`; lists
and objects are JSON: see [Environment](running/environment.md).

{chr(10).join(sections)}
## Settings of the SDK

{names_of(built_in)}: see [its documentation](https://sdk.meltano.com).
"""


def _section(place: re.Match[str]) -> str:
    return section((ROOT / place[1]).read_text(encoding="utf-8"), place[2])


def section(text: str, heading: str) -> str:
    """Return the text below a heading, up to the next one of the same rank or a higher one.

    Raises:
        LookupError: there is no such heading.
    """
    headings = [found for found in _FENCED_OR_HEADING.finditer(text) if found[2]]
    for place, found in enumerate(headings):
        if found[3].strip() == heading:
            later = (it.start() for it in headings[place + 1 :] if len(it[2]) <= len(found[2]))
            return text[found.end() : next(later, len(text))].strip() + "\n"
    raise LookupError(f"there is no heading {heading!r}")


if __name__ == "__main__":
    stage(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "build" / "docs")
