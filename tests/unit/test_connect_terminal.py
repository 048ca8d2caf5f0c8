"""Whether there is a browser to open for the person at the terminal."""

from __future__ import annotations

import pytest

from tap_visma_economic.connect import terminal

NAMES = ("BROWSER", "DISPLAY", "SSH_CONNECTION", "WAYLAND_DISPLAY")
SSH = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}


@pytest.mark.parametrize(
    ("platform", "env", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"DISPLAY": ":10", **SSH}, False),
        ("linux", {"BROWSER": "our-browser %s", **SSH}, True),
        ("darwin", {}, True),
        ("darwin", SSH, False),
        ("win32", {}, True),
    ],
)
def test_a_browser_is_opened_only_where_its_window_is_seen(
    monkeypatch: pytest.MonkeyPatch, platform: str, env: dict[str, str], expected: bool
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert terminal.has_browser() is expected


def test_what_could_play_tricks_with_a_terminal_is_not_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.say("Firma \x1b[2J\x07 & Søn\nnext")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Firma  [2J  & Søn\nnext\n")
