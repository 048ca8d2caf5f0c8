"""`sync_runs`: a row for each company and run, so that a table shows which company is fresh.

It is a stream of its own, without an endpoint: the run writes its rows last, and then one more
STATE. A row's `proves` is the run of the company's last row in the state that this run began with,
so the target has confirmed everything which that run wrote.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream, Tap
from singer_sdk import typing as th

from tap_visma_economic.errors import GrantRefusedError, counted
from tap_visma_economic.records.values import now_text
from tap_visma_economic.redact import redacted

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Context

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.agreements_file import Grant
    from tap_visma_economic.run import Run

NAME = "sync_runs"

_CHANGING = "its rows kept changing while it was read; the next run may read more"


class SyncRuns(Stream):
    """What each run did for each company. Rows are only added."""

    name = NAME
    primary_keys = ("run", "grantDigest")
    schema = th.PropertiesList(
        th.Property("run", th.StringType, required=True, description="ID of the run."),
        th.Property(
            "grantDigest",
            th.StringType,
            required=True,
            description="Identifies the grant; it is derived from its token with the app's secret.",
        ),
        th.Property(
            "agreementNumber",
            th.IntegerType,
            description="The company; null if e-conomic did not return it.",
        ),
        th.Property("name", th.StringType, description="The company's name, if known."),
        th.Property("startedAt", th.DateTimeType, description="When the run started."),
        th.Property("endedAt", th.DateTimeType, description="When the run wrote this row."),
        th.Property(
            "outcome",
            th.StringType,
            allowed_values=["complete", "incomplete", "refused", "unreachable"],
            description="complete: every selected stream was read, or skipped because the grant "
            "may not read it. incomplete: some stream failed, or the run was stopped. refused: "
            "e-conomic rejected the grant (401). unreachable: /self could not be read.",
        ),
        th.Property("events", th.BooleanType, description="Whether it was an event run."),
        th.Property("rowCount", th.IntegerType, description="Rows written."),
        th.Property("calls", th.IntegerType, description="Responses received."),
        th.Property("tokens", th.IntegerType, description="Tokens taken from the rate limit."),
        th.Property(
            "waitedSeconds", th.IntegerType, description="Seconds of waiting for the rate limit."
        ),
        th.Property(
            "skipped",
            th.StringType,
            description="Streams that the grant may not read, and why, as a JSON object.",
        ),
        th.Property(
            "failed",
            th.StringType,
            description="What was not read completely, and why, as a JSON object by stream. The "
            "key /self stands for the whole company, / for a run that was stopped.",
        ),
        th.Property(
            "sentWhole",
            th.StringType,
            description="Streams of which the run certainly wrote every row, as a JSON array. A "
            "row of them that only an earlier run loaded is deleted in e-conomic, once a later run "
            "proves this one.",
        ),
        th.Property("tapVersion", th.StringType, description="Version of the tap."),
        th.Property("shard", th.StringType, description="Such as 3/8; null without shards."),
        th.Property(
            "proves",
            th.StringType,
            description="ID of the company's last run that the target has confirmed.",
        ),
    ).to_dict()

    def __init__(self, tap: Tap, run: Run) -> None:
        super().__init__(tap)
        self._run = run
        self._id = str(uuid.uuid4())
        self._started = now_text()
        self._is_described = False

    @property
    def emit_activate_version_messages(self) -> bool:
        """False: the message would delete the rows of earlier runs."""
        return False

    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:  # noqa: ARG002
        """Return nothing: `finish` writes the rows, once all other streams are read."""
        return ()

    def _write_schema_message(self) -> None:
        """Write SCHEMA once: in its turn, or with the rows if the run ended before."""
        if not self._is_described:
            self._is_described = True
            super()._write_schema_message()

    def finish(self, streams: Sequence[str]) -> bool:
        """Write the rows, put the run into the state, and return whether there are rows.

        Args:
            streams: the names of the selected ones.
        """
        rows = list(self._rows(streams)) if self.selected else []
        if rows:  # an event run may find that there is no company to read
            self._write_schema_message()
        for row in rows:
            self._write_record_message(dict.fromkeys(self.schema["properties"]) | row)
        return bool(rows)

    def _rows(self, streams: Sequence[str]) -> Iterator[dict[str, Any]]:
        config, run = self.config, self._run
        count = config.get("shard_count")
        common = {
            "run": self._id,
            "startedAt": self._started,
            "endedAt": now_text(),
            "events": bool(config.get("events_only")),
            "tapVersion": self._tap.plugin_version,
            "shard": f"{config['shard_index']}/{count}" if count else None,
        }
        for agreement in run.agreements:
            failed = self._failed(agreement, streams)
            outcome = "refused" if agreement.refused else "incomplete" if failed else "complete"
            yield {
                **common,
                "grantDigest": run.digest(agreement.grant),
                "agreementNumber": agreement.number,
                "name": agreement.name or None,
                "outcome": outcome,
                "rowCount": agreement.rows,
                "calls": agreement.http.rate_limit.calls,
                "tokens": agreement.http.rate_limit.spent,
                "waitedSeconds": round(agreement.http.waited),
                "skipped": self._json(agreement.skipped, agreement.grant),
                "failed": self._json(failed, agreement.grant),
                # a batch is a file, whose rows the target may load in another run
                "sentWhole": json.dumps(
                    [] if config.get("batch_config") else sorted(agreement.whole)
                ),
                "proves": run.last_run(agreement, self._id),
            }
        for grant, error in run.agreements.failures.items():
            yield {
                **common,
                "grantDigest": run.digest(grant),
                "agreementNumber": grant.number,
                "name": grant.name or None,
                "outcome": "refused" if isinstance(error, GrantRefusedError) else "unreachable",
                "rowCount": 0,
                "failed": self._json({"/self": str(error)}, grant),
                "sentWhole": "[]",
            }

    def _failed(self, agreement: Agreement, streams: Sequence[str]) -> dict[str, str]:
        """Return what was not read completely, and why, by stream."""
        plan, ended = self._run.event_plan, self._run.ended
        left = [
            name
            for name in streams
            if (not plan or plan.includes(agreement.number, name))
            and (name, agreement.number) not in ended
            and name not in agreement.failed
        ]
        if not left or agreement.refused:
            return agreement.failed
        if self._run.stop.signum is not None:
            why = f"the run was stopped; not completely read: {counted(len(left), 'stream')}"
            return {**agreement.failed, "/": why}
        return {**agreement.failed, **dict.fromkeys(left, _CHANGING)}

    def _json(self, reasons: dict[str, str], grant: Grant) -> str:
        """Return reasons as JSON; a response that one quotes may have repeated a token."""
        text = json.dumps(reasons, ensure_ascii=False)
        return redacted(text, [self.config["app_secret_token"], grant.token])
