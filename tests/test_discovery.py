"""The catalog: which streams there are, by which keys, and what their records hold."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from tap_visma_economic.replication import ByNumber, ByTimestamp
from tap_visma_economic.streams import STREAMS
from tests.conftest import WarmTapRunner

if TYPE_CHECKING:
    from tests.conftest import TapRunner

SNAPSHOTS = Path(__file__).parent / "snapshots"
CONTRACT: dict[str, dict[str, Any]] = json.loads((SNAPSHOTS / "contract.json").read_text())
DEFAULT = {name for name, facts in CONTRACT.items() if facts["selected_by_default"]}
OWN = "sync_runs"
"""The stream of the tap's own runs, which has no endpoint."""

METHOD = {"full": "FULL_TABLE"}


def by_name(catalog: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {stream["tap_stream_id"]: stream for stream in catalog["streams"]}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The catalog of all streams."""
    run = WarmTapRunner(tmp_path_factory.mktemp("discovery"))
    return by_name(run.discover({"all_streams": True}))


def test_the_contract_names_111_streams_of_which_88_are_read_by_default() -> None:
    assert (len(CONTRACT), len(DEFAULT)) == (111, 88)


def test_the_catalog_holds_the_default_streams_unless_all_are_asked_for(
    warm_tap: TapRunner, catalog: dict[str, Any]
) -> None:
    assert set(by_name(warm_tap.discover())) == {*DEFAULT, OWN}
    assert set(catalog) == {*CONTRACT, OWN}


def test_discovery_needs_no_network_no_credentials_and_less_than_two_seconds(
    run_tap: TapRunner,
) -> None:
    nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    run_tap.discover()  # the first start of a fresh checkout compiles the package
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = run_tap(None, "--discover", env=nowhere)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert run.exit_code == 0
    assert "WARNING" not in run.stderr
    # Time of this process alone: others may keep the machine busy. It waits for nothing.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2


@pytest.mark.parametrize("name", CONTRACT)
def test_a_stream_is_what_the_contract_says(name: str, catalog: dict[str, Any]) -> None:
    facts, entry = CONTRACT[name], catalog[name]
    streams: Any = STREAMS
    stream = next(stream for stream in streams if stream.name == name)
    assert entry["key_properties"] == facts["primary_keys"]
    assert entry.get("replication_key") == facts.get("replication_key")
    assert entry["replication_method"] == METHOD.get(facts["replication"], "INCREMENTAL")
    assert stream.path == facts["path"]
    assert getattr(stream, "module", None) == facts.get("module")
    assert (stream.parent.name if stream.parent else None) == facts.get("parent")
    params = {
        name: list(source) if isinstance(source, tuple) else source
        for name, source in stream.path_params.items()
    }
    assert params == facts.get("path_params", {})
    assert kind_of(stream.replication) == facts["replication"]


def kind_of(by: Any) -> str:
    if not isinstance(by, ByNumber):
        return "timestamp" if isinstance(by, ByTimestamp) and not by.opt_in else "full"
    return "number" + "+open" * bool(by.open_items) + "+changes" * bool(by.changelog)


@pytest.mark.parametrize("name", [*CONTRACT, OWN])
def test_the_catalog_entry_has_not_changed(name: str, catalog: dict[str, Any]) -> None:
    """A changed entry is a change for every user's tables: UPDATE_SNAPSHOTS=1 accepts it."""
    path = SNAPSHOTS / "catalog" / f"{name}.json"
    text = json.dumps(catalog[name], indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CONTRACT)
def test_schema_and_metadata_are_valid(name: str, catalog: dict[str, Any]) -> None:
    entry = catalog[name]
    Draft202012Validator.check_schema(entry["schema"])
    root = next(m["metadata"] for m in entry["metadata"] if m["breadcrumb"] == [])
    assert root["table-key-properties"] == CONTRACT[name]["primary_keys"]
    assert set(CONTRACT[name]["primary_keys"]) <= set(entry["schema"]["properties"])


def test_no_snapshot_is_left_of_a_stream_that_is_gone() -> None:
    assert {path.stem for path in (SNAPSHOTS / "catalog").iterdir()} == {*CONTRACT, OWN}
