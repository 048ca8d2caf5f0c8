"""The entry for Meltano Hub: it follows from the tap, and it is what the Hub takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from scripts import hub_definition
from tests.support import of_the_locked_sdk

ROOT = Path(__file__).parent.parent
TEXT = hub_definition.FILE.read_text("utf-8")
ENTRY: dict[str, Any] = yaml.safe_load(TEXT)

HUB: dict[str, Any] = yaml.safe_load((ROOT / "tests/snapshots/hub.schema.yml").read_text("utf-8"))


def faults(entry: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft202012Validator(HUB).iter_errors(entry)]


@of_the_locked_sdk
def test_the_file_is_what_the_tap_says_of_itself() -> None:
    """`python -m scripts.update_docs` brings it up to date."""
    assert hub_definition.text() == TEXT


def test_the_file_is_what_the_hub_takes() -> None:
    assert faults(ENTRY) == []


@pytest.mark.parametrize(
    "change",
    [
        {"loader": "x"},
        {"quality": "excellent"},
        {"capabilities": ["catalogue"]},
        {"settings": [{"name": "x", "kind": "number"}]},
        {"settings": [{"name": "x", "kind": "options"}]},
        {"settings": [{"name": "x", "secret": True}]},
    ],
)
def test_the_check_refuses_what_the_hub_refuses(change: dict[str, Any]) -> None:
    assert len(faults({**ENTRY, **change})) == 1


def test_keys_are_sorted_as_the_hubs_linter_wants() -> None:
    assert list(ENTRY) == sorted(ENTRY)
    assert [list(s) for s in ENTRY["settings"]] == [sorted(s) for s in ENTRY["settings"]]


def test_a_secret_is_marked_and_has_no_value() -> None:
    told = json.loads(json.dumps(hub_definition.about()["settings"]["properties"]))
    secret = {name for name, setting in told.items() if setting.get("secret")}
    marked = {s["name"] for s in ENTRY["settings"] if s.get("sensitive")}
    tokens = {"app_secret_token", "agreement_grant_token", "agreements"}
    assert marked == secret == tokens | {"events_inbox"}, "whose URL may hold a password"
    assert not [s for s in ENTRY["settings"] if s["name"] in secret and "value" in s]


def test_the_variant_is_named_by_the_repositorys_owner_once_there_is_one() -> None:
    alone = '[project]\nname = "tap-x"\n\n[build-system]\nRepository = "https://not.this/one"\n'
    assert hub_definition.origin(alone, "tap-x") == {"variant": "tap-x"}
    urls = '[project.urls]\nRepository = "https://github.com/Some-Org/tap-x"\n\n' + alone
    assert hub_definition.origin(urls, "tap-x") == {
        "repo": "https://github.com/Some-Org/tap-x",
        "variant": "some-org",
    }
