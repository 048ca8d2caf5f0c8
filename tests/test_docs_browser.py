"""The documentation site in a real browser: wide and narrow, and its search."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests import chromium
from tests.chromium import Browser
from tests.test_docs import pytestmark, site  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WIDE, NARROW = 1400, 390

BESIDE_THE_PAGE = """
const frames = '.md-typeset__scrollwrap, pre';
const seen = [...document.querySelectorAll('article *')].filter(
  e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(frames));
return [document.documentElement.scrollWidth > innerWidth, seen.map(e => e.outerHTML.slice(0, 80))];
"""

FOUND = """
const inside = [...document.querySelectorAll('*')].find(e => e.shadowRoot)?.shadowRoot ?? document;
return [...inside.querySelectorAll('a')].map(a => a.href);
"""


BROKEN_NAMES = """
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const broken = [];
while (texts.nextNode()) {
  for (const found of texts.currentNode.data.matchAll(/e-conomic/g)) {
    const range = document.createRange();
    range.setStart(texts.currentNode, found.index);
    range.setEnd(texts.currentNode, found.index + found[0].length);
    const lines = new Set([...range.getClientRects()].map(it => Math.round(it.top)));
    if (lines.size > 1) broken.push(texts.currentNode.data.slice(found.index - 20));
  }
}
return broken;
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:  # noqa: F811
    """Where the site is served."""
    handler = functools.partial(Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(chromium.programs(), tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_no_page_is_wider_than_the_screen_or_breaks_the_name_e_conomic(
    browser: Browser,
    address: str,
    site: Path,  # noqa: F811
    width: int,
) -> None:
    browser.resize(width, 900)
    names = sorted(p.parent.relative_to(site).as_posix() for p in site.rglob("index.html"))
    wrong: dict[str, Any] = {}
    for name in names:
        browser.open(f"{address}{name}/")
        if not browser.until(lambda: browser.run(BESIDE_THE_PAGE) == [False, []]):  # scripts load
            wrong[name] = browser.run(BESIDE_THE_PAGE)
        wrong.update({f"{name}: a name": it for it in browser.run(BROKEN_NAMES)})
    assert len(names) > 30
    assert wrong == {}


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("trial balance", "recipes/ledger/"),
        ("restbeløb", "recipes/receivables/"),
        ("booked_entries", "streams/ledger/#booked_entries"),
        ("start_date", "settings/#what-start_date-bounds"),
        ("kladde", "words/#for-data-engineers-accounting-words"),
    ],
)
def test_search_finds(browser: Browser, address: str, words: str, page: str) -> None:
    browser.open(address)
    browser.run("document.querySelector('.md-search__button').click()")
    assert browser.until(lambda: browser.run("return document.activeElement !== document.body"))
    browser.type(words)
    assert browser.until(lambda: f"{address}{page}" in browser.run(FOUND)), browser.run(FOUND)
