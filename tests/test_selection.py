"""What the log shows of the selection: a typo selects nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import settings_for
from tests.support import GRANT, canary_sandbox, small_grants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import TapRunner


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, Any]]:
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        yield settings_for(sandbox, GRANT)


def test_a_selection_that_matches_nothing_is_reported_last(
    warm_tap: TapRunner, settings: dict[str, Any]
) -> None:
    run = warm_tap(settings, catalog=warm_tap.catalog_of("booked_entry"))
    assert run.exit_code == 0
    assert "No streams are selected, so nothing was read" in run.stderr.splitlines()[-1]


def test_deselected_streams_take_one_line(warm_tap: TapRunner, settings: dict[str, Any]) -> None:
    run = warm_tap({**settings, "all_streams": True}, catalog=warm_tap.catalog_of("units"))
    assert "Selected: 1 of 111 streams" in run.stderr
    assert "deselected" not in run.stderr
    assert "Skipping parse of env var settings" not in run.stderr


def test_a_single_row_is_not_plural(warm_tap: TapRunner, settings: dict[str, Any]) -> None:
    run = warm_tap(settings, catalog=warm_tap.catalog_of("agreements"))
    assert run.stderr.rstrip().endswith("Complete: 1 row from 1 stream, 1 company")


def test_help_says_what_this_tap_does(warm_tap: TapRunner) -> None:
    said = " ".join(warm_tap(None, "--help", "--version").messages[0]["text"].split())
    assert "which streams its grant can read, without reading data" in said
    assert "single record" not in said
    assert "tap-visma-economic-connect" in said
