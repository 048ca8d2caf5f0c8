"""The tap's command line as a process that is forked where the tap is already imported.

Starting Python and importing the SDK takes a second, forking a few milliseconds. What runs is the
same command line with its own standard streams, environment, folder and exit code.
"""

from __future__ import annotations

import importlib
import io
import multiprocessing
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        f"tap_visma_economic.{name}"
        for name in ("tap", "events", "connect.__main__", "webhooks.__main__")
    ]
)


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    folder: Path,
    timeout: float,
    began: Callable[[int], object] = lambda _: None,
    program: str = "tap-visma-economic",
    typed: str = "",
) -> tuple[int, bytes, bytes]:
    """Run the command line to its end and return its exit code, stdout and stderr.

    Args:
        arguments: those of the command line.
        env: its whole environment.
        folder: where it runs.
        timeout: seconds it may take.
        began: told the number of the process.
        program: the tap, `tap-visma-economic-connect` or `tap-visma-economic-webhooks`.
        typed: what it finds on standard input.

    Raises:
        TimeoutError: it did not end in time, and was killed.
    """
    out, err = folder / "stdout", folder / "stderr"
    line = [program, *arguments]
    process = _context.Process(target=_main, args=(line, dict(env), folder, typed, out, err))
    process.start()
    began(process.pid or 0)
    process.join(timeout)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
        raise TimeoutError(f"the tap runs for more than {timeout} s")
    process.close()
    return code, out.read_bytes(), err.read_bytes()


def _main(line: list[str], env: Mapping[str, str], folder: Path, typed: str, *files: Path) -> None:
    sys.stdin = io.StringIO(typed)
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.argv = line
    command = line[0].removeprefix("tap-visma-economic").removeprefix("-")
    if command:
        importlib.import_module(f"tap_visma_economic.{command}.__main__").main()
        return
    from tap_visma_economic.tap import TapVismaEconomic  # noqa: PLC0415

    TapVismaEconomic.cli()
