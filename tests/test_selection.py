"""What the log shows of the selection: a typo selects nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conftest import settings_for

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.support import Firm


def read(tap: TapRunner, firm: Firm, *selected: str) -> Run:
    """Read with the whole catalog, of which these streams alone are selected."""
    catalog = tap.discover({"all_streams": True})
    for entry in catalog["streams"]:
        root = next(m for m in entry["metadata"] if m["breadcrumb"] == [])
        root["metadata"]["selected"] = entry["tap_stream_id"] in selected
    return tap(settings_for(firm, *firm.grants, all_streams=True), catalog=catalog)


def test_a_selection_that_matches_nothing_is_reported_last(warm_tap: TapRunner, firm: Firm) -> None:
    run = read(warm_tap, firm, "booked_entry")
    assert run.exit_code == 0
    assert "No streams are selected, so nothing was read" in run.stderr.splitlines()[-1]


def test_deselected_streams_take_one_line(warm_tap: TapRunner, firm: Firm) -> None:
    run = read(warm_tap, firm, "units")
    assert set(run.records) == {"units"}
    assert "Selected: 1 of 111 streams" in run.stderr
    assert "deselected" not in run.stderr
    assert "Skipping parse of env var settings" not in run.stderr


def test_a_single_row_is_not_plural(firm: Firm) -> None:
    run = firm.read("agreements")
    assert run.stderr.rstrip().endswith("Complete: 1 row from 1 stream, 1 company")


def test_help_says_what_this_tap_does(warm_tap: TapRunner) -> None:
    said = " ".join(warm_tap(None, "--help", "--version").messages[0]["text"].split())
    assert "which streams its grant can read, without reading data" in said
    assert "single record" not in said
    assert "tap-visma-economic-connect" in said
