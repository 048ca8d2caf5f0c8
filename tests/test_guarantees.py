"""What a run guarantees: every sentence names a test, and every test is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def guarantees() -> list[tuple[str, str]]:
    """Each sentence with what stands beside it."""
    text = (ROOT / "docs/guarantees.md").read_text("utf-8")
    section = text.partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:2] == "| "]
    return [(sentence, test) for sentence, test in rows[1:]]


def test_every_sentence_names_a_test() -> None:
    assert len(guarantees()) > 10
    for sentence, test in guarantees():
        assert sentence.endswith("."), sentence
        assert re.fullmatch(r"`[\w/]+\.py::test_\w+`", test), test


def test_every_test_that_is_named_can_be_run() -> None:
    tests = [f"tests/{test.strip('`')}" for _, test in guarantees()]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *tests],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
