"""What the tests share: a local e-conomic, and the tap run the way a user runs it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import warm
from tests.sandbox.server import Sandbox
from tests.sandbox.standard import standard_grants
from tests.support import APP, GRANT, Firm, small_grants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ROOT = Path(__file__).parent.parent

Message = dict[str, Any]

OLD_PYTHON = re.compile(r".*SingerSDKPythonEOLWarning.*\n(?:  .*\n)?\n?")
"""What the SDK says of a Python that is not supported any more: not the tap's words."""


class Records(dict[str, list[dict[str, Any]]]):
    """Records by stream; none of a stream that is not there."""

    def __missing__(self, stream: str) -> list[dict[str, Any]]:
        return []


@dataclass
class Run:
    """One run of the tap's command line."""

    exit_code: int
    stderr: str
    messages: list[Message] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What came on stdout where that is no messages, as of `--test`."""
        return "".join(m["text"] for m in self.messages if m["type"] == "TEXT")

    @cached_property
    def records(self) -> Records:
        """The records by stream, in the order in which they came."""
        by_stream = Records()
        for message in self.messages:
            if message["type"] == "RECORD":
                by_stream.setdefault(message["stream"], []).append(message["record"])
        return by_stream

    @cached_property
    def schemas(self) -> dict[str, Message]:
        """The SCHEMA messages by stream."""
        return {m["stream"]: m for m in self.messages if m["type"] == "SCHEMA"}

    @property
    def errors(self) -> list[str]:
        """The lines of the log that are errors."""
        return [line for line in self.stderr.splitlines() if "| ERROR " in line]

    @property
    def warnings(self) -> list[str]:
        """The lines of the log that are warnings."""
        return [line for line in self.stderr.splitlines() if "| WARNING " in line]

    @property
    def state(self) -> dict[str, Any]:
        """The last STATE."""
        return next(m["value"] for m in reversed(self.messages) if m["type"] == "STATE")

    def bookmark(self, stream: str, agreement: int = 1234567) -> dict[str, Any]:
        """The last state of one stream and agreement."""
        partitions = self.state["bookmarks"][stream]["partitions"]
        return next(p for p in partitions if p["context"] == {"agreementNumber": agreement})


class TapRunner:
    """Runs `tap-visma-economic` as a process, with files in a folder of its own."""

    command = (sys.executable, "-m", "tap_visma_economic")
    timeout = 120  # seconds

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def arguments(self, config: dict[str, Any] | None, **files: Any) -> list[str]:
        """The command line for these settings, and for `state` and `catalog` if given."""
        line = list(self.command)
        for name, content in {"config": config, **files}.items():
            if content is not None:
                path = self.folder / f"{name}.json"
                path.write_text(json.dumps(content))
                line += [f"--{name}", str(path)]
        return line

    def __call__(
        self,
        config: dict[str, Any] | None,
        *extra: str,
        state: dict[str, Any] | None = None,
        catalog: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
    ) -> Run:
        """Run the tap to its end."""
        code, out, err = self.execute(
            [*self.arguments(config, state=state, catalog=catalog), *extra],
            {**clean_environment(), **(env or {})},
        )
        lines = out.splitlines()
        plain = {"--discover", "--about", "--test", "--version"} & set(extra)
        messages = [] if plain else [json.loads(line, parse_float=exact) for line in lines]
        run = Run(code, OLD_PYTHON.sub("", err.decode()), messages)
        if plain:
            run.messages = [{"type": "TEXT", "text": out.decode()}]
        return run

    def execute(self, arguments: list[str], env: dict[str, str]) -> tuple[int, bytes, bytes]:
        """Run a command line and return its exit code, stdout and stderr."""
        done = subprocess.run(
            arguments,
            capture_output=True,
            cwd=self.folder,
            env=env,
            timeout=self.timeout,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def discover(self, config: dict[str, Any] | None = None) -> dict[str, Any]:
        """The catalog."""
        run = self(config, "--discover")
        assert run.exit_code == 0, run.stderr
        catalog: dict[str, Any] = json.loads(run.messages[0]["text"])
        return catalog

    def catalog_of(self, *streams: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
        """A catalog of these streams alone, all of them selected."""
        wanted = json.dumps({**(config or {}), "all_streams": True})
        if wanted not in _catalogs:
            found = self.discover(json.loads(wanted))["streams"]
            _catalogs[wanted] = {it["tap_stream_id"]: json.dumps(it) for it in found}
        entries = [json.loads(text) for name, text in _catalogs[wanted].items() if name in streams]
        for entry in entries:
            root = next(m for m in entry["metadata"] if m["breadcrumb"] == [])
            root["metadata"]["selected"] = True
        return {"streams": entries}

    def read(
        self,
        sandbox: Sandbox,
        *streams: str,
        grants: Iterable[str] = (),
        code: int | None = 0,
        extra: Iterable[str] = (),
        state: dict[str, Any] | None = None,
        env: dict[str, str] | None = None,
        **settings: Any,
    ) -> Run:
        """Run the tap to its end.

        Args:
            sandbox: where it reads.
            streams: what is selected; none named means what is read by default.
            grants: whose companies it reads; none named means all.
            code: the exit code that it must end with; None if any will do.
            extra: more of the command line.
            state: the state that it begins with.
            env: more of the environment.
            settings: further settings.
        """
        catalog = None
        if streams:
            settings = {"all_streams": True, **settings}
            shaping = {name: settings[name] for name in SHAPING if name in settings}
            catalog = self.catalog_of(*streams, config=shaping)
        config = settings_for(sandbox, *(grants or sandbox.grants), **settings)
        run = self(config, *extra, catalog=catalog, state=state, env=env)
        assert code in {None, run.exit_code}, run.stderr
        return run

    def test(self, sandbox: Sandbox, **options: Any) -> Run:
        """Run `--test`; see `read` for what can be said of it."""
        return self.read(sandbox, extra=["--test"], **options)


SHAPING = ("include_links", "openapi_versions")
"""Settings by which a catalog differs."""

_catalogs: dict[str, dict[str, str]] = {}
"""What was discovered once already, by the settings: the entry of each stream."""


class WarmTapRunner(TapRunner):
    """Runs the same command line in a process that starts at once: see `warm`."""

    def began(self, pid: int) -> None:
        """A process has begun, for tests that interfere."""

    def execute(self, arguments: list[str], env: dict[str, str]) -> tuple[int, bytes, bytes]:
        """Run a command line and return its exit code, stdout and stderr."""
        own = arguments[len(self.command) :]
        return warm.run(own, env=env, folder=self.folder, timeout=self.timeout, began=self.began)


exact = Decimal
"""A JSON number with all its digits."""


def clean_environment() -> dict[str, str]:
    """The environment without settings of the tap."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TAP_VISMA_ECONOMIC_", "PAN_SEC_"))
    }


@pytest.fixture
def run_tap(tmp_path: Path) -> TapRunner:
    """The tap's command line, in an empty folder."""
    return TapRunner(tmp_path)


@pytest.fixture
def warm_tap(tmp_path: Path) -> TapRunner:
    """The tap's command line, in an empty folder, for tests that run it many times."""
    return WarmTapRunner(tmp_path)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """The standard companies. Tests that change rows or faults make a sandbox of their own."""
    with Sandbox(standard_grants("small")) as running:
        yield running


@pytest.fixture
def firm(warm_tap: TapRunner) -> Iterator[Firm]:
    """A small company of a test's own, whose tokens can be searched for."""
    with Firm(warm_tap, small_grants(GRANT), app_secret=APP) as running:
        yield running


def settings_for(sandbox: Sandbox, *grants: str, **more: Any) -> dict[str, Any]:
    """The tap's settings to read these grants of a sandbox."""
    config: dict[str, Any] = {
        "app_secret_token": sandbox.app_secret,
        "rest_url": sandbox.url,
        "openapi_url": sandbox.url,
    }
    if len(grants) == 1:
        config["agreement_grant_token"] = grants[0]
    elif grants:
        config["agreements"] = [{"agreement_grant_token": grant} for grant in grants]
    return {**config, **more}


@pytest.fixture
def config(sandbox: Sandbox) -> dict[str, Any]:
    """Settings to read the main company."""
    return settings_for(sandbox, "demo")


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first worker to come fills, for all workers of the session."""
    base = factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir(exist_ok=True)
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def built_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built by pip. It asks a package index for the build backend."""

    def build(folder: Path) -> None:
        wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        subprocess.run([*wheel, f"--wheel-dir={folder}", str(ROOT)], check=True, timeout=300)

    (wheel,) = made_once(tmp_path_factory, "wheel", build).glob("*.whl")
    return wheel
