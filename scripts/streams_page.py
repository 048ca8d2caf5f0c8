"""What the documents say about streams, as Markdown: an index, and a page for each domain.

A domain is a module of `tap_visma_economic.streams`. What columns mean is in their schema, in
`joins.yml`, or in `meanings.yml`.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from tap_visma_economic import schemas
from tap_visma_economic.access import ANY, paid_module_of, roles_of
from tap_visma_economic.client import OpenApiStream
from tap_visma_economic.pagination import Paged, PagedUpward
from tap_visma_economic.replication import ByNumber
from tap_visma_economic.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

AnyStream = Any
"""A stream's class: the SDK types its attributes as an instance's."""

ALL: tuple[AnyStream, ...] = STREAMS

TITLES = {"agreement": "Agreement and master data"}
"""Titles of domains that are more than their name."""
ROWS_PER_CALL = {None: 1000, Paged: 100, PagedUpward: 100}
"""The largest page that e-conomic serves, by paginator."""


def _data(name: str) -> Any:
    return yaml.safe_load(Path(__file__).with_name(name).read_text(encoding="utf-8"))


MEANINGS: dict[str, str] = _data("meanings.yml")
JOINS = _data("joins.yml")

_DOMAIN_OF = {stream.name: stream.__module__.rpartition(".")[2] for stream in ALL}
DOMAINS: dict[str, list[AnyStream]] = {slug: [] for slug in _DOMAIN_OF.values()}
for _stream in ALL:
    DOMAINS[_DOMAIN_OF[_stream.name]].append(_stream)


def title(slug: str) -> str:
    """Return the title of a domain."""
    return TITLES.get(slug, slug.capitalize())


def about(slug: str) -> str:
    """Return what a domain is about, a sentence without its full stop."""
    return (sys.modules[DOMAINS[slug][0].__module__].__doc__ or "").strip().rstrip(".")


class Join(NamedTuple):
    """A column that refers to a row of another stream.

    `assumed` where e-conomic's documents do not say that the two numbers are equal; `only` are the
    values of the column `type` for which it does, empty for all.
    """

    stream: str
    column: str
    target: str
    key: str
    assumed: bool
    only: tuple[int, ...]


@cache
def joins() -> dict[str, dict[str, Join]]:
    """Return every join by stream and column. `agreementNumber` belongs to each of them."""
    found: dict[str, dict[str, Join]] = {stream.name: {} for stream in ALL}
    for stream, own in found.items():
        for column, facts in columns(stream).items():
            name = f"{stream}.{column}"
            joined = _named(name, column) if _can_be_key(facts) else None
            if joined and joined != name:
                target, _, key = joined.partition(".")
                assumed = bool({name, target} & set(JOINS["assumed"]))
                only = tuple(JOINS["only"].get(name, ()))
                own[column] = Join(stream, column, target, key, assumed, only)
    return found


def columns(stream: str) -> dict[str, dict[str, Any]]:
    """Return the columns of a stream as its table has them, without links."""
    schema = schemas.catalog_schema(schemas.load(stream), include_links=False)
    found: dict[str, dict[str, Any]] = schema["properties"]
    return found


def _types(column: dict[str, Any]) -> list[str]:
    types = column.get("type", "any")
    return [types] if isinstance(types, str) else [kind for kind in types if kind != "null"]


def _can_be_key(column: dict[str, Any]) -> bool:
    """Tell whether a column holds numbers or codes: `netAmountInBaseCurrency` is an amount."""
    return bool({"integer", "string"} & set(_types(column))) and "format" not in column


def _named(name: str, column: str) -> str | None:
    by_name: dict[str, str] = JOINS["by_name"]
    endings = [e for e in by_name if column == e or column.endswith(e[0].upper() + e[1:])]
    own: dict[str, str | None] = JOINS["by_stream"]
    return own[name] if name in own else by_name.get(max(endings, key=len, default=""))


def cell(text: str) -> str:
    """Return a text as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def key_of(stream: AnyStream) -> str:
    """Return a stream's key in words, without `agreementNumber` where there is more."""
    names = [f"`{column}`" for column in stream.primary_keys if column != "agreementNumber"]
    return ", ".join(names) or "`agreementNumber` alone"


def replication_of(stream: AnyStream) -> str:
    """Return what a later run reads, in words."""
    by = stream.replication
    if not by.key or by.opt_in:
        return "full"
    words = "timestamp"
    if isinstance(by, ByNumber):
        words = "number" + " and open" * bool(by.open_items) + " and changes" * bool(by.changelog)
    return f"{words}, `{by.key}`"


def calls(stream: AnyStream) -> str:
    """Return what one full reading of a stream costs, in words."""
    if stream.is_self:
        return "none of its own: every run begins with it"
    pages = None if stream.is_single_object else ROWS_PER_CALL.get(stream.paginator_class)
    fixed = [values for values in stream.path_params.values() if isinstance(values, tuple)]
    below = [f"for each of {', '.join(values)}" for values in fixed]
    below += [f"for each row of {_link(stream.parent.name)}"] if stream.parent else []
    words = f", {' and '.join(below)}" if below else ""
    return (f"1 per {pages:,} rows" if pages else "1") + words


def index() -> str:
    """Return the tables of docs/streams/index.md, one per domain."""
    lines = []
    for slug, streams in DOMAINS.items():
        lines += [f"## {title(slug)}", "", f"{about(slug)}.", ""]
        lines += ["| Stream | What it holds | Read again |", "|---|---|---|"]
        for stream in streams:
            what = cell((stream.__doc__ or "").strip().splitlines()[0])
            name = _link(stream.name) + " *" * stream.opt_in
            lines.append(f"| {name} | {what} | {replication_of(stream)} |")
        lines.append("")
    return "\n".join(lines)


def _marked(stream: AnyStream) -> str:
    return f"`{stream.name}`" if not stream.opt_in else f"`{stream.name}` *"


def access_table() -> str:
    """Return the table of docs/access.md: streams by the role and the paid module they need."""
    needed: dict[tuple[str, str], list[str]] = {}
    for stream in ALL:
        roles, module = roles_of(stream), paid_module_of(stream)
        words = "not documented" if roles is None else " or ".join(roles)
        words = "any" if roles and set(roles) == set(ANY) else words
        needed.setdefault((words, module.name if module else "none"), []).append(_marked(stream))
    head = ["| Role of the app | Paid module | Streams |", "|---|---|---|"]
    rows = [f"| {role} | {paid} | {', '.join(names)} |" for (role, paid), names in needed.items()]
    return "\n".join([*head, *sorted(rows), ""])


def _link(stream: str) -> str:
    return f"[`{stream}`]({_DOMAIN_OF[stream]}.md#{stream})"


def domain_page(slug: str) -> str:
    """Return the page of one domain: every stream with its facts and columns."""
    lines = [f"# {title(slug)}", "", "<!-- written by scripts/update_docs.py -->", ""]
    lines += [f"{about(slug)}. [How to read this page](index.md#how-to-read-the-pages).", ""]
    for stream in DOMAINS[slug]:
        lines += [f"## {stream.name}", "", cell(stream.__doc__ or ""), ""]
        lines += [f"- **{name}**: {fact}" for name, fact in _facts(stream) if fact]
        lines += ["", "| Column | Type | Meaning |", "|---|---|---|"]
        for name, column in columns(stream.name).items():
            lines.append(f"| `{name}` | {type_of(column)} | {meaning(stream, name, column)} |")
        lines.append("")
    return "\n".join(lines)


def _facts(stream: AnyStream) -> Iterator[tuple[str, str]]:
    roles, paid = roles_of(stream), paid_module_of(stream)
    new = issubclass(stream, OpenApiStream)
    api = f"the OpenAPI module `{stream.module}`" if new else "the REST API"
    yield "Key", key_of(stream)
    yield "Read again", replication_of(stream)
    yield "Role", ", ".join(roles or ()).replace("ProjectEmployee", "Project employee")
    yield "Module", f"{paid.name} (the company pays for it)" if paid else ""
    yield "Calls", calls(stream)
    yield "Endpoint", f"`{stream.path}` of {api}"
    yield "Offered", "" if not stream.opt_in else "only with `all_streams: true`"


def type_of(column: dict[str, Any]) -> str:
    """Return a column's type as a reader of tables knows it."""
    formats = {"date": "date", "date-time": "timestamp"}
    if column.get("format") in formats:
        return formats[column["format"]]
    names = {"number": "decimal", "object": "JSON object", "array": "JSON list"}
    return " or ".join(names.get(kind, kind) for kind in _types(column))


def meaning(stream: AnyStream, name: str, column: dict[str, Any]) -> str:
    """Return what a column means, and which column of another stream it refers to.

    Raises:
        KeyError: neither the schema nor a join key nor `meanings.yml` says it.
    """
    join = joins()[stream.name].get(name)
    text = MEANINGS.get(f"{stream.name}.{name}") or column.get("description")
    if not text and not join:
        in_key = name not in MEANINGS and name in stream.primary_keys
        text = "Identifies the row." if in_key else MEANINGS[name]
    return cell(f"{text or ''} {_refers(join) if join else ''}")


def _refers(join: Join) -> str:
    types = " or ".join(map(str, join.only))
    doubt = "; assumed, not promised by e-conomic" if join.assumed else ""
    only = f", where `type` is {types}" if types else ""
    place = f"{_DOMAIN_OF[join.target]}.md#{join.target}"
    return f"Joins [`{join.target}.{join.key}`]({place}){only}{doubt}."
