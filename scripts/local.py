"""Run the sandbox and Meltano as processes of our own, and end them again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent

_OURS = ("MELTANO_", "PAN_SEC_", "TAP_VISMA_ECONOMIC_", "TARGET_")
"""Environment names that would make a run depend on whose shell it is started from."""

_PATIENCE = 10  # seconds that a process is given to end before it is killed


@contextlib.contextmanager
def process(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process in a group of its own; end the group when the block ends, however it does."""
    options = {"text": True, "start_new_session": True, **options}
    with subprocess.Popen(command, **options) as started:  # noqa: S603  the commands are our own
        try:
            yield started
        finally:
            if started.poll() is None:
                os.killpg(started.pid, signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    started.wait(_PATIENCE)
                with contextlib.suppress(ProcessLookupError):  # whoever is left of the group
                    os.killpg(started.pid, signal.SIGKILL)


@contextlib.contextmanager
def sandbox(*arguments: str) -> Iterator[dict[str, Any]]:
    """Start `python -m tests.sandbox` and yield the settings it prints.

    Raises:
        RuntimeError: it ended without printing them; stderr says why.
    """
    command = [sys.executable, "-m", "tests.sandbox", *arguments]
    with process(command, cwd=ROOT, stdout=subprocess.PIPE) as started:
        line = started.stdout.readline() if started.stdout else ""
        if not line:
            raise RuntimeError("The sandbox did not start")
        yield json.loads(line)


@dataclass(frozen=True)
class LogLine:
    """One line of Meltano's log.

    `plugin` is empty if Meltano wrote it; `logger` is the plugin's own, such as
    `tap-visma-economic.customers`; `metric` is what the SDK measured: `metric`, `value`, `tags`.
    """

    plugin: str
    logger: str
    level: str
    text: str
    metric: Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """What became of a `meltano` command: its exit code and its log."""

    exit_code: int
    log: list[LogLine]


class MeltanoProject:
    """This repository's meltano.yml in a folder, which is made if it is missing.

    Neither a `.env` nor the caller's environment nor earlier state has a say.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        text = (ROOT / "meltano.yml").read_text(encoding="utf-8")
        text = text.replace("pip_url: -e .\n", f"pip_url: -e {ROOT}\n")
        (folder / "meltano.yml").write_text(text, encoding="utf-8")

    def install(self, *plugins: str) -> Run:
        """Install plugins with uv, or with pip where uv does not get through."""
        run = self.meltano({}, "install", *plugins)
        if run.exit_code:
            run = self.meltano({"MELTANO_VENV_BACKEND": "virtualenv"}, "install", *plugins)
        return run

    def meltano(self, settings: Mapping[str, str], *arguments: str) -> Run:
        """Run `meltano` with these environment variables, to its end."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        meltano = str(Path(sys.executable).with_name("meltano"))
        command = [meltano, "--log-format=json", *arguments]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        options = {**pipes, "stderr": subprocess.PIPE, "encoding": "utf-8"}
        with process(command, cwd=self.folder, env={**kept, **settings}, **options) as started:
            log = [_log_line(line) for line in started.stderr or ()]
            return Run(started.wait(), log)


def environment(config: Mapping[str, Any]) -> dict[str, str]:
    """Return settings of the tap as environment variables."""
    return {
        f"TAP_VISMA_ECONOMIC_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in config.items()
    }


def _log_line(line: str) -> LogLine:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = {"event": line.strip()}
    return LogLine(
        plugin=entry.get("string_id", ""),
        logger=entry.get("plugin_logger", ""),
        level=entry.get("level", "info"),
        text=str(entry.get("event", "")),
        metric=entry.get("metric_info") or {},
    )
