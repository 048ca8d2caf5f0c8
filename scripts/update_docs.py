"""Write the tables of README.md and docs/, and the settings of meltano.yml, from declarations.

`python -m scripts.update_docs` rewrites what stands between the markers in these files; with
`--check` it only says whether anything would change (exit 1).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from scripts.docs_site.domains import DOMAINS
from tap_visma_economic.access import ANY, paid_module_of, roles_of
from tap_visma_economic.client import OpenApiStream
from tap_visma_economic.config.settings import SETTINGS
from tap_visma_economic.kinds import Replication
from tap_visma_economic.streams import STREAMS
from tap_visma_economic.tap import TapVismaEconomic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.docs_site.domains import Domain
    from tap_visma_economic.sync import EconomicStream

ROOT = Path(__file__).parent.parent

REPLICATION_WORDS = {
    Replication.FULL: "full",
    Replication.TIMESTAMP: "timestamp",
    Replication.NUMBER: "number",
    Replication.NUMBER_OPEN: "number and open",
    Replication.NUMBER_CHANGES: "number and changes",
}

_KINDS = {
    "array": "array",
    "boolean": "boolean",
    "integer": "integer",
    "number": "decimal",
    "object": "object",
    "string": "string",
}
"""JSON Schema type to Meltano's kind."""


def declared_settings() -> dict[str, dict[str, Any]]:
    """Return every setting of the tap, its own first, as `--about` tells them."""
    properties: dict[str, dict[str, Any]] = TapVismaEconomic.every_setting()["properties"]
    return properties


def kind_of(setting: dict[str, Any]) -> str:
    """Return the kind that Meltano knows a setting by."""
    if setting.get("format") == "date-time":
        return "date_iso8601"
    types = setting["type"]
    return _KINDS[next(name for name in types if name != "null")]


def meltano_setting(name: str, setting: dict[str, Any]) -> dict[str, Any]:
    """Return a setting as meltano.yml declares it."""
    entry: dict[str, Any] = {"name": name, "label": setting["title"], "kind": kind_of(setting)}
    if setting.get("secret"):
        entry["sensitive"] = True
    if "default" in setting:
        entry["value"] = setting["default"]
    entry["description"] = setting["description"].strip()
    return entry


def meltano_settings() -> str:
    """Return the settings of meltano.yml, indented as they stand there."""
    entries = [meltano_setting(name, setting) for name, setting in declared_settings().items()]
    text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=92)
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))


def settings_table() -> str:
    """Return README's table of the tap's own settings, and the names of the SDK's."""
    own, built_in = own_and_built_in()
    rows = [
        f"| `{name}` | {_kind_cell(it)} | {_default(it)} | {_cell(it['description'])} |"
        for name, it in own.items()
    ]
    head = ["| Setting | Kind | Default | What it does |", "|---|---|---|---|"]
    names = ", ".join(f"`{name}`" for name in built_in)
    return "\n".join([*head, *rows, "", f"The SDK adds: {names}.", ""])


def settings_facts(settings: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the name of each setting, its kind and default in a few words, and what it does."""
    for name, it in settings.items():
        default = _default(it)
        kind = f"*{_kind_cell(it)}*"
        yield name, f"{kind}, default {default}" if default else kind, it["description"].strip()


def own_and_built_in() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tap's own settings, and those that the SDK adds to every tap's."""
    every, own = declared_settings(), SETTINGS.to_dict()["properties"]
    return own, {name: setting for name, setting in every.items() if name not in own}


def streams_table() -> str:
    """Return the tables of docs/streams/index.md, one per domain."""
    return "\n".join(map(_domain_table, DOMAINS))


def _domain_table(domain: Domain) -> str:
    head = ["| Stream | What it holds | Key | Replication | API |", "|---|---|---|---|---|"]
    rows = map(_stream_row, domain.streams)
    return "\n".join([f"## {domain.title}", "", f"{domain.about}.", "", *head, *rows, ""])


def _stream_row(stream: Any) -> str:  # a class; the SDK types its attributes as an instance's
    mark = "" if stream.selected_by_default else " *"
    what = (stream.__doc__ or "").strip().splitlines()[0]
    key = ", ".join(f"`{column}`" for column in stream.primary_keys if column != "agreementNumber")
    cells = [
        f"`{stream.name}`{mark}",
        _cell(what),
        key or "`agreementNumber` alone",
        _replication(stream),
        _api(stream),
    ]
    return f"| {' | '.join(cells)} |"


def _replication(stream: type[EconomicStream]) -> str:
    key = stream.replication_key
    words = REPLICATION_WORDS[stream.replication] if isinstance(key, str) else "full"
    return words if words == "full" else f"{words}, `{key}`"


def _api(stream: type[EconomicStream]) -> str:
    return stream.module if issubclass(stream, OpenApiStream) else "REST"


def access_table() -> str:
    """Return the table of docs/access.md: streams by the role and the paid module they need."""
    needed: dict[tuple[str, str], list[str]] = {}
    for stream in STREAMS:
        roles, module = roles_of(stream), paid_module_of(stream)
        words = "not documented" if roles is None else _any_of(roles)
        mark = "" if stream.selected_by_default else " *"
        key = words, module.name if module else "none"
        needed.setdefault(key, []).append(f"`{stream.name}`{mark}")  # type: ignore[misc]
    head = ["| Role of the app | Paid module | Streams |", "|---|---|---|"]
    rows = [f"| {role} | {paid} | {', '.join(names)} |" for (role, paid), names in needed.items()]
    return "\n".join([*head, *sorted(rows), ""])


def _any_of(roles: tuple[str, ...]) -> str:
    return "any" if set(roles) == set(ANY) else " or ".join(roles)


def _kind_cell(setting: dict[str, Any]) -> str:
    return f"{kind_of(setting)}, secret" if setting.get("secret") else kind_of(setting)


def _default(setting: dict[str, Any]) -> str:
    return f"`{json.dumps(setting['default'])}`" if "default" in setting else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _between(text: str, name: str, new: str) -> str:
    """Return a file's text with what stands between two markers replaced.

    Raises:
        ValueError: a marker is missing.
    """
    begin = text.index("\n", text.index(f"{name}: begin")) + 1
    end = text.rindex("\n", begin - 1, text.index(f"{name}: end")) + 1
    return text[:begin] + new + text[end:]


def documents() -> Iterator[tuple[Path, str]]:
    """Yield each file that holds something derived, and the text it should have."""
    readme = ROOT / "README.md"
    yield readme, _between(readme.read_text(encoding="utf-8"), "settings", settings_table())
    streams = ROOT / "docs" / "streams" / "index.md"
    yield streams, _between(streams.read_text(encoding="utf-8"), "streams", streams_table())
    access = ROOT / "docs" / "access.md"
    yield access, _between(access.read_text(encoding="utf-8"), "access", access_table())
    meltano = ROOT / "meltano.yml"
    yield meltano, _between(meltano.read_text(encoding="utf-8"), "settings", meltano_settings())


def main() -> int:
    """Update the files, or say which are out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if stale")
    options = parser.parse_args()
    stale = [(path, text) for path, text in documents() if path.read_text("utf-8") != text]
    for path, text in stale:
        print(f"{path.relative_to(ROOT)}: {'out of date' if options.check else 'updated'}")
        if not options.check:
            path.write_text(text, encoding="utf-8")
    return int(bool(stale) and options.check)


if __name__ == "__main__":
    sys.exit(main())
