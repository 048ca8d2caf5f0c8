"""The generated pages: settings, and one page per domain of streams, as Markdown."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from scripts.docs_site.calls import calls, later
from scripts.docs_site.domains import DOMAINS, page_of
from scripts.docs_site.pictures import file_of
from scripts.docs_site.relations import columns, relations
from scripts.update_docs import REPLICATION_WORDS, own_and_built_in, settings_facts
from tap_visma_economic.access import paid_module_of, roles_of
from tap_visma_economic.client import OpenApiStream

if TYPE_CHECKING:
    from scripts.docs_site.domains import AnyStream, Domain
    from scripts.docs_site.relations import Relation

MEANINGS: dict[str, str] = yaml.safe_load(
    Path(__file__).with_name("meanings.yml").read_text(encoding="utf-8")
)

ROLE_NAMES = {"ProjectEmployee": "Project employee"}


def pages() -> dict[str, str]:
    """Return every generated page by its path below `docs/`."""
    streams = {f"streams/{domain.slug}.md": domain_page(domain) for domain in DOMAINS}
    return {"settings.md": settings_page(), **streams}


def settings_page() -> str:
    """Return the page of settings."""
    own, built_in = own_and_built_in()
    sections = "\n".join(
        f"## {name}\n\n{facts}, `TAP_VISMA_ECONOMIC_{name.upper()}`\n\n{about}\n"
        for name, facts, about in settings_facts(own)
    )
    names = ", ".join(f"`{name}`" for name in built_in)
    return f"""# Settings

Only the two tokens have to be set: see [Connect a company](connect.md).

In a file for `--config`, and below `config:` in Meltano, settings have the names below. In the
environment, and in Meltano's `.env`, they have those that begin with `TAP_VISMA_ECONOMIC_`; lists
and objects are JSON: see [Environment](running/environment.md).

{sections}
## Settings of the SDK

{names}: see [its documentation](https://sdk.meltano.com).
"""


def linked(text: str) -> str:
    """Return the page of all streams as the site has it.

    Each stream, and each group of them, leads to its page. Those pages are not in the repository,
    so there is no link there, and the tables tell more.
    """
    begin, end = text.index("streams: begin"), text.index("<!-- streams: end")
    tables = "\n".join(map(_short, text[begin:end].split("\n")))
    for domain in DOMAINS:
        tables = tables.replace(
            f"## {domain.title}\n\n{domain.about}.",
            f"## {domain.title}\n\n{domain.about}: "
            f"[every column, and how they join]({domain.slug}.md).",
        )
    return text[:begin] + tables + text[end:]


def _short(line: str) -> str:
    """Return a line, of a table with its link and without the columns for key and API."""
    if not line.startswith("|"):
        return line
    cells = line.strip("|").split("|")
    name, star, rest = cells[0].strip(" ").partition(" ")
    if name.startswith("`"):
        cells[0] = f" {_link(name.strip('`'))}{star}{rest} "
    return f"|{'|'.join([*cells[:2], cells[-2]])}|"


def domain_page(domain: Domain) -> str:
    """Return the page of one domain."""
    return "\n".join(
        [
            f"# {domain.title}",
            "",
            f"{domain.about}. [How to read this page](index.md#how-to-read-the-pages).",
            "",
            _picture(domain),
            "",
            *[_stream(stream) for stream in domain.streams],
        ]
    )


def _picture(domain: Domain) -> str:
    svg = file_of(domain).read_text(encoding="utf-8").partition("\n")[2]
    return f'<div class="er" markdown="0" tabindex="0">\n{svg}</div>'


def _stream(stream: AnyStream) -> str:
    doc = " ".join((stream.__doc__ or "").split())
    parts = [
        f"## {stream.name} {{ #{stream.name} }}",
        "",
        doc,
        "",
        *[f"- **{name}**: {fact}" for name, fact in _facts(stream) if fact],
        "",
        *_joins(stream),
        *_columns(stream),
        "",
    ]
    return "\n".join(parts)


def _facts(stream: AnyStream) -> list[tuple[str, str]]:
    key = ", ".join(f"`{column}`" for column in stream.primary_keys if column != "agreementNumber")
    paid = paid_module_of(stream)
    return [
        ("Key", key or "`agreementNumber` alone"),
        ("Read again", _replication(stream)),
        ("Role", _roles(stream)),
        ("Module", f"{paid.name} (the company pays for it)" if paid else ""),
        ("Calls", calls(stream)),
        ("Calls of a later run", later(stream)),
        ("Endpoint", f"`{stream.path}` of {_api(stream)}"),
        ("Offered", "" if stream.selected_by_default else "only with `all_streams: true`"),
    ]


def _replication(stream: AnyStream) -> str:
    key = stream.replication_key
    words = REPLICATION_WORDS[stream.replication] if isinstance(key, str) else "full"
    if not isinstance(key, str):
        return words
    if words == "full":
        return f"full; a catalog may choose INCREMENTAL by `{key}`"
    return f"{words}, by `{key}`"


def _roles(stream: AnyStream) -> str:
    roles = roles_of(stream)
    return ", ".join(ROLE_NAMES.get(role, role) for role in roles) if roles else ""


def _api(stream: AnyStream) -> str:
    if issubclass(stream, OpenApiStream):
        return f"the OpenAPI module `{stream.module}`"
    return "the REST API"


@cache
def _relations() -> dict[str, dict[str, Relation]]:
    found: dict[str, dict[str, Relation]] = {}
    for relation in relations():
        found.setdefault(relation.stream, {})[relation.column] = relation
    return found


def _joins(stream: AnyStream) -> list[str]:
    own = _relations().get(stream.name, {})
    if not own:
        return []
    rows = [
        f"| `{relation.column}` | {_link(relation.target)} `.{relation.key}` | "
        f"{_remark(relation)} |"
        for relation in own.values()
    ]
    return ["| Join key | Names a row of | |", "|---|---|---|", *rows, ""]


def _remark(relation: Relation) -> str:
    if relation.only:
        return f"where `type` is {' or '.join(map(str, relation.only))}"
    return "" if relation.proven else "assumed, not promised by e-conomic"


def _link(stream: str) -> str:
    return f"[{stream}]({page_of(stream)[0]}.md#{stream})"


def _columns(stream: AnyStream) -> list[str]:
    table = columns(stream.name)
    rows = [
        f"    | `{name}` | {type_of(column)} | {meaning(stream, name, column)} |"
        for name, column in table.items()
    ]
    head = [f'??? abstract "{len(table)} columns"', "", "    | Column | Type | Meaning |"]
    return [*head, "    |---|---|---|", *rows]


def type_of(column: dict[str, Any]) -> str:
    """Return a column's type as a reader of tables knows it."""
    types = column.get("type", "any")
    plain = [types] if isinstance(types, str) else [kind for kind in types if kind != "null"]
    formats = {"date": "date", "date-time": "timestamp"}
    if plain == ["string"] and column.get("format") in formats:
        return formats[column["format"]]
    names = {"number": "decimal", "object": "JSON object", "array": "JSON list"}
    return " or ".join(names.get(kind, kind) for kind in plain)


def meaning(stream: AnyStream, name: str, column: dict[str, Any]) -> str:
    """Return what a column means.

    Raises:
        KeyError: neither the schema nor a join key nor `meanings.yml` says it.
    """
    relation = _relations().get(stream.name, {}).get(name)
    own = f"{stream.name}.{name}"
    if own in MEANINGS:
        text = MEANINGS[own]
    elif "description" in column:
        text = column["description"]
    elif relation:
        text = f"Names a row of {_link(relation.target)}."
    elif name in MEANINGS:
        text = MEANINGS[name]
    elif name in stream.primary_keys:
        text = "Identifies the row."
    else:
        raise KeyError(own)
    return " ".join(str(text).split()).replace("|", "\\|")
