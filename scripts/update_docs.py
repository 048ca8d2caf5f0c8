"""Write what follows from the code: pages and tables of docs/, meltano.yml, the entry for the Hub.

`python -m scripts.update_docs` rewrites what follows from the tap's declarations.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from scripts import hub_definition
from scripts.hub_definition import ROOT, kind_of, meltano_setting
from scripts.streams_page import DOMAINS, access_table, cell, domain_page, index
from tap_visma_economic.config import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def own_and_built_in() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tap's own settings, and those that the SDK adds to every tap's."""
    every, own = hub_definition.about()["settings"]["properties"], SETTINGS.to_dict()["properties"]
    return own, {name: setting for name, setting in every.items() if name not in own}


def meltano_settings() -> str:
    """Return the settings of meltano.yml, indented as they are there."""
    own, built_in = own_and_built_in()
    entries = [meltano_setting(name, setting) for name, setting in {**own, **built_in}.items()]
    text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=92)
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))


def settings_table() -> str:
    """Return the table of the tap's own settings, and the names of the SDK's."""
    own, built_in = own_and_built_in()
    rows = [
        f"| `{name}`<br>{kind_cell(it)}{default(it)} | {cell(it['description'])} |"
        for name, it in own.items()
    ]
    head = ["| Setting | What it does |", "|---|---|"]
    added = ", ".join(f"`{name}`" for name in built_in)
    sdk = f"The SDK adds {added}: see [its documentation](https://sdk.meltano.com)."
    return "\n".join([*head, *rows, "", sdk, ""])


def kind_cell(setting: dict[str, Any]) -> str:
    """Return a setting's kind in words."""
    return f"{kind_of(setting)}, secret" if setting.get("secret") else kind_of(setting)


def default(setting: dict[str, Any]) -> str:
    """Return a setting's default as JSON, empty if it has none."""
    return f", default `{json.dumps(setting['default'])}`" if "default" in setting else ""


def _between(path: Path, name: str, new: str) -> tuple[Path, str]:
    """Return a file, and its text with what is between two markers replaced."""
    text = path.read_text(encoding="utf-8")
    begin = text.index("\n", text.index(f"{name}: begin")) + 1
    end = text.rindex("\n", begin - 1, text.index(f"{name}: end")) + 1
    return path, text[:begin] + new + text[end:]


def documents() -> Iterator[tuple[Path, str]]:
    """Yield each file with something generated in it, and the text it should have."""
    yield _between(ROOT / "docs/settings.md", "settings", settings_table())
    yield _between(ROOT / "docs/streams/index.md", "streams", index())
    for slug in DOMAINS:
        yield ROOT / "docs" / "streams" / f"{slug}.md", domain_page(slug)
    yield _between(ROOT / "docs/access.md", "access", access_table())
    yield _between(ROOT / "meltano.yml", "settings", meltano_settings())
    yield hub_definition.FILE, hub_definition.text()


def main() -> None:
    """Update the files that are out of date, and name them."""
    for path, text in documents():
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"{path.relative_to(ROOT)}: updated")


if __name__ == "__main__":
    main()
