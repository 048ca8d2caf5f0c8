"""Comments that cite the page on e-conomic's APIs name a section that is there."""

from __future__ import annotations

import re

import pytest

from tests.documents import ROOT

PAGE = ROOT / "docs" / "economic-api.md"
CITATION = re.compile(r"economic-api\.md#([\w-]*)")
CITED = [
    (path.relative_to(ROOT).as_posix(), anchor)
    for folder in ("tap_visma_economic", "tests", "scripts", "bench", "docs")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".md"} and path.name != "test_citations.py"
    for anchor in CITATION.findall(path.read_text("utf-8"))
]
"""Which file cites which section."""


def anchors() -> set[str]:
    """The sections of the page, as links name them."""
    headings = re.findall(r"^##+ (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w]+", "-", heading.lower()).strip("-") for heading in headings}


@pytest.mark.parametrize(("file", "anchor"), CITED)
def test_a_citation_names_a_section_that_is_there(file: str, anchor: str) -> None:
    assert anchor in anchors(), f"{file} cites economic-api.md#{anchor}"


def test_the_code_cites_the_page() -> None:
    assert len([file for file, _ in CITED if file.startswith("tap_visma_economic/")]) > 20
