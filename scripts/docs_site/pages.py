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
    return {"settings.md": settings_page(), "streams/index.md": index_page(), **streams}


def settings_page() -> str:
    """Return the page of settings."""
    own, built_in = own_and_built_in()
    sections = "\n".join(
        f"## {name}\n\n{facts}\n\n{about}\n" for name, facts, about in settings_facts(own)
    )
    names = ", ".join(f"`{name}`" for name in built_in)
    return f"""# Settings

In a file for `--config`, and below `config:` in Meltano, settings have the names below. In the
environment they are in capitals behind `TAP_VISMA_ECONOMIC_`, lists and objects as JSON: see
[Environment](running/environment.md).

{sections}
## Settings of the SDK

{names}: see [its documentation](https://sdk.meltano.com).
"""


def index_page() -> str:
    """Return the page that lists every domain and its streams."""
    count = sum(len(domain.streams) for domain in DOMAINS)
    default = sum(s.selected_by_default for domain in DOMAINS for s in domain.streams)
    return "\n".join(
        [
            "# Streams",
            "",
            f"{count} streams, {default} of them by default. Those in italics are only there with",
            "`all_streams: true`: twins of another stream, or one call per customer, product or",
            "invoice. Every table has the column `agreementNumber`, the number of the company, and",
            "every key begins with it.",
            "",
            *[_index_entry(domain) for domain in DOMAINS],
            _HOW_TO_READ,
        ]
    )


_HOW_TO_READ = """
## How to read the pages

- **Key**: the columns that identify a row, beside `agreementNumber`.
- **Read again**: what a later run reads. [What a run guarantees](../guarantees.md) explains the
  words.
- **Role**: which role of the app may read it. SuperUser may read everything. Where e-conomic does
  not say, the page does not either.
- **Calls**: what one full reading costs. e-conomic's fair use is 50,000 calls a day and company.
- **Join keys**: the columns that name a row of another stream. Join by `agreementNumber` too.
- In the pictures keys are underlined, and an arrow goes from a column to the key it names. A dashed
  arrow is a join that e-conomic's documents suggest and do not promise.
"""


def _index_entry(domain: Domain) -> str:
    names = ", ".join(
        f"[{s.name}]({domain.slug}.md#{s.name})"
        if s.selected_by_default
        else f"[*{s.name}*]({domain.slug}.md#{s.name})"
        for s in domain.streams
    )
    return f"**[{domain.title}]({domain.slug}.md)**: {domain.about}.\n\n: {names}\n"


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
