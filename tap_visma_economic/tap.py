"""The tap: settings, streams, and how a run ends."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import sys
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError, MappingError
from singer_sdk.helpers._batch import BaseBatchFileEncoding, StorageTarget
from singer_sdk.helpers._catalog import get_selected_schema

from tap_visma_economic import access, schemas
from tap_visma_economic.cli import CommandLine, about_maps
from tap_visma_economic.config import environment, files, settings
from tap_visma_economic.errors import ConfigError, EconomicError, Stopped, TargetGone, counted
from tap_visma_economic.progress import progress
from tap_visma_economic.reconcile import reconcile
from tap_visma_economic.run import Run
from tap_visma_economic.signals import StopFlag
from tap_visma_economic.streams import STREAMS
from tap_visma_economic.streams.agreement import Agreements
from tap_visma_economic.writer import BufferedWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.stream import EconomicStream
    from tap_visma_economic.writer import PatientStateWriter


_PAID = {vars(stream)["name"] for stream in STREAMS if access.paid_module_of(stream)}


class TapVismaEconomic(CommandLine):
    """Singer tap for Visma e-conomic, Danish cloud accounting."""

    name = "tap-visma-economic"
    package_name = "tap-visma-economic"
    config_jsonschema = settings.SETTINGS.to_dict()
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
        filled = settings.with_environment(config or {})
        if parse_env_config:
            filled |= self._from_environment()
        settings.check_tokens(filled, required=validate_config)
        settings.keep_tokens_out_of_logs(filled)
        settings.check_maps(filled)
        logging.getLogger("singer_sdk.mapper").addFilter(_is_warning)  # its news quote settings
        try:
            super().__init__(config=filled, validate_config=validate_config, **kwargs)
        except ConfigValidationError as error:
            settings.check_schema(filled, error.schema or {})  # the SDK's words show values
            raise ConfigError("The settings are not valid") from None
        self.logger.addFilter(_is_worth_a_line)
        if validate_config:
            settings.check(self.config)

    def setup_mapper(self) -> None:
        """Make the stream maps, over schemas whose numbers have the form the settings name.

        A catalog cannot carry it: the SDK's has no precision.

        Raises:
            MappingError: they cannot be used.
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
            raise MappingError from error  # an expression of theirs failed

    def _from_environment(self) -> dict[str, Any]:
        """Return the settings in the environment, which the SDK reads but does not check."""
        schema = self.every_setting()
        found: dict[str, Any] | None = None
        files.load_variables(Path(".env"))
        nowhere = os.devnull  # the SDK would look above its own folder, and let that file win
        with contextlib.suppress(ValueError):  # its words would show the value
            found = parse_environment_config(schema, self._env_var_prefix, dotenv_path=nowhere)
        environment.check(schema, self._env_var_prefix)
        if found is None:
            raise ConfigError("A setting in the environment cannot be read")
        for name in environment.unknown(schema, self._env_var_prefix):
            self.logger.warning("There is no setting for %s: it has no effect", name)
        return environment.with_numbers(found, schema)

    @classmethod
    def every_setting(cls) -> dict[str, Any]:
        """Return the JSON Schema of all settings: the tap's own, and those that the SDK adds."""
        schema = copy.deepcopy(cls.config_jsonschema)
        cls.append_builtin_config(schema)
        return schema

    def discover_streams(self) -> Sequence[EconomicStream]:
        """Return the streams of the catalog: no network, no credentials."""
        everything = self._run.setting("all_streams")
        streams = [one for one in STREAMS if everything or one.selected_by_default]
        return [stream(self, self._run) for stream in streams]

    @property
    def state_writer(self) -> PatientStateWriter:
        """Writes STATE, not too often."""
        return self._run.state_writer

    @cached_property
    def _run(self) -> Run:
        """What the streams share."""
        return Run(
            self.config,
            self.state,
            stop=self.stop,
            writer=self.message_writer,
            user_agent=f"{self.name}/{self.plugin_version}",
            make=lambda stream: stream(self, self._run),
            read_self=lambda http: self._run.stream(Agreements).fetch(http, {}, {}),
        )

    @property
    def _economic_streams(self) -> list[EconomicStream]:
        """The streams of the catalog, which the SDK knows as streams of any kind."""
        streams: Iterable[Any] = self.streams.values()
        return list(streams)

    # The run

    def run(self) -> int:
        """Read everything selected, write it, and return the exit code.

        A stop, a target that went away and every error a user can mend end in plain words. What
        was read by then is on its way out in whole lines, with a state that tells no more.
        """
        try:
            self._warn_of_what_has_no_effect()
            self._check_batches()
            _ = self._run.agreements  # before the first message: without a company there is no run
            with contextlib.suppress(Stopped), progress() as self._run.progress:
                self._plan_ahead()
                self.sync_all()
                self._tell_what_is_selected()
                self._reconcile()
                self._run.outcome.conclude(_PAID)
            if self.stop.signum is None or not self.config.get("batch_config"):
                self._run.finish()  # a cut batch has no manifest: the state before it must do
            self.message_writer.flush()
        except TargetGone as gone:
            if self.stop.signum is not None:  # Ctrl-C went to both ends of the pipe
                return self.end()
            self.logger.error("%s: the run is not complete", gone)  # noqa: TRY400
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except EconomicError as error:
            self.logger.error("%s", error)  # noqa: TRY400
            return 1
        except MappingError as error:
            self.logger.error("%s", about_maps(error))  # noqa: TRY400
            return 1
        except (ImportError, OSError) as error:
            self.logger.error("%s", _about_batches(error))  # noqa: TRY400
            return 1
        except Stopped:
            pass
        finally:
            self.stop.finish()
        return self.end()

    def _tell_what_is_selected(self) -> None:
        """Say it in one line: the SDK has one for each stream that is not."""
        count = sum(bool(stream.selected) for stream in self.streams.values())
        if not count:
            self.logger.warning(
                "No stream is selected: nothing is read. A selection that fits no stream's name "
                "selects nothing; --discover lists the names"
            )
        elif count < len(self.streams):
            self.logger.info("Selected: %d of %d streams", count, len(self.streams))

    def _plan_ahead(self) -> None:
        self._run.prefetcher.plan(
            ((stream.name, agreement.number), partial(stream.begin, agreement))
            for stream in self._economic_streams
            if stream.selected
            for agreement in self._run.agreements
        )

    def _warn_of_what_has_no_effect(self) -> None:
        for name in sorted(set(self.config) - set(self.every_setting()["properties"])):
            shown = settings.shown_name(name, self.config)
            self.logger.warning("There is no setting %s: it has no effect", shown)
        missing = {entry.tap_stream_id for entry in self.catalog.streams} - set(self.streams)
        if missing:
            self.logger.warning(
                "The catalog names streams that are only there with all_streams: %s",
                ", ".join(sorted(missing)),
            )

    def _check_batches(self) -> None:
        """See that the SDK can write batches as `batch_config` says.

        Raises:
            ConfigError: which part of it is wrong.
        """
        if not (batches := self.config.get("batch_config")):
            return
        parts: dict[str, Callable[[Any], object]] = {
            "encoding": BaseBatchFileEncoding.from_dict,
            "storage": lambda storage: StorageTarget.from_dict(storage).get_url("batch"),
        }
        for name, make in parts.items():
            if not batches.get(name):
                raise ConfigError(f"batch_config has no {name}, which the SDK needs for batches")
            try:
                make(batches[name])
            except (TypeError, ValueError):
                wrong = f"batch_config: its {name} is none that the SDK can use"
                raise ConfigError(wrong) from None

    def _reconcile(self) -> None:
        """Compare the ledger with e-conomic's own totals, if the settings ask for it now."""
        wanted = self._run.setting("reconcile")
        due = not self._run.setting("full_refresh_days") or "booked_entries" in self._run.read_anew
        if wanted != "none" and due:
            reconcile(self._run, fail=wanted == "fail")

    def findings(self) -> Iterator[tuple[Agreement, access.Findings]]:
        """Yield each company with what was found out about its grant, stream by stream."""
        for agreement in self._run.agreements:
            yield agreement, access.ask_all(self._run, self._economic_streams, agreement)

    def try_access(self) -> Iterator[str]:
        """Yield a report for each company: who it is, and which streams its grant may read."""
        for agreement, findings in self.findings():
            for name, found in findings.items():
                if found.access is access.Access.FAILED and found.error and not agreement.refused:
                    self._run.outcome.fail(name, agreement, found.error)
                elif found.access is access.Access.NO:
                    self._run.outcome.deny(name, agreement)
                elif found.access is access.Access.YES and name != Agreements.name:
                    self._run.outcome.allow(agreement)
            yield access.report(agreement, findings, STREAMS)
        self._run.outcome.conclude(_PAID)

    def end(self) -> int:
        """Sum the run up, and return its exit code."""
        skipped, failed = self._run.outcome.summary()
        for line in skipped:
            self.logger.warning("%s", line)
        for line in failed:
            self.logger.error("%s", line)
        if self.stop.signum is not None:
            self.logger.warning("Stopped by a signal: the next run goes on from the last state")
            return 128 + self.stop.signum
        streams, rows = self._run.outcome.totals()
        if streams:
            self._tell_costs()
        read = f"{counted(rows, 'row')} of {counted(streams, 'stream')}"
        if failed:
            self.logger.error("The run is not complete: see above. %s have been written", read)
        elif streams:
            companies = counted(len(self._run.agreements.usable), "company", "companies")
            self.logger.info("Complete: %s, %s", read, companies)
        return self._run.outcome.exit_code

    def _tell_costs(self) -> None:
        self.logger.info("What it took:\n%s", self._run.costs.table())
        for agreement in self._run.agreements:
            if agreement.http.waited >= 1:
                self.logger.info(
                    "Waited %.0f s in all for the call budget of %s",
                    agreement.http.waited,
                    agreement,
                )


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Return whether a line of the log is more than the SDK's on a stream nobody asked for."""
    return not str(record.msg).startswith("Skipping deselected stream")


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _about_batches(error: ImportError | OSError) -> str:
    """Return what is wrong with the files that the SDK writes."""
    if isinstance(error, OSError):
        return f"A file cannot be read or written: {error.strerror}"
    return f"The setting batch_config needs a package that is not installed: {error}"
