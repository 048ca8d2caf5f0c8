"""The tap's command line, `tap-visma-economic` or `python -m tap_visma_economic`."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_BROKEN = (
    "The tap cannot start: {}. A package that it needs is installed in the wrong version, perhaps "
    "by another program in the same environment, such as a target. Give each an environment of its "
    "own, as pipx and Meltano do"
)


def main() -> None:
    """Run the command line.

    Importing the SDK takes a second. Until the tap has signal handlers of its own (see `signals`),
    Ctrl-C ends the process as SIGTERM does, without a traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    check_standard_streams()
    _check_log_level()
    gc.disable()
    try:
        from tap_visma_economic.tap import TapVismaEconomic  # noqa: PLC0415
    except (AttributeError, ImportError) as error:
        sys.exit(_BROKEN.format(error))
    gc.enable()
    gc.freeze()
    _share_heaps()
    TapVismaEconomic.cli()


def run_command(command: click.Command) -> None:
    """Run another command line, and end with an exit code and without a traceback."""
    import click  # noqa: PLC0415  the tap starts without

    from tap_visma_economic.errors import EconomicError, Stopped  # noqa: PLC0415

    check_standard_streams()
    try:
        command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt, Stopped):
        click.echo("\nStopped.", err=True)
        os._exit(128 + signal.SIGINT)  # without waiting for requests in flight
    except EconomicError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(getattr(error, "exit_code", 1))
    except OSError as error:  # of what is printed: a disk may be full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        click.echo(f"Error: Cannot read or write: {error.strerror}", err=True)
        sys.exit(1)


def check_standard_streams() -> None:
    """Replace a closed stderr by /dev/null, and end the process if stdout is closed."""
    if sys.stderr is None:  # the next file opened must not get its number
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if sys.stdout is None:
        sys.exit("stdout is closed: there is nowhere to write to")


def _check_log_level() -> None:
    """End the process if the log level is invalid; the SDK does not check it."""
    names = ("TAP_VISMA_ECONOMIC_LOGLEVEL", "LOGLEVEL")
    name = next((name for name in names if os.environ.get(name)), "")
    if os.environ.get(name, "INFO").upper() not in _LEVELS:
        sys.exit(f"{name} in the environment must be one of {', '.join(_LEVELS)}")


def _share_heaps() -> None:
    """Let all threads share two heaps of glibc.

    Pages are made in one thread and freed in another. With a heap for each thread, freed memory
    is not reused by the others: reading 500,000 entries took a third more memory. Other C
    libraries have no such option.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(-8, 2)  # M_ARENA_MAX


if __name__ == "__main__":
    main()
