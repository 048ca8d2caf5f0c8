"""Questions, messages, and the user's browser. Messages go to stderr, tokens to stdout."""

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
    """Print a message; control characters, which a company's name could have, become spaces.

    `meltano invoke` captures stderr and logs each line of it, but leaves stdout to the terminal.
    """
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    click.echo(text, err=sys.stderr.isatty() or not sys.stdout.isatty())


def is_there() -> bool:
    """Return whether there is a terminal to repeat a question on."""
    return sys.stdin.isatty()


def ask(question: str, *, hidden: bool = False) -> str:
    """Return the answer to a question; a hidden one is not echoed."""
    while True:
        # Where Meltano forwards stderr line by line, a question without a line end would not show.
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
    """Print settings for a shell, unbuffered: Python would retry a buffered write that failed."""
    lines = [f"export {PREFIX}{name.upper()}={shlex.quote(it)}\n" for name, it in tokens.items()]
    try:
        os.write(sys.stdout.fileno(), "".join(lines).encode())
    except OSError as error:
        raise ConfigError(f"standard output cannot be written: {error.strerror}") from None


def has_browser() -> bool:
    """Return whether a browser can open a window that the user sees.

    One that runs in the terminal will not do, because the terminal is in use.
    """
    if os.environ.get("BROWSER"):
        return True
    if os.environ.get("SSH_CONNECTION"):
        return False  # the window would open on the remote machine
    has_windows = sys.platform in {"darwin", "win32"}
    return has_windows or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_browser(url: str) -> None:
    """Open a URL in a new tab, in a process of its own.

    A browser's output does not belong beside the tokens, and one that stays open would keep our
    pipes open, for which `eval "$(... --export)"` would wait.
    """
    command = [sys.executable, "-m", "webbrowser", "-t", url]
    nothing = subprocess.DEVNULL
    subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, check=False)  # noqa: S603
