"""The command line: how the tap is called, and how a mistake of its user is told.

Its options are the SDK's. What is different is how it ends: with one line where the SDK would show
a traceback, with an exit code that tells a complete run from one that is not, and at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, cast

import click
from singer_sdk import Tap
from singer_sdk.exceptions import MappingError
from singer_sdk.tap_base import CliTestOptionValue

from tap_visma_economic.config import files
from tap_visma_economic.errors import EconomicError, Stopped
from tap_visma_economic.signals import signals_wait
from tap_visma_economic.streams import STREAMS

if TYPE_CHECKING:
    import typing as t
    from collections.abc import Iterable, Iterator

    from singer_sdk.plugin_base import _ConfigInput

    from tap_visma_economic.signals import StopFlag

logger = logging.getLogger("tap-visma-economic")

_HELP = "Read Visma e-conomic, and write Singer messages to stdout and a log to stderr."
_MORE = "tap-visma-economic-connect gets the token of a company. --about tells the settings."


class CommandLine(Tap):
    """What is done for each option of the command line. The tap itself knows how."""

    stop: StopFlag

    @abstractmethod
    def run(self) -> int:
        """Read everything selected, write it, and return the exit code."""

    @abstractmethod
    def try_access(self) -> Iterator[str]:
        """Yield a report for each company: who it is, and which streams its grant may read."""

    @abstractmethod
    def end(self) -> int:
        """Sum the run up, and return its exit code."""

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command line, with words of this tap's own where its are not true."""
        command = super().get_singer_command()
        command.help = _HELP
        command.epilog = _MORE
        (test,) = (option for option in command.params if option.name == "test")
        cast("click.Option", test).help = (
            "Tell for each company which streams its grant may read, and read no data. "
            "--test=schema writes the schemas alone."
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
        """Run the command line: the arguments are the SDK's."""
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        with _explained(), signals_wait():
            tap = cls(
                config=config.config if config else None,
                parse_env_config=bool(config and config.parse_env),
                state=files.state_of(state),
                catalog=_with_keys(files.catalog_of(catalog)),
            )
            tap.stop.listen()
        code = tap.run()
        if code:
            logging.shutdown()
            os._exit(code)  # answers still on their way, or waited for, are not needed any more

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the configuration files."""
        with _explained():
            for path in value:
                if path != "ENV":
                    files.check_config(path)
        return super().cb_config(ctx, param, value)

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        """Print the catalog."""
        with _explained():
            super().cb_discover(ctx, param, value)

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Print for each company which streams its grant may read.

        The report is what was asked for and no Singer message goes out beside it: it stands on
        stdout, to be kept or searched, and what went wrong is told on stderr as in a run.
        """
        if value != CliTestOptionValue.All.value:
            with _explained():
                super().cb_test(ctx, param, value)
            return
        given = ctx.params.get("config")
        with _explained(), signals_wait():
            tap = cls(
                config=given.config if given else None,
                parse_env_config=bool(given and given.parse_env),
            )
            tap.stop.listen()
        with _explained(), contextlib.suppress(Stopped):
            for report in tap.try_access():
                click.echo(report)
        if code := tap.end():
            logging.shutdown()
            os._exit(code)
        ctx.exit()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """End the process with one line where a user's mistake would end in a traceback."""
    try:
        yield
    except (EconomicError, MappingError) as error:
        told = about_maps(error) if isinstance(error, MappingError) else error
        logger.error("%s", told)  # noqa: TRY400
        sys.exit(1)


def about_maps(error: MappingError) -> str:
    """Return what the SDK says of stream maps, without the expression: it shows a setting."""
    kinds = [type(error).__name__, *([type(error.__cause__).__name__] if error.__cause__ else [])]
    return f"The setting stream_maps cannot be used ({', '.join(kinds)})"


def _with_keys(catalog: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a catalog in which keys are selected, or no target could tell rows apart."""
    streams: Iterable[Any] = STREAMS
    declared = {stream.name: stream.primary_keys for stream in streams}
    for entry in (catalog or {}).get("streams", []):
        keys = {*declared.get(entry["tap_stream_id"], ()), *(entry.get("key_properties") or ())}
        for part in entry.get("metadata") or ():
            if len(part["breadcrumb"]) == 2 and part["breadcrumb"][-1] in keys:  # noqa: PLR2004
                part["metadata"]["inclusion"] = "automatic"
    return catalog
