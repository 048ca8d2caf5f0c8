"""`tap-visma-economic-connect` run the way a user runs it, while something else plays the user."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from scripts.local import environment, process
from tests import warm
from tests.conftest import clean_environment
from tests.sandbox.approval import installation_url
from tests.support import APP, CANARY, NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sandbox import Sandbox

_PATIENCE = 60
_SCREEN = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "SSH_CONNECTION")


@dataclass
class Ended:
    """How a command ended, and everything it said."""

    exit_code: int
    stdout: str
    stderr: str

    def keeps_secrets(self) -> None:
        """No token anywhere, and no traceback."""
        assert "Traceback" not in self.stderr
        assert CANARY not in self.stderr
        assert CANARY not in self.stdout


class Running:
    """A command that waits for a browser. `url` is what it says to open."""

    def __init__(self, started: subprocess.Popen[str], url: str, before: str) -> None:
        self.url = url
        self._started = started
        self._before = before

    @property
    def redirect_url(self) -> str:
        """Where e-conomic sends the browser."""
        return parse_qs(urlsplit(self.url).query)["redirectUrl"][0]

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._started.poll() is not None

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._started.send_signal(signal.SIGINT)

    def wait(self) -> Ended:
        """Wait for the end."""
        out, err = self._started.communicate(timeout=_PATIENCE)
        return Ended(self._started.returncode, out, self._before + err)


class Connect:
    """The command, in a folder of its own, for the app of a sandbox.

    Args:
        folder: where it runs, and where it stores.
        sandbox: the e-conomic it talks to.
    """

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.folder = folder
        self.sandbox = sandbox
        urls = {"rest_url": sandbox.url, "openapi_url": sandbox.url}
        inherited = {k: v for k, v in clean_environment().items() if k not in _SCREEN}
        self.env = {**inherited, **environment(urls)}

    def arguments(self, *arguments: str) -> list[str]:
        """These arguments, for the sandbox's app."""
        return [f"--app={installation_url(self.sandbox.url)}", *arguments]

    def command(self, *arguments: str) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "tap_visma_economic.connect", *self.arguments(*arguments)]

    def in_language(self, locale: str) -> str:
        """The argument with which e-conomic's page is in a language."""
        return f"--app={installation_url(self.sandbox.url)}&locale={locale}"

    def __call__(self, *arguments: str, typed: str = f"{APP}\n") -> Ended:
        """Run it to its end, with what is typed on standard input."""
        code, out, err = warm.run(
            self.arguments(*arguments),
            env=self.env,
            folder=self.folder,
            timeout=_PATIENCE,
            program="tap-visma-economic-connect",
            typed=typed,
        )
        for name in ("stdout", "stderr"):  # what is left in the folder is its own
            (self.folder / name).unlink()
        return Ended(code, out.decode(), err.decode())

    def run(self, line: list[str], typed: str) -> Ended:
        """Run another command line as this one is run, as a new process."""
        done = subprocess.run(
            line,
            input=typed,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.env,
            timeout=_PATIENCE,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def paste(self, token: str, *arguments: str, secret: str | None = APP) -> Ended:
        """Run it with a token that is pasted. A secret of None is not asked for."""
        typed = f"{secret}\n{token}\n" if secret else f"{token}\n"
        return self("--paste", *arguments, typed=typed)

    @contextlib.contextmanager
    def waiting(self, *arguments: str, secret: str | None = APP, **env: str) -> Iterator[Running]:
        """Start it, and go on when it says which address to open."""
        with process(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as started:
            assert started.stdin is not None
            assert started.stderr is not None
            started.stdin.write(f"{secret}\n" if secret else "")
            started.stdin.flush()
            said = ""
            for line in started.stderr:
                said += line
                if line.startswith("Waiting"):
                    break
            found = re.search(r"^  (http\S+)$", said, re.MULTILINE)
            assert found, said
            yield Running(started, found[1], said)

    def at_a_terminal(self, *arguments: str, answers: list[tuple[str, str]]) -> Ended:
        """Run it at a terminal: wait for each question, then type the answer to it."""
        return at_a_terminal(self.command(*arguments), self.folder, self.env, answers)


def at_a_terminal(
    command: list[str], folder: Path, env: dict[str, str], answers: list[tuple[str, str]]
) -> Ended:
    """Run a command at a terminal: wait for each question, then type the answer to it."""
    program = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    with process(
        [sys.executable, "-c", program, *command],
        cwd=folder,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as started:
        assert started.stdin is not None
        assert started.stdout is not None
        said, left = "", list(answers)
        impatient = threading.Timer(_PATIENCE, started.kill)
        impatient.start()
        while sign := started.stdout.read(1):
            said += sign
            if left and said.endswith(left[0][0]):
                time.sleep(0.2)  # until it reads: Python would not see a Ctrl-C before
                started.stdin.write(left.pop(0)[1] + "\n")
                started.stdin.flush()
        impatient.cancel()
        assert not left, said
        return Ended(started.wait(_PATIENCE), said, "")


def lines_in(path: Path) -> list[dict[str, Any]]:
    """The lines of an agreements file in JSON Lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def line_of(company: int, token: str) -> dict[str, Any]:
    """The line of one company of `canary_sandbox`."""
    return {
        "agreement_number": NUMBER + company,
        "name": f"Firma {company}",
        "enabled": True,
        "agreement_grant_token": token,
    }
