"""The command line. Its options are the SDK's; how it ends is not.

A user's mistake ends in one line instead of a traceback, an incomplete run ends with exit code 1,
and the process does not wait for requests in flight.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import typing as t
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, cast

import click
from singer_sdk import Tap
from singer_sdk.exceptions import MappingError
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import Self

from tap_visma_economic import files
from tap_visma_economic.errors import EconomicError, Stopped
from tap_visma_economic.signals import StopFlag, signals_wait
from tap_visma_economic.streams import STREAMS

logger = logging.getLogger("tap-visma-economic")

_HELP = "Read Visma e-conomic, and write Singer messages to stdout and a log to stderr."
_MORE = "tap-visma-economic-connect gets the token of a company. --about lists the settings."


class CommandLine(Tap):
    """What each option of the command line does."""

    stop: StopFlag

    @abstractmethod
    def run(self) -> int:
        """Read everything selected, write it, and return the exit code."""

    @abstractmethod
    def try_access(self) -> Iterator[str]:
        """Yield a report for each company: who it is, and which streams its grant can read."""

    @abstractmethod
    def end(self) -> int:
        """Log the report of the run, and return its exit code."""

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command, with help texts that are true of this tap."""
        command = super().get_singer_command()
        command.help = _HELP
        command.epilog = _MORE
        (test,) = (option for option in command.params if option.name == "test")
        cast("click.Option", test).help = (
            "Report for each company which streams its grant can read, without reading data. "
            "--test=schema writes only the schemas."
        )
        return command

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: t.IO[str] | None = None,
        catalog: t.IO[str] | None = None,
    ) -> None:
        """Run the tap. The arguments are the SDK's."""
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        with explained():
            tap = cls._started(
                config,
                state=files.read_state(state),
                catalog=_with_keys(files.read_catalog(catalog)),
            )
        _exit_at_once(tap.run())

    @classmethod
    def _started(cls, config: _ConfigInput | None, **options: Any) -> Self:
        """Return the tap, which from then on a signal stops in good order."""
        with signals_wait():
            tap = cls(
                config=config.config if config else None,
                parse_env_config=bool(config and config.parse_env),
                **options,
            )
            tap.stop.listen()
        return tap

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the settings files."""
        with explained():
            for path in value:
                if path != "ENV":
                    files.check_config(path)
        return super().cb_config(ctx, param, value)

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        """Print the catalog."""
        with explained():
            super().cb_discover(ctx, param, value)

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Print for each company which streams its grant can read.

        The report goes to stdout, where a run's Singer messages would be; errors go to stderr.
        """
        if value != CliTestOptionValue.All.value:
            with explained():
                super().cb_test(ctx, param, value)
            return
        with explained():
            tap = cls._started(ctx.params.get("config"))
            with contextlib.suppress(Stopped):
                for report in tap.try_access():
                    click.echo(report)
        _exit_at_once(tap.end())
        ctx.exit()


def _exit_at_once(code: int) -> None:
    """End a run that failed or was stopped, without waiting for requests in flight."""
    if code:
        logging.shutdown()
        os._exit(code)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """End the process with one line instead of a traceback where a user can fix the error."""
    try:
        yield
    except EXPLAINED as error:
        logger.error("%s", explanation(error))  # noqa: TRY400
        sys.exit(1)


EXPLAINED = (EconomicError, MappingError, ImportError, OSError)
"""Errors that a user can fix: in a run, the last two come from writing batches."""


def explanation(error: Exception) -> str:
    """Return what happened and what to do, in one line."""
    if isinstance(error, MappingError):  # its own text quotes the expression, which may be secret
        causes = [error, error.__cause__] if error.__cause__ else [error]
        kinds = ", ".join(type(cause).__name__ for cause in causes)
        return f"The setting stream_maps cannot be used ({kinds})"
    if isinstance(error, ImportError):
        return f"The setting batch_config needs a package that is not installed: {error}"
    if isinstance(error, OSError):
        return f"A file cannot be read or written: {error.strerror}"
    return str(error)


def _with_keys(catalog: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a catalog in which keys are selected: targets identify rows by them."""
    streams: Iterable[Any] = STREAMS
    declared = {stream.name: stream.primary_keys for stream in streams}
    for entry in (catalog or {}).get("streams", []):
        keys = {*declared.get(entry["tap_stream_id"], ()), *(entry.get("key_properties") or ())}
        for part in entry.get("metadata") or ():
            if len(part["breadcrumb"]) == 2 and part["breadcrumb"][-1] in keys:  # noqa: PLR2004
                part["metadata"]["inclusion"] = "automatic"
    return catalog
