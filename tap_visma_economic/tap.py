"""The tap: settings, streams, and how a run ends."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click
from singer_sdk import Stream, Tap
from singer_sdk.exceptions import MappingError
from singer_sdk.helpers._batch import BaseBatchFileEncoding, StorageTarget
from singer_sdk.helpers._catalog import get_selected_schema
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import Self

from tap_visma_economic import access, cli, files, schemas, sync_runs, validation
from tap_visma_economic.agreement import Agreement
from tap_visma_economic.agreements_file import Grant
from tap_visma_economic.by_stream import unpack
from tap_visma_economic.config import (
    SETTINGS,
    Schema,
    from_environment,
    from_pandium,
    tokens,
    unknown_variables,
    with_numbers,
)
from tap_visma_economic.errors import ConfigError, EconomicError, Stopped, TargetGone
from tap_visma_economic.progress import progress
from tap_visma_economic.reconcile import reconcile
from tap_visma_economic.redact import name_shown, redact_logs
from tap_visma_economic.run import Run
from tap_visma_economic.shard import divide, forget_others
from tap_visma_economic.signals import StopFlag, signals_wait
from tap_visma_economic.stream import INCREMENTAL, EconomicStream
from tap_visma_economic.streams import STREAMS
from tap_visma_economic.streams.agreement import Agreements
from tap_visma_economic.sync_runs import SyncRuns
from tap_visma_economic.writer import BufferedWriter, PatientStateWriter

if TYPE_CHECKING:
    from tap_visma_economic.events import Events

_PAID = {vars(stream)["name"] for stream in STREAMS if access.paid_module_of(stream)}


class TapVismaEconomic(Tap):
    """Singer tap for Visma e-conomic, Danish cloud accounting."""

    name = "tap-visma-economic"
    package_name = "tap-visma-economic"
    config_jsonschema = SETTINGS.to_dict()
    message_writer_class = BufferedWriter
    message_writer: BufferedWriter

    def __init__(
        self,
        *,
        config: dict[str, Any] | None = None,
        validate_config: bool = True,
        parse_env_config: bool = False,
        **kwargs: Any,
    ) -> None:
        self.stop = StopFlag()
        schema = self.every_setting()
        variables = self._variables(schema) if parse_env_config else {}
        settings = with_numbers({**from_pandium(), **(config or {}), **variables}, schema)
        validation.check_schema(settings, schema, variables=variables)
        redact_logs(tokens(settings))
        self._grants: list[Grant] = []
        self._other_shards: list[int] = []
        if validate_config:
            every_grant = validation.checked_grants(settings)
            redact_logs([*tokens(settings), *(grant.token for grant in every_grant)])
            validation.check(settings)
            self._grants, self._other_shards = divide(every_grant, settings)
        logging.getLogger("singer_sdk.mapper").setLevel(logging.WARNING)  # INFO quotes settings
        if settings.get("events_only"):  # what needs everything to be read is off
            settings |= {"emit_activate_version_messages": False, "reconcile": "none"}
            settings.pop("full_refresh_days", None)
        self.logger.addFilter(_is_of_use)
        super().__init__(config=settings, validate_config=validate_config, **kwargs)
        if (level := self.metrics_logger.level) > logging.INFO:
            # Meltano sets the level of all others: there, LOGLEVEL silences details by stream.
            for name in ("usage", *(vars(stream)["name"] for stream in STREAMS)):
                self.logger.getChild(name).setLevel(level)

    def _variables(self, schema: Schema) -> dict[str, Any]:
        """Return the settings in the environment and in .env of the working directory."""
        files.load_env_file(Path(".env"))
        for name in unknown_variables(schema):
            self.logger.warning("Ignoring unknown setting %s", name_shown(name))
        return from_environment(schema)

    def setup_mapper(self) -> None:
        """Set up the stream maps, with decimals of the type that the setting `decimals` names.

        The catalog cannot provide it: that of the SDK has no precision.
        """
        try:
            super().setup_mapper()
            decimals = self._run.setting("decimals")
            for entry in self.catalog.streams if decimals != "number" else ():
                name = entry.stream or entry.tap_stream_id
                mask = entry.metadata.resolve_selection()
                selected = get_selected_schema(name, entry.schema.to_dict(), mask)
                schema = schemas.with_decimals(selected, decimals)
                self.mapper.register_raw_stream_schema(name, schema, entry.key_properties)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise MappingError from error  # an expression failed

    def load_state(self, state: dict[str, Any]) -> None:
        """Load the state that the run begins with."""
        super().load_state(state)
        unpack(self.state)

    @classmethod
    def every_setting(cls) -> dict[str, Any]:
        """Return the JSON Schema of all settings, the SDK's included."""
        schema = copy.deepcopy(cls.config_jsonschema)
        cls.append_builtin_config(schema)
        return schema

    def discover_streams(self) -> Sequence[Stream]:
        """Return the streams of the catalog; needs neither network nor credentials."""
        everything = self._run.setting("all_streams")
        streams = [one for one in STREAMS if everything or not one.opt_in]
        return [*(stream(self, self._run) for stream in streams), SyncRuns(self, self._run)]

    @property
    def state_writer(self) -> PatientStateWriter:
        """Writes STATE every few seconds."""
        return self._run.state_writer

    @cached_property
    def _run(self) -> Run:
        """What the streams share."""
        return Run(
            self.config,
            self.state,
            self._grants,
            stop=self.stop,
            writer=self.message_writer,
            user_agent=f"{self.name}/{self.plugin_version}",
            make=lambda stream: stream(self, self._run),
            read_self=lambda http: self._run.stream(Agreements).fetch(http, {}, {}),
        )

    @property
    def shared(self) -> Run:
        """What the streams share, for commands beside the tap."""
        return self._run

    @property
    def _economic_streams(self) -> list[EconomicStream]:
        """The streams of the catalog, with their own type."""
        streams = self.streams.values()
        return [stream for stream in streams if isinstance(stream, EconomicStream)]

    # The run

    def run(self) -> int:
        """Read everything selected, write it, and return the exit code.

        However the run ends, the output is complete lines, and its state covers only written rows.
        """
        if self.config.get("shard_count") and not any(grant.enabled for grant in self._grants):
            self.logger.info("Complete: there are no companies in this shard")
            return 0
        try:
            self._warn_of_unknown_names()
            self._check_batches()
            forget_others(self.state, self._other_shards)
            events = self._events()
            if events and self._run.event_plan and not events.find():
                self.logger.info("No unread events, so nothing was read")
                return 0
            _ = self._run.agreements  # raises before any message is written
            with contextlib.suppress(Stopped), progress() as self._run.progress:
                self._read(events)
            if self._run.unchanged:
                self._run.unchanged.end()
            self._write_sync_runs()
            if self.stop.signum is None or not self.config.get("batch_config"):
                self._run.finish()  # an interrupted batch has no manifest: keep the state before
            self.message_writer.flush()
        except TargetGone as gone:
            if self.stop.signum is not None:  # Ctrl-C reached both ends of the pipe
                return self.end()
            self.logger.error("Incomplete: %s", gone)  # noqa: TRY400
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except cli.EXPLAINED as error:
            self.logger.error("%s", cli.explanation(error))  # noqa: TRY400
            return 1
        except Stopped:
            pass
        finally:
            self.stop.finish()
        return self.end()

    def _read(self, events: Events | None) -> None:
        """Read everything selected, or what events name."""
        if events and self._run.event_plan:
            for streams in events.phases():
                self._run.forget_digests(self._run.event_plan.includes)
                self._plan_ahead(streams)
                for stream in streams:
                    stream.sync()
            self._run.judge_grants()
            events.end()
            return
        self._skip_unchanged()
        self._plan_ahead(self._economic_streams)
        self._state_writer = self._run.state_writer  # the SDK's would write a STATE at once
        self.sync_all()
        self._log_selection()
        self._reconcile()
        self._run.judge_grants()
        self._run.report.conclude(_PAID)
        if events:
            events.end_night(self._other_shards)

    def _skip_unchanged(self) -> None:
        """Send no rows that the target has already, if the settings say so."""
        skips = self._run.setting("skip_unchanged") == "upsert"
        streams = self._economic_streams
        others = {s.name for s in streams if s.selected and s.replication_method == INCREMENTAL}
        self._run.forget_digests(lambda _, name: not skips or name in others)
        if skips:
            self._run.skip_unchanged()

    def _write_sync_runs(self) -> None:
        """Write what the run did for each company, and put the run into the state."""
        selected = [stream.name for stream in self._economic_streams if stream.selected]
        if cast("SyncRuns", self.streams[sync_runs.NAME]).finish(selected):
            self.state_writer.write_state(self.state)

    def _log_selection(self) -> None:
        """Log the selection in one line, in place of the SDK's line for each deselected stream."""
        count = sum(bool(stream.selected) for stream in self._economic_streams)
        if not count:
            self.logger.warning(
                "No streams are selected, so nothing was read. Check the selection against the "
                "names that --discover lists"
            )
        elif count < len(self._economic_streams):
            self.logger.info("Selected: %d of %d streams", count, len(self._economic_streams))

    def _plan_ahead(self, streams: Iterable[EconomicStream]) -> None:
        self._run.prefetcher.plan(
            ((stream.name, agreement.number), partial(stream.begin, agreement))
            for stream in streams
            if stream.selected
            for agreement in stream.agreements()
        )

    def _events(self) -> Events | None:
        """Return the webhook events, if the settings name an inbox."""
        if not (inbox := self.config.get("events_inbox")):
            return None
        from tap_visma_economic import events  # noqa: PLC0415  not without an inbox

        selected = [stream for stream in self._economic_streams if stream.selected]
        is_only = self.config.get("events_only")
        try:
            found = events.Events(self._run, selected, inbox)
        except EconomicError as error:
            if is_only:
                raise
            self.logger.warning("Events stay unread: %s", error)
            return None
        self._run.event_plan = found if is_only else None
        return found

    def _warn_of_unknown_names(self) -> None:
        for name in sorted(set(self.config) - set(self.every_setting()["properties"])):
            self.logger.warning("Ignoring unknown setting %s", name_shown(name))
        missing = {entry.tap_stream_id for entry in self.catalog.streams} - set(self.streams)
        if missing:
            self.logger.warning(
                "Ignoring streams of the catalog that do not exist or need all_streams: %s",
                ", ".join(sorted(missing)),
            )

    def _check_batches(self) -> None:
        """Check that the SDK can write batches as `batch_config` describes them."""
        parts: dict[str, Callable[[Any], object]] = {
            "encoding": BaseBatchFileEncoding.from_dict,
            "storage": lambda storage: StorageTarget.from_dict(storage).get_url("batch"),
        }
        if not (batches := self.config.get("batch_config")):
            return
        for name, make in parts.items():
            if not batches.get(name):
                raise ConfigError(f"batch_config needs {name}")
            try:
                make(batches[name])
            except (TypeError, ValueError):
                raise ConfigError(f"batch_config: the SDK cannot use this {name}") from None

    def _reconcile(self) -> None:
        """Compare the ledger with e-conomic's own totals, if the settings require it now."""
        wanted = self._run.setting("reconcile")
        in_full = "booked_entries" in self._run.read_in_full
        due = in_full or not self._run.setting("full_refresh_days")
        if wanted != "none" and due:
            reconcile(self._run, fail=wanted == "fail")

    def identify(self, grants: Iterable[Grant]) -> Iterator[tuple[Grant, Callable[[], Agreement]]]:
        """Yield each grant with a function that returns the agreement it opens, or raises why."""
        return self._run.identify(grants)

    def findings(self) -> Iterator[tuple[Agreement, access.Findings]]:
        """Yield each company with what its grant can read, stream by stream."""
        for agreement in self._run.agreements:
            yield agreement, access.check(self._run, self._economic_streams, agreement)

    def try_access(self) -> Iterator[str]:
        """Yield a report for each company: its identity, and which streams its grant can read."""
        for agreement, findings in self.findings():
            yield access.table(agreement, findings, STREAMS)
        self._run.judge_grants()
        self._run.report.conclude(_PAID)

    def end(self) -> int:
        """Log the report of the run, and return its exit code."""
        return self._run.report.close(self.stop.signum)

    # The command line: the options are the SDK's, how they end is not

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """Return the SDK's command, with help texts that are true of this tap."""
        command = super().get_singer_command()
        command.help = cli.HELP
        command.epilog = cli.MORE
        (test,) = (option for option in command.params if option.name == "test")
        cast("click.Option", test).help = cli.TEST
        return command

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap. The arguments are the SDK's."""
        super(Tap, cls).invoke(about=about, about_format=about_format)
        cls.print_version(print_fn=cls.logger.info)
        with cli.explained():
            tap = cls._started(
                config,
                state=files.read_state(state),
                catalog=cli.with_keys(files.read_catalog(catalog)),
            )
        cli.exit_at_once(tap.run())

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
        with cli.explained():
            for path in value:
                if path != "ENV":
                    files.read_config(path)  # for its errors: the SDK reads it again
        return super().cb_config(ctx, param, value)

    @classmethod
    def cb_discover(cls, ctx: click.Context, param: click.Option, value: bool) -> None:
        """Print the catalog."""
        with cli.explained():
            super().cb_discover(ctx, param, value)

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Print for each company which streams its grant can read.

        The report goes to stdout, where a run's Singer messages would be; errors go to stderr.
        """
        if value != CliTestOptionValue.All.value:
            with cli.explained():
                super().cb_test(ctx, param, value)
            return
        with cli.explained():
            tap = cls._started(ctx.params.get("config"))
            with contextlib.suppress(Stopped):
                for report in tap.try_access():
                    click.echo(report)
        cli.exit_at_once(tap.end())
        ctx.exit()


def _is_of_use(record: logging.LogRecord) -> bool:
    """Keep the SDK's lines on deselected streams and unread settings for the level DEBUG."""
    words = ("Skipping deselected stream", "Skipping parse of env var settings")
    detailed = logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
    return detailed or not str(record.msg).startswith(words)
