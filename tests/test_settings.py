"""The settings are the same in the tap, meltano.yml, .secrets.example and the documents."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from scripts.update_docs import documents
from tap_visma_economic.config import SETTINGS
from tests.support import of_the_locked_sdk

if TYPE_CHECKING:
    from tests.conftest import TapRunner
    from tests.sandbox.server import Sandbox

ROOT = Path(__file__).parent.parent


def _about() -> dict[str, Any]:
    command = [sys.executable, "-m", "tap_visma_economic", "--about", "--format=json"]
    told: dict[str, Any] = json.loads(
        subprocess.run(command, capture_output=True, check=True).stdout
    )
    return told


ABOUT = _about()
DECLARED: dict[str, dict[str, Any]] = ABOUT["settings"]["properties"]
OWN = list(SETTINGS.to_dict()["properties"])

MELTANO = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))
(EXTRACTOR,) = MELTANO["plugins"]["extractors"]
IN_MELTANO: dict[str, dict[str, Any]] = {s["name"]: s for s in EXTRACTOR["settings"]}

EXAMPLE = (ROOT / ".secrets.example").read_text("utf-8")
IN_EXAMPLE = dict(re.findall(r"^(?:# )?TAP_VISMA_ECONOMIC_([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
ACTIVE = dict(re.findall(r"^TAP_VISMA_ECONOMIC_([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))

PAGE = (ROOT / "docs/settings.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("settings", "arrives"),
    [
        ({"stream_maps": {"units": {"more": "'x'"}}}, {"more": "x"}),
        (
            {"stream_maps": {"units": {"more": "config['x']"}}, "stream_map_config": {"x": "y"}},
            {"more": "y"},
        ),
        ({"flattening_enabled": True, "flattening_max_depth": 1}, {}),
    ],
)
def test_a_settings_file_can_hold_the_settings_of_the_sdk(
    warm_tap: TapRunner, sandbox: Sandbox, settings: dict[str, Any], arrives: dict[str, Any]
) -> None:
    run = warm_tap.read(sandbox, "units", grants=["demo"], **settings)
    assert "unknown setting" not in run.stderr
    assert all(arrives.items() <= row.items() for row in run.records["units"])
    assert run.records["units"]


def test_a_settings_file_can_configure_batches(
    warm_tap: TapRunner, sandbox: Sandbox, tmp_path: Path
) -> None:
    batches = {"encoding": {"format": "jsonl"}, "storage": {"root": f"file://{tmp_path}/batches"}}
    run = warm_tap.read(sandbox, "units", grants=["demo"], batch_config=batches)
    assert "unknown setting" not in run.stderr
    (batch,) = (message for message in run.messages if message["type"] == "BATCH")
    assert batch["stream"] == "units"


def kind(setting: dict[str, Any]) -> str:
    if setting.get("format") == "date-time":
        return "date_iso8601"
    (name,) = (name for name in setting["type"] if name != "null")
    # Meltano 4.4 cannot write its own decimals from the environment
    return "string" if name == "number" else str(name)


def test_meltano_knows_the_same_settings_in_the_same_order() -> None:
    assert list(IN_MELTANO) == list(DECLARED)


@of_the_locked_sdk
@pytest.mark.parametrize("name", DECLARED)
def test_meltano_knows_a_setting_as_the_tap_does(name: str) -> None:
    setting, entry = DECLARED[name], IN_MELTANO[name]
    assert entry["label"] == setting["title"]
    assert entry["description"] == setting["description"].strip()
    assert entry["kind"] == kind(setting)
    assert entry.get("sensitive", False) == setting.get("secret", False)
    assert ("value" in entry, entry.get("value")) == ("default" in setting, setting.get("default"))


@of_the_locked_sdk
def test_meltano_knows_the_same_capabilities() -> None:
    assert EXTRACTOR["capabilities"] == sorted(ABOUT["capabilities"])


def test_meltano_requires_the_tokens() -> None:
    groups = EXTRACTOR["settings_group_validation"]
    assert [set(group) for group in groups] == [
        {"app_secret_token", "agreement_grant_token"},
        {"app_secret_token", "agreements"},
        {"app_secret_token", "agreements_file"},
    ]


def test_the_example_file_names_every_setting_of_the_tap() -> None:
    assert [name.lower() for name in IN_EXAMPLE] == OWN


def test_the_example_file_sets_the_demo_tokens_and_nothing_else() -> None:
    assert ACTIVE == {"APP_SECRET_TOKEN": "demo", "AGREEMENT_GRANT_TOKEN": "demo"}


@pytest.mark.parametrize("name", [name for name in OWN if "default" in DECLARED[name]])
def test_the_example_file_shows_the_default(name: str) -> None:
    default = DECLARED[name]["default"]
    shown = IN_EXAMPLE[name.upper()]
    assert shown == (default if isinstance(default, str) else json.dumps(default))


def test_the_page_names_the_settings_of_the_sdk() -> None:
    for name in set(DECLARED) - set(OWN):
        assert f"`{name}`" in PAGE


@of_the_locked_sdk
def test_what_is_derived_from_the_code_is_up_to_date() -> None:
    """`python -m scripts.update_docs` brings it up to date."""
    derived = {str(file.relative_to(ROOT)): text for file, text in documents()}
    assert {"docs/settings.md", "meltano.yml", "docs/streams/ledger.md"} <= derived.keys()
    assert [name for name in derived if (ROOT / name).read_text("utf-8") != derived[name]] == []


@pytest.mark.parametrize("name", DECLARED)
def test_a_setting_has_a_title_and_a_description(name: str) -> None:
    assert DECLARED[name].get("title")
    assert DECLARED[name].get("description")


@pytest.mark.parametrize("name", [name for name in DECLARED if DECLARED[name].get("secret")])
def test_no_secret_has_a_constraint_whose_message_would_show_it(name: str) -> None:
    """The SDK puts the value into its message when a constraint is not met."""
    assert {"minLength", "maxLength", "pattern", "enum", "format"}.isdisjoint(DECLARED[name])
