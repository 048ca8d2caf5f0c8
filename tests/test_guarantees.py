"""What a run guarantees: every sentence names a test, and every test that a page names exists."""

from __future__ import annotations

import ast
import re

import pytest

from tests.documents import ROOT

NAMED = re.compile(r"`([\w/]+\.py::test_\w+)(?:\[.+?\])?`")
PAGES = ("docs/faults.md", "docs/guarantees.md", "docs/unsure.md", "SECURITY.md")
EXISTING = {
    f"{path.relative_to(ROOT / 'tests').as_posix()}::{item.name}"
    for path in (ROOT / "tests").rglob("test_*.py")
    for item in ast.walk(ast.parse(path.read_text("utf-8")))
    if isinstance(item, ast.FunctionDef) and item.name.startswith("test_")
}


def rows(page: str, begin: str = "", end: str | None = None) -> list[list[str]]:
    """The cells of the tables of a page, or of a part of it, without their heads."""
    text = (ROOT / page).read_text("utf-8")
    part = text[text.index(begin) : text.index(end) if end else None]
    lines = [line.strip("|").split(" | ") for line in part.splitlines() if line[:2] == "| "]
    return lines[1:]


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_a_page_names_exists(page: str) -> None:
    named = NAMED.findall((ROOT / page).read_text("utf-8"))
    assert len(named) > 10
    assert set(named) <= EXISTING


@pytest.mark.parametrize(
    "rows",
    [
        rows("docs/guarantees.md", end="\n## "),
        rows("docs/unsure.md"),
        rows("SECURITY.md", "## Promises", "## Proxies"),
    ],
    ids=["guarantees", "unsure", "security"],
)
def test_every_sentence_names_its_tests(rows: list[list[str]]) -> None:
    assert len(rows) > 10
    assert [row for row in rows if not NAMED.search(row[-1])] == []
