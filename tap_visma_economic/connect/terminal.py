"""The person in front of the screen: questions, a browser to open, a code to scan.

Everything said goes to stderr. Standard output is left for the token, if it is asked for there.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
import webbrowser
from typing import TYPE_CHECKING

import click

from tap_visma_economic.connect.installation import is_token
from tap_visma_economic.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator


def say(text: str = "") -> None:
    """Say something, without what a company's name could do to a terminal."""
    click.echo("".join(c if c.isprintable() or c == "\n" else " " for c in text), err=True)


def is_there() -> bool:
    """Return whether somebody can be asked again."""
    return sys.stdin.isatty()


def ask(question: str) -> str:
    """Return a line of text.

    Raises:
        ConfigError: there is no line to read.
    """
    return _line(question, hidden=False)


def ask_secret(question: str) -> str:
    """Return a line of text that is not shown while it is typed."""
    return _line(question, hidden=True)


def ask_token(question: str) -> str:
    """Return a token that is not shown while it is typed.

    Raises:
        ConfigError: what was typed cannot be one.
    """
    token = ask_secret(question).strip()
    if not is_token(token):
        raise ConfigError("That is not a token: it must be letters, digits and signs alone")
    return token


def _line(question: str, *, hidden: bool) -> str:
    try:
        while not (answer := _read(question, hidden=hidden).strip()):
            pass
    except EOFError:
        raise ConfigError(f"{question}: not given, and there is nobody to ask") from None
    return answer


def _read(question: str, *, hidden: bool) -> str:
    """Ask once.

    Meltano takes stderr line by line, so a question that is no whole line would stay unseen there;
    one whose answer is hidden goes to the terminal itself.
    """
    if hidden and is_there():
        return getpass.getpass(f"{question}: ")
    say(f"{question}:")
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def has_browser() -> bool:
    """Return whether a browser with a window can be opened on this machine, for this person.

    A browser that runs in the terminal itself would not do: it would take the terminal away.
    """
    if os.environ.get("BROWSER"):
        return True
    if os.environ.get("SSH_CONNECTION"):
        return False  # a window would open on the far machine's screen, if it has one
    key_ranges = sys.platform in {"darwin", "win32"}
    return key_ranges or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_browser(url: str) -> bool:
    """Open a URL in a new tab, and return whether a browser took it."""
    try:
        with _apart():
            return webbrowser.open(url, new=2)
    except webbrowser.Error:
        return False


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Keep programs that are started off our stdout, and off a stderr that is no terminal.

    What a browser prints does not belong beside the token, and one that stays open would keep pipes
    open: `token=$(tap-visma-economic-connect --stdout)` would wait until it is closed.
    """
    ours = {number: os.dup(number) for number in (1, 2)}
    theirs = os.dup(2) if sys.stderr.isatty() else os.open(os.devnull, os.O_WRONLY)
    try:
        for number in ours:
            os.dup2(theirs, number)
        yield
    finally:
        for number, kept in ours.items():
            os.dup2(kept, number)
            os.close(kept)
        os.close(theirs)


def show_code(url: str) -> None:
    """Show a URL as a QR code, where there is a screen for it and segno is installed."""
    if not sys.stderr.isatty():
        return
    try:
        import segno  # noqa: PLC0415  an extra: the tap itself has no use for it
    except ImportError:
        say("(A QR code stands here after: pip install segno)")
        return
    segno.make(url, error="l").terminal(out=sys.stderr, compact=True)
