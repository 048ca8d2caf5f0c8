"""The tap's command line as a process that is forked where the tap is already imported.

Starting Python and importing the SDK takes a second, forking a few milliseconds. What runs is the
same command line with its own standard streams, environment, folder and exit code.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [f"tap_visma_economic.{name}" for name in ("tap", "events", "webhooks.__main__")]
)


def run(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    folder: Path,
    timeout: float,
    began: Callable[[int], object] = lambda _: None,
    program: str = "tap-visma-economic",
) -> tuple[int, bytes, bytes]:
    """Run the command line to its end and return its exit code, stdout and stderr.

    Args:
        arguments: those of the command line.
        env: its whole environment.
        folder: where it runs.
        timeout: seconds it may take.
        began: told the number of the process.
        program: the tap, or `tap-visma-economic-webhooks`.

    Raises:
        TimeoutError: it did not end in time, and was killed.
    """
    out, err = folder / "stdout", folder / "stderr"
    line = [program, *arguments]
    process = _context.Process(target=_main, args=(line, dict(env), folder, out, err))
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


def _main(line: list[str], env: Mapping[str, str], folder: Path, *files: Path) -> None:
    for descriptor, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.argv = line
    if line[0].endswith("-webhooks"):
        from tap_visma_economic.webhooks.__main__ import main  # noqa: PLC0415

        main()
        return
    from tap_visma_economic.tap import TapVismaEconomic  # noqa: PLC0415

    TapVismaEconomic.cli()
