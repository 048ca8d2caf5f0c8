"""The tap: settings, streams, and how a run ends."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import sys
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError, MappingError
from singer_sdk.helpers._batch import BaseBatchFileEncoding, StorageTarget
from singer_sdk.helpers._catalog import get_selected_schema

from tap_visma_economic import access, schemas
from tap_visma_economic.activate_version import ROWS
from tap_visma_economic.agreement import read_agreements
from tap_visma_economic.ahead import Ahead
from tap_visma_economic.auth import EconomicAuthenticator, origin_of
from tap_visma_economic.cli import CommandLine, about_maps
from tap_visma_economic.config import environment, files, settings
from tap_visma_economic.costs import Costs
from tap_visma_economic.errors import ConfigError, EconomicError, Stopped, TargetGone
from tap_visma_economic.http import HttpClient
from tap_visma_economic.outcome import Report
from tap_visma_economic.progress import Progress, progress
from tap_visma_economic.rate_limit import RateLimit
from tap_visma_economic.reconcile import reconcile
from tap_visma_economic.session import Transport
from tap_visma_economic.signals import StopFlag
from tap_visma_economic.streams import STREAMS
from tap_visma_economic.streams.agreement import Agreements as AgreementsStream
from tap_visma_economic.workers import SingleFlight
from tap_visma_economic.writer import BufferedWriter, PatientStateWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tap_visma_economic.agreement import Agreement, Agreements
    from tap_visma_economic.endpoint import Endpoint
    from tap_visma_economic.errors import GrantRefusedError
    from tap_visma_economic.stream import EconomicStream


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
        self.outcome = Report()
        self.costs = Costs()
        self.progress = Progress(None)
        self.read_anew: set[str] = set()
        self._making = threading.RLock()
        self._beside: dict[type[EconomicStream], EconomicStream] = {}
        self._parent_keys: SingleFlight[Any, list[tuple[Any, ...]]] = SingleFlight(self.stop)
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
        self._patient_state_writer = PatientStateWriter(self.message_writer)
        self.companies_before = self._companies_in_state()
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
            decimals = self.setting("decimals")
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
        everything = self.setting("all_streams")
        return [stream(self) for stream in STREAMS if everything or stream.selected_by_default]

    @property
    def state_writer(self) -> PatientStateWriter:
        """Writes STATE, not too often."""
        return self._patient_state_writer

    def setting(self, name: str) -> Any:
        """Return a setting, or its default."""
        return settings.value_of(self.config, name)

    # What the streams share

    @cached_property
    def transport(self) -> Transport:
        """The one way out to e-conomic."""
        return Transport(
            stop=self.stop,
            workers=self._most_requests,
            timeout=float(self.setting("request_timeout")),
            user_agent=self.setting("user_agent") or f"{self.name}/{self.plugin_version}",
            ca_bundle=self.setting("ca_bundle"),
        )

    @property
    def _most_requests(self) -> int:
        """Requests of all agreements that may be in flight."""
        return int(self.setting("concurrency") * self.setting("parallel_agreements"))

    @cached_property
    def agreements(self) -> Agreements:
        """The agreements to read; the first look asks each grant who it is.

        Raises:
            ConfigError: the settings cannot work, or no grant is usable.
        """
        for name, usual in (("rest_url", settings.REST_URL), ("openapi_url", settings.OPENAPI_URL)):
            if self.setting(name) != usual:
                self.logger.info("%s is %s, not e-conomic's own", name, self.setting(name))
        origins = [origin_of(self.setting(name)) for name in ("rest_url", "openapi_url")]
        secret = self.config["app_secret_token"]
        clients = [
            (where, self._http(EconomicAuthenticator(secret, token, origins)))
            for where, token in settings.grant_tokens(self.config)
        ]
        stream = AgreementsStream(self)  # whether it is selected or not
        agreements = read_agreements(
            clients,
            lambda http: stream.fetch(http, {}, {}),
            self.transport,
            count=self._most_requests,
        )
        for line in agreements.failures:
            self.outcome.refuse(line)
        for agreement in agreements:  # the next runs have to know whose rows the tables hold
            stream.get_context_state(agreement.context)
        return agreements

    def _http(self, grant: EconomicAuthenticator) -> HttpClient:
        return HttpClient(
            self.transport,
            grant,
            RateLimit(float(self.setting("rate_limit_share"))),
            most=self.setting("concurrency"),
            max_wait=float(self.setting("max_wait_minutes")) * 60,
        )

    @cached_property
    def ahead(self) -> Ahead:
        """Reads what comes next while the streams write what is here."""
        of_all = self.setting("concurrency") * len(self.agreements.usable)
        return Ahead(
            self.stop,
            lambda stream, agreement: stream.begin(agreement),
            requests=min(self._most_requests, of_all),
            long=self.setting("parallel_agreements"),
        )

    def _companies_in_state(self) -> set[int]:
        """The agreements that earlier runs have read, as the stream `agreements` remembers."""
        known = self.state.get("bookmarks", {}).get("agreements", {}).get("partitions", [])
        return {partition.get("context", {}).get("agreementNumber", 0) for partition in known}

    def rows_before(self, agreement: Agreement) -> dict[str, int]:
        """Return how many rows each stream of a company had when all of them were last read.

        It is in the state of `agreements`: one for each stream would be three times as long.
        """
        state = self.beside(AgreementsStream).get_context_state(agreement.context)
        found = state.setdefault(ROWS, {})
        if not isinstance(found, dict):
            found = state[ROWS] = {}
        return found

    def refuse(self, agreement: Agreement, error: GrantRefusedError) -> None:
        """Note that an agreement's grant was refused: it is left alone for the rest of the run."""
        agreement.refused = True
        self.logger.error("%s: %s", agreement, error)
        self.outcome.refuse(f"{agreement}: {error}")

    def beside(self, stream: type[EconomicStream]) -> EconomicStream:
        """Return a stream, whether the catalog holds it or not: one for the whole run."""
        with self._making:
            if stream not in self._beside:
                self._beside[stream] = stream(self)
            return self._beside[stream]

    def parent_keys(
        self, parent: type[EconomicStream], agreement: Agreement, columns: tuple[str, ...]
    ) -> list[tuple[Any, ...]]:
        """Return these columns of a parent listing's rows, read once per agreement and run."""
        wanted = (parent, agreement.number, columns)
        return self._parent_keys.get(
            wanted, lambda: list(self.beside(parent).keys(agreement, columns))
        )

    def forget_parents(self, parent: type[Endpoint], agreement: Agreement) -> None:
        """Let a parent's listing be read anew, which may have changed."""
        self._parent_keys.forget(lambda wanted: wanted[:2] == (parent, agreement.number))

    # The run

    def finish(self) -> None:
        """Write the last STATE and everything that waits before it."""
        self.state_writer.finish()
        self.message_writer.flush()

    def run(self) -> int:
        """Read everything selected, write it, and return the exit code.

        A stop, a target that went away and every error a user can mend end in plain words. What
        was read by then is on its way out in whole lines, with a state that tells no more.
        """
        try:
            self._warn_of_what_has_no_effect()
            self._check_batches()
            _ = self.agreements  # before the first message: without a company there is no run
            with contextlib.suppress(Stopped), progress() as self.progress:
                self._plan_ahead()
                self.sync_all()
                self._tell_what_is_selected()
                self._reconcile()
                self.outcome.conclude(_PAID)
            if self.stop.signum is None or not self.config.get("batch_config"):
                self.finish()  # a batch that was cut has no manifest: the state before it must do
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
        streams: Iterable[Any] = self.streams.values()
        self.ahead.plan(
            [
                (stream, agreement)
                for stream in streams
                if stream.selected
                for agreement in self.agreements
            ]
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
        wanted = self.setting("reconcile")
        due = not self.setting("full_refresh_days") or "booked_entries" in self.read_anew
        if wanted != "none" and due:
            reconcile(self, fail=wanted == "fail")

    def try_access(self) -> Iterator[str]:
        """Yield a report for each company: who it is, and which streams its grant may read."""
        for agreement in self.agreements:
            findings = access.ask_all(self, agreement)
            for name, found in findings.items():
                if found.access is access.Access.FAILED and found.error and not agreement.refused:
                    self.outcome.fail(name, agreement, found.error)
                elif found.access is access.Access.NO:
                    self.outcome.deny(name, agreement)
                elif found.access is access.Access.YES and name != AgreementsStream.name:
                    self.outcome.allow(agreement)
            yield access.report(agreement, findings, STREAMS)
        self.outcome.conclude(_PAID)

    def end(self) -> int:
        """Sum the run up, and return its exit code."""
        skipped, failed = self.outcome.summary()
        for line in skipped:
            self.logger.warning("%s", line)
        for line in failed:
            self.logger.error("%s", line)
        if self.stop.signum is not None:
            self.logger.warning("Stopped by a signal: the next run goes on from the last state")
            return 128 + self.stop.signum
        streams, rows = self.outcome.totals()
        if streams:
            self._tell_costs()
        read = f"{_counted(rows, 'row')} of {_counted(streams, 'stream')}"
        if failed:
            self.logger.error("The run is not complete: see above. %s have been written", read)
        elif streams:
            companies = _counted(len(self.agreements.usable), "company", "companies")
            self.logger.info("Complete: %s, %s", read, companies)
        return self.outcome.exit_code

    def _tell_costs(self) -> None:
        self.logger.info("What it took:\n%s", self.costs.table())
        for agreement in self.agreements:
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


def _counted(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"


def _about_batches(error: ImportError | OSError) -> str:
    """Return what is wrong with the files that the SDK writes."""
    if isinstance(error, OSError):
        return f"A file cannot be read or written: {error.strerror}"
    return f"The setting batch_config needs a package that is not installed: {error}"
