"""The person in front of the screen: questions, messages, and a browser to open.

Messages go to stderr; stdout is for the tokens, if they are to be printed.
"""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
import sys

import click

from tap_visma_economic.agreements_file import is_token
from tap_visma_economic.config import PREFIX
from tap_visma_economic.errors import ConfigError


def say(text: str) -> None:
    """Print a message, without what a company's name could do to a terminal."""
    click.echo("".join(c if c.isprintable() or c == "\n" else " " for c in text), err=True)


def is_there() -> bool:
    """Return whether somebody can be asked again."""
    return sys.stdin.isatty()


def ask(question: str, *, hidden: bool = False) -> str:
    """Return the answer to a question; a hidden one is not echoed."""
    while True:
        # Meltano passes stderr on line by line: a question without a line end would not be seen.
        if hidden and is_there():
            line = getpass.getpass(f"{question}: ")
        else:
            say(f"{question}:")
            line = sys.stdin.readline()
            if not line:
                raise ConfigError(f"{question} is required, and there is no terminal to ask on")
        if line.strip():
            return line.strip()


def ask_app_secret() -> str:
    """Return the app's secret token."""
    token = ask("App secret token (hidden)", hidden=True)
    if not is_token(token):
        raise ConfigError("Not a valid token: it contains characters that tokens never have")
    return token


def print_exports(**tokens: str) -> None:
    """Print settings for a shell, unbuffered: Python would write what is left in a buffer again."""
    lines = [f"export {PREFIX}{name.upper()}={shlex.quote(it)}\n" for name, it in tokens.items()]
    try:
        os.write(sys.stdout.fileno(), "".join(lines).encode())
    except OSError as error:
        raise ConfigError(f"standard output cannot be written: {error.strerror}") from None


def has_browser() -> bool:
    """Return whether a browser with a window can be opened on this machine, for this person.

    A browser that runs in the terminal would not do: it would take the terminal away.
    """
    if os.environ.get("BROWSER"):
        return True
    if os.environ.get("SSH_CONNECTION"):
        return False  # a window would open on the remote machine's screen, if it has one
    has_windows = sys.platform in {"darwin", "win32"}
    return has_windows or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_browser(url: str) -> None:
    """Open a URL in a new tab.

    In a process of its own: what a browser prints does not belong beside the tokens, and one that
    stays open would keep our pipes open, on which `eval "$(... --export)"` would wait.
    """
    command = [sys.executable, "-m", "webbrowser", "-t", url]
    nothing = subprocess.DEVNULL
    subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, check=False)  # noqa: S603
