"""The tap's entry for Meltano Hub, which `python -m scripts.update_docs` writes.

Settings, capabilities, description and Python versions come from `--about --format=json`; how
Meltano calls the tap from `meltano.yml`; the repository, and by its owner the variant's name, from
`[project.urls]` of `pyproject.toml`. The Hub keeps one file per variant with its keys sorted.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).parent.parent
FILE = ROOT / "hub" / "tap-visma-economic.yml"

FROM_MELTANO = (
    *("commands", "executable", "label", "log_parser", "name", "namespace"),
    "settings_group_validation",
)
"""What the Hub's entry and the extractor of `meltano.yml` have in common."""

FOR_THE_HUB = {
    "domain_url": "https://www.e-conomic.com/developer",
    "keywords": ["accounting", "api", "denmark", "erp", "ledger", "meltano_sdk"],
    "logo_url": "/assets/logos/extractors/visma-economic.png",  # there, with the other variant
    "maintenance_status": "active",
    "prereq": (
        "An e-conomic app and a grant: two tokens. `demo` and `demo` read e-conomic's public demo "
        "company without an account."
    ),
    "quality": "unknown",  # what every new entry begins with; the Hub rates it
    "settings_preamble": (
        "Give one company as `agreement_grant_token`, or several as `agreements` or in an "
        "`agreements_file`. Without a selection the default streams are read."
    ),
}


@cache
def about() -> dict[str, Any]:
    """Return what the tap's command line prints with `--about --format=json`."""
    command = [sys.executable, "-m", "tap_visma_economic", "--about", "--format=json"]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)  # noqa: S603  our own
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def extractor() -> dict[str, Any]:
    """Return the extractor of this repository's `meltano.yml`."""
    project = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    declared: list[dict[str, Any]] = project["plugins"]["extractors"]
    return declared[0]


def origin(pyproject: str, name: str) -> dict[str, str]:
    """Return `repo`, where it is known, and the variant, which the Hub names by the repo's owner.

    Args:
        pyproject: the text of `pyproject.toml`.
        name: the plugin's name, which is the variant's too as long as there is no repo.
    """
    urls = re.search(r"^\[project\.urls\]$(.*?)(?=^\[|\Z)", pyproject, re.MULTILINE | re.DOTALL)
    named = re.search(r'^Repository\s*=\s*"(.+)"', urls[1], re.MULTILINE) if urls else None
    if not named:
        return {"variant": name}
    return {"repo": named[1], "variant": urlsplit(named[1]).path.split("/")[1].lower()}


def kind_of(setting: dict[str, Any]) -> str:
    """Return the kind of a setting, in Meltano's words."""
    if setting.get("format") == "date-time":
        return "date_iso8601"
    types = [setting["type"]] if isinstance(setting["type"], str) else setting["type"]
    kind = next(name for name in types if name != "null")
    return "decimal" if kind == "number" else str(kind)


def meltano_setting(name: str, setting: dict[str, Any]) -> dict[str, Any]:
    """Return a setting as meltano.yml declares it."""
    # Meltano 4.4 fails to write a decimal from the environment into the tap's settings file
    # ("Object of type Decimal is not JSON serializable"). The tap understands text.
    kind = "string" if kind_of(setting) == "decimal" else kind_of(setting)
    entry: dict[str, Any] = {"name": name, "label": setting["title"], "kind": kind}
    if setting.get("secret"):
        entry["sensitive"] = True
    if "default" in setting:
        entry["value"] = setting["default"]
    entry["description"] = setting["description"].strip()
    return entry


def hub_setting(name: str, setting: dict[str, Any]) -> dict[str, Any]:
    """Return a setting as the Hub has it: as `meltano.yml` does, and a choice with its options."""
    entry = meltano_setting(name, setting)
    if "enum" in setting:
        options = [{"label": it.capitalize(), "value": it} for it in setting["enum"] if it]
        entry |= {"kind": "options", "options": options}
    return entry


def text() -> str:
    """Return what the file must hold."""
    tap, declared = about(), extractor()
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    entry = {
        **FOR_THE_HUB,
        **{name: declared[name] for name in FROM_MELTANO if name in declared},
        **origin(pyproject, tap["name"]),
        "capabilities": sorted(tap["capabilities"]),
        "description": tap["description"],
        "pip_url": tap["name"],
        "settings": [hub_setting(*item) for item in tap["settings"]["properties"].items()],
        "supported_python_versions": tap["supported_python_versions"],
    }
    head = "# Written by `python -m scripts.update_docs`.\n"
    return head + yaml.safe_dump(entry, sort_keys=True, allow_unicode=True, width=100)
