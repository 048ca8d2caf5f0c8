"""One entity-relationship picture per domain, drawn by Graphviz and kept as SVG.

`python -m scripts.docs_site.pictures` draws those whose source has changed; it needs `dot`
(`apt-get install graphviz`). Building the site does not: the drawings are in the repository, each
with the fingerprint of its source, which a test compares.
"""

from __future__ import annotations

import hashlib
import html
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.docs_site.domains import DOMAINS, page_of
from scripts.docs_site.relations import relations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts.docs_site.domains import Domain
    from scripts.docs_site.relations import Relation

FOLDER = Path(__file__).parent / "pictures"

ALWAYS = {"accounts", "booked_entries", "customers", "invoices_booked", "products", "projects"}
"""Streams that are shown beside another domain's; the others would make a picture of everything."""

HEAD = """digraph {
  graph [rankdir=LR, bgcolor=transparent, nodesep=0.25, ranksep=1.1, pad=0.1, splines=spline]
  node [shape=plain, fontname="Courier", fontsize=11]
  edge [arrowsize=0.6, penwidth=0.8]
"""


def drawn(domain: Domain) -> list[Relation]:
    """Return the relations that a domain's picture shows: among the default streams.

    What a stream says of itself, such as the contra account of an account, is left to the tables.
    """
    own = {stream.name for stream in domain.streams if stream.selected_by_default}
    return [
        relation
        for relation in relations()
        if relation.stream in own and relation.target in (own | ALWAYS) - {relation.stream}
    ]


def source(domain: Domain) -> str:
    """Return a domain's picture in Graphviz's language."""
    shown = drawn(domain)
    names = [stream.name for stream in domain.streams if stream.selected_by_default]
    beside = sorted({relation.target for relation in shown} - set(names))
    lines = [_node(domain, name, shown) for name in (*names, *beside)]
    lines += [_edge(relation) for relation in shown]
    return HEAD + "\n".join(lines) + "\n}\n"


def fingerprint(text: str) -> str:
    """Return what tells one source from another."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_of(domain: Domain) -> Path:
    """Return where a domain's picture is kept."""
    return FOLDER / f"{domain.slug}.svg"


def stale() -> Iterator[Domain]:
    """Yield the domains whose picture was not drawn from what the declarations say now."""
    for domain in DOMAINS:
        path, mark = file_of(domain), f"source {fingerprint(source(domain))}"
        if not path.exists() or mark not in path.read_text(encoding="utf-8"):
            yield domain


def _node(domain: Domain, name: str, shown: Iterable[Relation]) -> str:
    """Return a table: the stream's name, its key, and the columns that name other rows."""
    page, keys = page_of(name)
    href = f"#{name}" if page == domain.slug else f"{page}.md#{name}"
    columns = [column for column in keys if column != "agreementNumber"]
    joins = [relation.column for relation in shown if relation.stream == name]
    named = [relation.key for relation in shown if relation.target == name]
    rows = [_row(column, key=True) for column in columns]
    rows += [_row(c, key=False) for c in dict.fromkeys((*joins, *named)) if c not in columns]
    head = f'<TR><TD HREF="{href}" BGCOLOR="#e0e0e0"><B>{html.escape(name)}</B></TD></TR>'
    table = '<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="4">'
    return f"  {name} [label=<{table}{head}{''.join(rows)}</TABLE>>]"


def _row(column: str, *, key: bool) -> str:
    text = f"<U>{column}</U>" if key else column
    return f'<TR><TD PORT="{column}" ALIGN="LEFT">{text}</TD></TR>'


def _edge(relation: Relation) -> str:
    style = "" if relation.proven else " [style=dashed]"
    return f"  {relation.stream}:{relation.column} -> {relation.target}:{relation.key}{style}"


def draw(domain: Domain) -> str:
    """Return a domain's picture as SVG that takes its colours from the page.

    Raises:
        CalledProcessError: `dot` refuses the source.
        FileNotFoundError: there is no `dot`.
    """
    text = source(domain)
    drawing = subprocess.run(
        ["dot", "-Tsvg"],  # noqa: S607
        input=text,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    svg = drawing[drawing.index("<svg") :]
    svg = re.sub(r"<!--.*?-->\n?|<title>.*?</title>\n?", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xlink:title="[^"]*"| id="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = svg.replace('font-family="Courier,monospace"', 'font-family="monospace"')
    svg = svg.replace('"black"', '"currentColor"').replace('"#e0e0e0"', '"currentColor" ')
    svg = svg.replace(
        'fill="currentColor"  stroke', 'fill-opacity="0.12" fill="currentColor" stroke'
    )
    label = f"Join keys of: {domain.about}"
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1)
    return f"<!-- source {fingerprint(text)}; drawn by scripts.docs_site.pictures -->\n{svg}"


def main() -> int:
    """Draw what is out of date."""
    FOLDER.mkdir(exist_ok=True)
    for domain in list(stale()):
        file_of(domain).write_text(draw(domain), encoding="utf-8")
        print(f"{file_of(domain).name}: drawn")
    return 0


if __name__ == "__main__":
    sys.exit(main())
