"""A real browser: headless Chromium, driven over ChromeDriver's own HTTP (W3C WebDriver)."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import requests

from scripts.local import process
from tests.dbt import on_ci

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typing_extensions import Self

MISSING = "Chromium is not installed: apt-get install chromium chromium-driver"

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""For a machine without a screen and a network that ends at the machine."""

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of an element in an answer (WebDriver, 12.2)."""

_PATIENCE = 30


def find() -> tuple[str, str] | None:
    """Where Chromium and ChromeDriver are; None if one of them is missing."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


def programs() -> tuple[str, str]:
    """Chromium and its driver; without them a test is skipped, and fails where CI says so."""
    found = find()
    if found is None:
        (pytest.fail if on_ci() else pytest.skip)(MISSING)
    return found


class Browser:
    """A browser with an empty profile. Use it as a context manager.

    Args:
        programs: Chromium and ChromeDriver.
        profile: an empty folder.
    """

    def __init__(self, programs: tuple[str, str], profile: Path) -> None:
        self._programs = programs
        self.profile = profile
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        browser, driver = self._programs
        with self._stack as stack:
            started = stack.enter_context(
                process([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            )
            lines = started.stdout or ()
            ports = (re.search(r"successfully on port (\d+)", line) for line in lines)
            port = next(found[1] for found in ports if found)
            self._http = stack.enter_context(requests.Session())
            self._http.trust_env = False  # a local address is local
            self._base = f"http://127.0.0.1:{port}"
            options = {"binary": browser, "args": [*_FLAGS, f"--user-data-dir={self.profile}"]}
            wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
            session = self._call("POST", "/session", wanted)["sessionId"]
            self._base += f"/session/{session}"
            stack.callback(self._call, "DELETE", "")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser; its profile is written out by then."""
        self._stack.close()

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = (body or {}) if method == "POST" else None
        answer = self._http.request(method, self._base + path, timeout=_PATIENCE, json=data)
        value = answer.json()["value"]
        assert answer.ok, value
        return value

    def open(self, url: str) -> None:
        """Go to an address, and wait for the page."""
        self._call("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        """What the address bar shows."""
        return str(self._call("GET", "/url"))

    @property
    def title(self) -> str:
        """The page's title."""
        return str(self._call("GET", "/title"))

    @property
    def source(self) -> str:
        """The page as it stands."""
        return str(self._call("GET", "/source"))

    def run(self, script: str) -> Any:
        """Run JavaScript, and return what it returns."""
        return self._call("POST", "/execute/sync", {"script": script, "args": []})

    def text(self, css: str = "body") -> str:
        """The text that an element shows; none if there is no such element."""
        found = self._call(
            "POST",
            "/execute/sync",
            {"script": "return document.querySelector(arguments[0])?.innerText", "args": [css]},
        )
        return str(found or "")

    def comes_to(self, heading: str) -> bool:
        """Wait for a page with this heading, and return whether it came."""
        return self.until(lambda: self.text("h1") == heading)

    def click(self, css: str) -> None:
        """Click an element. What that leads to may come later: see `comes_to`."""
        self._call("POST", f"/element/{self._find(css)}/click")

    def back(self) -> None:
        """Press Back."""
        self._call("POST", "/back")

    def resize(self, width: int, height: int) -> None:
        """Set the size of the page."""
        self._call(
            "POST",
            "/goog/cdp/execute",
            {
                "cmd": "Emulation.setDeviceMetricsOverride",
                "params": {
                    "width": width,
                    "height": height,
                    "deviceScaleFactor": 1,
                    "mobile": False,
                },
            },
        )

    def prefer(self, *, dark: bool) -> None:
        """Set what pages are told of the reader's colours."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        wanted = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": [scheme]}}
        self._call("POST", "/goog/cdp/execute", wanted)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": keys}
        self._call("POST", "/actions", {"actions": [source]})

    def until(self, true: Callable[[], bool]) -> bool:
        """Wait until something is true, and return whether it became so."""
        end = time.monotonic() + _PATIENCE
        while not (there := true()) and time.monotonic() < end:
            time.sleep(0.05)
        return there

    def screenshot(self) -> bytes:
        """What is to be seen, as PNG."""
        return base64.b64decode(self._call("GET", "/screenshot"))

    def _find(self, css: str) -> str:
        found = self._call("POST", "/element", {"using": "css selector", "value": css})
        return str(found[_ELEMENT])
