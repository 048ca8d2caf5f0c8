"""The documentation site: built strictly, its links lead somewhere, it loads nothing foreign."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.conftest import made_once
from tests.documents import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Zensical, which builds the site, needs Python 3.11"
)

ZENSICAL = Path(sys.executable).with_name("zensical")
LOADS = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}
"""What a browser fetches without being asked to."""


class Page(HTMLParser):
    """What a page links to, what it loads, and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors.update(found[name] for name in ("id", "name") if name in found)
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in LOADS and LOADS[tag] in found and found.get("rel") != "canonical":
            self.loads.append(found[LOADS[tag]])


def build(folder: Path, config: dict[str, object]) -> subprocess.CompletedProcess[str]:
    """Build the site in a folder, of the pages that are there or else of the project's."""
    if not (folder / "docs").exists():
        shutil.copytree(ROOT / "docs", folder / "docs")
    for name in ("CHANGELOG.md", "SECURITY.md"):
        shutil.copy(ROOT / name, folder)
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    return subprocess.run(
        [str(ZENSICAL), "build", "--clean", "--strict"],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def config() -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    return found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does, in another folder."""

    def make(folder: Path) -> None:
        done = build(folder, config())
        assert done.returncode == 0, done.stdout + done.stderr

    return made_once(tmp_path_factory, "site", make) / "build" / "site"


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Page]:
    """Every page by its file."""
    return {path: Page(path.read_text("utf-8")) for path in site.rglob("*.html")}


def inside(pages: dict[Path, Page], site: Path) -> Iterator[tuple[Path, str, Path, str]]:
    """Every link that stays in the site: page, link, file, anchor."""
    for path, page in pages.items():
        if path.name == "404.html":  # its links are made for any depth
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            yield path, link, target / "index.html" if target.is_dir() else target, parts.fragment


def test_every_page_that_is_there_is_in_the_navigation() -> None:
    def listed(item: object) -> set[str]:
        if isinstance(item, str):
            return {item}
        children = item.values() if isinstance(item, dict) else item
        return {name for child in children for name in listed(child)}  # type: ignore[attr-defined]

    there = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md")}
    assert listed(config()["nav"]) == there


def test_every_link_inside_leads_to_a_page_and_an_anchor_of_it(
    pages: dict[Path, Page], site: Path
) -> None:
    links = list(inside(pages, site))
    broken = [
        f"{path.relative_to(site)}: {link}"
        for path, link, target, anchor in links
        if not target.exists() or (anchor and anchor not in pages[target].anchors)
    ]
    assert len(links) > 1000
    assert broken == []


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page], site: Path) -> None:
    assert [url for page in pages.values() for url in page.loads if urlsplit(url).netloc] == []
    styles = " ".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"(?:url\(|@import )[\"']?https?://[^)\"']+", styles) == []


def test_links_that_leave_are_https(pages: dict[Path, Page]) -> None:
    leaving = {link for page in pages.values() for link in page.links if urlsplit(link).netloc}
    assert {urlsplit(link).scheme for link in leaving} == {"https"}


def test_a_broken_link_breaks_the_build(tmp_path: Path) -> None:
    """Or else "strictly" would mean nothing."""
    page = tmp_path / "docs" / "index.md"
    page.parent.mkdir(parents=True)
    page.write_text("# Home\n\n[there](nowhere.md)\n")
    plain = {k: v for k, v in config().items() if k not in {"nav", "extra_css", "extra_javascript"}}
    assert build(tmp_path, plain).returncode != 0


def test_the_changelog_and_the_promises_of_security_are_pages(pages: dict[Path, Page]) -> None:
    texts = {path.parent.name: path.read_text("utf-8") for path in pages}
    assert "Keep a Changelog" in texts["changelog"]
    assert "Report a vulnerability" in texts["security"]


LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)]+)\)")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_the_documents_beside_the_site_lead_to_files_and_headings(name: str) -> None:
    for link in LINK.findall((ROOT / name).read_text("utf-8")):
        path, _, anchor = link.partition("#")
        if urlsplit(link).scheme or not path:
            continue
        assert (ROOT / path).exists(), link
        headings = re.findall(r"^#+ (.+)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in slugs, link
