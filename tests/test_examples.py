"""The examples are what the pages show, and retry late enough. tests/pipelines runs them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from meltano.core.job.job import HEARTBEAT_VALID_MINUTES

from tests.documents import ROOT, every_block

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(p for p in (ROOT / "examples").rglob("*") if p.suffix in {".py", ".sh", ".yaml"})
LANGUAGES = ("python", "bash", "yaml")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_page_shows_the_example_as_it_is(path: Path) -> None:
    shown = [block.text for block in every_block(*LANGUAGES) if block.title == path.name]
    assert shown == [path.read_text("utf-8")]


@pytest.mark.parametrize(
    ("file", "minutes"),
    [
        ("airflow/economic_dag.py", r"retry_delay=timedelta\(minutes=(\d+)\)"),
        ("dagster/economic_definitions.py", r"delay=(\d+) \* 60"),
    ],
)
def test_a_killed_run_is_retried_when_meltano_has_given_it_up(file: str, minutes: str) -> None:
    found = re.search(minutes, (ROOT / "examples" / file).read_text("utf-8"))
    assert found
    assert int(found[1]) > HEARTBEAT_VALID_MINUTES


def test_kubernetes_retries_a_killed_run_for_longer_than_meltano_waits() -> None:
    """It waits for 10 seconds, and then twice as long each time."""
    job = (ROOT / "examples/kubernetes/economic.yaml").read_text("utf-8")
    found = re.search(r"backoffLimitPerIndex: (\d+)", job)
    assert found
    waits = [min(10 * 2**number, 600) for number in range(int(found[1]))]
    assert sum(waits) > HEARTBEAT_VALID_MINUTES * 60
