"""Lives at random: no living row counts as deleted, and in the end everything equals the books.

LIVES sets how many lives are lived, LIVES_SEED the first seed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.lives import Lives, ModelTarget

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

FIRST = int(os.environ.get("LIVES_SEED", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("LIVES", "10")))
DELETING = range(10)
"""Seeds of which each deletes rows that were loaded; a few others do not."""
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "unchanged rows not sent": {"skip_unchanged": "upsert", "resend_days": 365},
}
"""Settings of the tap with which the lives are lived."""


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("seed", SEEDS)
def test_no_living_row_counts_as_deleted(
    tmp_path: Path, seed: int, settings: dict[str, Any]
) -> None:
    with Lives(tmp_path, seed, ModelTarget(seed), **settings) as lives:
        lives.pass_by()
        assert lives.disappeared or seed not in DELETING
