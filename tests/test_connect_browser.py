"""The way from no token to a tested grant in a real browser, on the sandbox's approval page."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests import chromium
from tests.chromium import Browser
from tests.connecting import Connect, line_of, lines_in
from tests.sandbox.approval import installation_url
from tests.support import CANARY, GRANT, GRANT_2, NUMBER, canary_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sandbox import Sandbox

INTO = "--into=agreements.jsonl"
ADD, CANCEL = "button[value=add]", "button[value=cancel]"
CHAIN_END = 0x20000000
"""A visit that the browser shows in its history: the last one of a chain of redirects."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser of the module's own."""
    with Browser(chromium.programs(), tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def new_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that has never been anywhere."""
    with Browser(chromium.programs(), tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Three companies, whose tokens can be searched for."""
    with canary_sandbox() as running:
        yield running


@pytest.fixture
def connect(tmp_path: Path, sandbox: Sandbox) -> Connect:
    return Connect(tmp_path, sandbox)


def test_adding_the_app_stores_the_grant_of_the_company_that_was_chosen(
    connect: Connect, browser: Browser
) -> None:
    with connect.waiting(INTO, "--no-browser", connect.in_language("da-DK")) as running:
        browser.open(running.url)
        assert browser.comes_to("Warehouse sync beder om adgang til jeres e-conomic")
        assert browser.text(ADD) == "Tilføj app"
        browser.run("document.querySelector('select').selectedIndex = 1")
        browser.click(ADD)
        assert browser.comes_to("Firma 1 is connected")
        assert browser.url == f"{running.redirect_url}/done"
        ended = running.wait()
    assert ended.exit_code == 0, ended.stderr
    assert f"Connected to Firma 1, agreement {NUMBER + 1}." in ended.stderr
    assert "88 of 88 can be read" in ended.stderr
    path = connect.folder / "agreements.jsonl"
    assert lines_in(path) == [line_of(1, GRANT_2)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ended.keeps_secrets()


def test_the_browser_shows_no_token_on_the_page_in_its_address_or_in_its_history(
    connect: Connect, new_browser: Browser
) -> None:
    with connect.waiting(INTO, "--no-browser") as running:
        new_browser.open(running.url)
        new_browser.click(ADD)
        assert new_browser.comes_to("Firma 0 is connected")
        assert running.wait().exit_code == 0
    assert CANARY not in new_browser.source
    assert CANARY not in new_browser.url + new_browser.title
    assert new_browser.run("return document.referrer") == ""
    loaded = new_browser.run("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [url for url in loaded if not url.startswith("data:")] == [], "self-contained"
    new_browser.back()
    back_at = urlsplit(new_browser.url).path
    assert back_at.endswith("requestaccess.aspx"), "Back passes over the token"
    assert CANARY not in new_browser.url
    new_browser.close()
    shown = shown_in_history(new_browser.profile)
    assert len(shown) >= 2
    assert [url for url in shown if CANARY in url] == []


def shown_in_history(profile: Path) -> list[str]:
    """The addresses that the browser's own history page lists."""
    with closing(sqlite3.connect(profile / "Default" / "History")) as database:
        query = "SELECT urls.url FROM visits JOIN urls ON urls.id = visits.url WHERE transition & ?"
        return [url for (url,) in database.execute(query, [CHAIN_END])]


def test_a_script_of_another_page_cannot_bring_a_token(connect: Connect, browser: Browser) -> None:
    with connect.waiting(INTO, "--no-browser") as running:
        here = running.redirect_url.rsplit("/", 1)[0]
        browser.open(installation_url(connect.sandbox.url))
        browser.run(
            f"return Promise.all(['/', '/callback', '/x/done'].map(path => "
            f"fetch('{here}' + path + '?token={GRANT_2}', {{mode: 'no-cors'}}).catch(() => 0)))"
            ".then(() => 1)"
        )
        assert not running.ended
        browser.open(running.url)
        browser.click(ADD)
        assert running.wait().exit_code == 0
    assert lines_in(connect.folder / "agreements.jsonl") == [line_of(0, GRANT)]


@pytest.mark.parametrize(
    ("button", "heading"), [(ADD, "Firma 0 is connected"), (CANCEL, "Not connected")]
)
def test_the_pages_fit_wide_and_narrow(
    connect: Connect, browser: Browser, button: str, heading: str
) -> None:
    with connect.waiting(INTO, "--no-browser", connect.in_language("sv-SE")) as running:
        browser.open(running.url)
        assert too_wide(browser) == []
        browser.click(button)
        assert browser.comes_to(heading)
        assert too_wide(browser) == []
        assert broken_names(browser) == []
        running.wait()


def broken_names(browser: Browser) -> list[int]:
    """The widths at which e-conomic is broken at its hyphen, on two lines."""
    found = []
    for width in range(1200, 300, -20):
        browser.resize(width, 640)
        names = "[...document.querySelectorAll('span')].map(it => it.getClientRects().length)"
        if any(lines != 1 for lines in browser.run(f"return {names}")):
            found.append(width)
    return found


def too_wide(browser: Browser) -> list[int]:
    """The widths at which the page has to be scrolled sideways."""
    found = []
    for width in (1200, 600, 320):
        browser.resize(width, 640)
        assert browser.run("return window.innerWidth") == width
        if browser.run("return document.documentElement.scrollWidth") > width:
            found.append(width)
    return found
