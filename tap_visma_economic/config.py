"""Settings: the table of them, their values, and how they are read from the environment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

import pendulum
from singer_sdk import typing as th

from tap_visma_economic.agreements_file import Grant

Config = Mapping[str, Any]
Schema = Mapping[str, Any]

REST_URL = "https://restapi.e-conomic.com"
OPENAPI_URL = "https://apis.e-conomic.com"

PREFIX = "TAP_VISMA_ECONOMIC_"
"""Prefix of the settings' names in the environment."""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)")
"""How a start date begins: pendulum also accepts a time, a week or a year alone."""

PANDIUM = {
    "PAN_SEC_VISMA_APP_SECRET_TOKEN": "app_secret_token",
    "PAN_SEC_VISMA_GRANT_TOKEN": "agreement_grant_token",
    "PAN_SEC_VISMA_TENANT_URL": "rest_url",
}
"""Environment variables that the Pandium platform sets. They have the lowest precedence."""

SETTINGS = th.PropertiesList(
    th.Property(
        "app_secret_token",
        th.StringType,
        secret=True,
        title="App secret token",
        description="The secret token of your e-conomic app. `demo` reads e-conomic's public "
        "demo company.",
    ),
    th.Property(
        "agreement_grant_token",
        th.StringType,
        secret=True,
        title="Agreement grant token",
        description="The token that lets the app read one company. `demo` reads e-conomic's "
        "public demo company.",
    ),
    th.Property(
        "agreements",
        th.ArrayType(
            th.ObjectType(
                th.Property(
                    "agreement_grant_token",
                    th.StringType,
                    required=True,
                    secret=True,
                    title="Agreement grant token",
                    description="The token that lets the app read this company.",
                ),
                additional_properties=False,
            )
        ),
        secret=True,
        title="Agreements",
        description="Companies to read in one run, each with its grant token: "
        '`[{"agreement_grant_token": "..."}]`. A single `agreement_grant_token` is read as well.',
    ),
    th.Property(
        "agreements_file",
        th.StringType,
        title="Agreements file",
        description="CSV or JSON Lines file of companies to read: its path, or its `s3`, `gs` or "
        "`abfs` URL. Each line has an `agreement_grant_token`, and may have `agreement_number`, "
        "`name` and `enabled`. The tap reads it at each start, in addition to `agreements`.",
    ),
    th.Property(
        "shard_index",
        th.IntegerType(minimum=0, maximum=9999),
        title="Shard index",
        description="Read only this shard of the companies in `agreements_file`, from 0 to "
        "`shard_count` - 1. A company's shard is a hash of its `agreement_number`.",
    ),
    th.Property(
        "shard_count",
        th.IntegerType(minimum=1, maximum=10000),
        title="Shard count",
        description="Number of jobs that share the companies in `agreements_file`, each with its "
        "own `shard_index` and state.",
    ),
    th.Property(
        "shard_has_own_tables",
        th.BooleanType,
        default=False,
        title="Shard has its own tables",
        description="Declares that no other shard writes to the same tables. Shards with shared "
        "tables cannot use `emit_activate_version_messages`: each would delete the others' rows.",
    ),
    th.Property(
        "refused_grants",
        th.StringType,
        allowed_values=["fail", "warn"],
        default="fail",
        title="Refused grants",
        description="Exit code when e-conomic rejects a grant (401): 1 with `fail`, 0 with "
        "`warn`. With `warn` it is still 1 if all grants are rejected, or if more than a tenth "
        "of them are newly rejected since the last run.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Skip rows older than this day, such as `2024-01-01`: ledger entries and "
        "booked invoices dated before it, and, in streams with a `lastUpdated` bookmark, rows "
        "last changed before it. Unset: read everything.",
    ),
    th.Property(
        "full_refresh_days",
        th.IntegerType(minimum=1, maximum=36500),
        title="Days between full reads",
        description="Read incremental streams in full when their last full read is this many days "
        "old. Unset: never.",
    ),
    th.Property(
        "lookback_minutes",
        th.IntegerType(minimum=0, maximum=5_256_000),
        default=180,
        title="Look-back in minutes",
        description="How far before the last bookmark to start reading streams with a "
        "`lastUpdated` bookmark. Allows for clock skew and daylight saving time.",
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=False,
        title="Propagate deletions",
        description="After reading a stream in full for all companies, send ACTIVATE_VERSION. The "
        "target then deletes or marks every row that no longer exists in e-conomic.",
    ),
    th.Property(
        "skip_unchanged",
        th.StringType,
        allowed_values=["none", "upsert"],
        default="none",
        title="Skip unchanged streams",
        description="With `upsert`, a stream without a bookmark is sent for a company only if one "
        "of its rows changed since it was last sent. For targets that update rows by key, in "
        "tables that nothing else writes.",
    ),
    th.Property(
        "resend_days",
        th.IntegerType(minimum=1, maximum=365),
        default=7,
        title="Days between sending everything",
        description="With `skip_unchanged`, send every stream at least once in this many days, "
        "even if it is unchanged. Each night has its share of the streams and companies.",
    ),
    th.Property(
        "reconcile",
        th.StringType,
        allowed_values=["none", "warn", "fail"],
        default="none",
        title="Reconcile the ledger",
        description="After the run, add up all entries by fiscal year and account, and compare "
        "the sums with e-conomic's own totals: `warn` reports differences, `fail` also ends with "
        "exit code 1. This reads the complete ledger once more; with `full_refresh_days`, only "
        "when a full read is due.",
    ),
    th.Property(
        "events_inbox",
        th.StringType,
        secret=True,
        title="Events inbox",
        description="URL of the database in which `tap-visma-economic-webhooks` stores webhook "
        "events, such as `sqlite:////srv/economic/inbox.db`. Set it in nightly runs too: event "
        "runs continue from the point at which the last nightly run started.",
    ),
    th.Property(
        "events_reader",
        th.StringType,
        title="Events reader",
        description="Name under which the inbox keeps how far this pipeline has read, for `prune`. "
        "Unset: a random ID from the state. Set it where a state was copied from another pipeline.",
    ),
    th.Property(
        "events_only",
        th.BooleanType,
        default=False,
        title="Events only",
        description="Read only the rows that unread events in `events_inbox` name; without "
        "unread events, make no call. For runs every minute between nightly runs.",
    ),
    th.Property(
        "all_streams",
        th.BooleanType,
        default=False,
        title="All streams",
        description="Offer every stream. By default the catalog omits duplicates of other "
        "streams, and streams that need one request per customer, product or invoice.",
    ),
    th.Property(
        "concurrency",
        th.IntegerType(minimum=1, maximum=16),
        default=4,
        title="Concurrency",
        description="Maximum number of requests in flight for one company.",
    ),
    th.Property(
        "parallel_agreements",
        th.IntegerType(minimum=1, maximum=32),
        default=4,
        title="Parallel agreements",
        description="Number of companies to read in parallel, with up to `concurrency` requests "
        "each. While some of them send fewer requests, the tap reads further companies.",
    ),
    th.Property(
        "rate_limit_share",
        th.NumberType(exclusive_minimum=0, maximum=1),
        default=0.8,
        title="Rate limit share",
        description="Share of a company's rate limit that the tap may use. The company's other "
        "integrations have the rest.",
    ),
    th.Property(
        "max_wait_minutes",
        th.NumberType(minimum=0),
        default=15,
        title="Maximum wait in minutes",
        description="How long a request may wait in total, for e-conomic's rate limit to refill "
        "or an outage to end, before its stream fails.",
    ),
    th.Property(
        "request_timeout",
        th.NumberType(exclusive_minimum=0, maximum=3600),
        default=60,
        title="Request timeout in seconds",
        description="How long to wait for a connection, and then for the complete response.",
    ),
    th.Property(
        "include_links",
        th.BooleanType,
        default=False,
        title="Include links",
        description="Keep e-conomic's links between resources, such as `self`.",
    ),
    th.Property(
        "decimals",
        th.StringType,
        allowed_values=["number", "x-singer.decimal", "string"],
        default="number",
        title="Decimals",
        description="Type of amounts, rates and quantities: `number`; `x-singer.decimal`, which "
        "targets built on the Singer SDK store as an exact DECIMAL; or `string`.",
    ),
    th.Property(
        "absent_columns",
        th.StringType,
        allowed_values=["null", "omit"],
        default="null",
        title="Absent columns",
        description="How to write a column that e-conomic omits from a row: with `null`, every "
        "record has all columns in the same order; with `omit`, records are smaller.",
    ),
    th.Property(
        "rest_url",
        th.StringType,
        default=REST_URL,
        title="REST URL",
        description="Address of e-conomic's REST API. Change it for a sandbox or a proxy.",
    ),
    th.Property(
        "openapi_url",
        th.StringType,
        default=OPENAPI_URL,
        title="OpenAPI URL",
        description="Address of e-conomic's OpenAPI modules. Change it for a sandbox or a proxy.",
    ),
    th.Property(
        "openapi_versions",
        th.ObjectType(additional_properties=th.StringType),
        title="OpenAPI versions",
        description="Versions of OpenAPI modules to read instead of those in the schemas, for "
        'example `{"customersapi": "3.1.0"}`.',
    ),
    th.Property(
        "ca_bundle",
        th.StringType,
        title="CA bundle",
        description="Path of a file with trusted CA certificates, for networks that inspect TLS "
        "with their own.",
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="User-Agent header. Unset: the tap's name and version.",
    ),
)

DEFAULTS: dict[str, Any] = {
    name: setting["default"]
    for name, setting in SETTINGS.to_dict()["properties"].items()
    if "default" in setting
}


# Reading settings


def value_of(config: Config, name: str) -> Any:
    """Return a setting, or its default."""
    value = config.get(name)
    return DEFAULTS.get(name) if value is None else value


def grants(config: Config) -> list[Grant]:
    """Return the grants in the settings themselves, without those of the agreements file."""
    single = config.get("agreement_grant_token")
    found = [Grant(single, "agreement_grant_token")] if single else []
    listed = enumerate(config.get("agreements") or [], start=1)
    return found + [
        Grant(item["agreement_grant_token"], f"agreements no. {place}") for place, item in listed
    ]


def tokens(config: Config) -> list[str | None]:
    """Return all tokens in valid settings, without those of the agreements file."""
    return [config.get("app_secret_token"), *(grant.token for grant in grants(config))]


def start_date(config: Config) -> pendulum.DateTime | None:
    """Return the start date in UTC, None if there is none.

    Raises:
        ValueError: it is not a date.
    """
    if not (text := config.get("start_date")):
        return None
    parsed = pendulum.parse(text, tz="UTC", strict=True)
    if isinstance(parsed, pendulum.DateTime) and _DATE.match(text):
        return parsed.in_timezone("UTC")
    raise ValueError(text)


# The environment


def from_pandium() -> dict[str, str]:
    """Return the settings in Pandium's environment variables."""
    return {PANDIUM[name]: os.environ[name] for name in PANDIUM if os.environ.get(name)}


def with_numbers(settings: Config, schema: Schema) -> dict[str, Any]:
    """Return settings with numbers where text stands for them, as in Meltano's settings files."""
    numbers = {name for name, one in schema["properties"].items() if "number" in one["type"]}
    return {
        name: _parsed(value, schema["properties"][name])
        if name in numbers and isinstance(value, str)
        else value
        for name, value in settings.items()
    }


def from_environment(schema: Schema) -> dict[str, Any]:
    """Return the settings in the environment. What cannot be parsed stays text."""
    return {
        name: _parsed(os.environ[PREFIX + name.upper()], setting)
        for name, setting in schema["properties"].items()
        if PREFIX + name.upper() in os.environ
    }


_NO_SETTINGS = ("loglevel", "webhook_secret")
"""What else is read from variables with the prefix."""


def unknown_variables(schema: Schema) -> list[str]:
    """Return the environment variables that have the prefix but are no setting."""
    known = {PREFIX + name.upper() for name in (*schema["properties"], *_NO_SETTINGS)}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def _parsed(text: str, setting: Schema) -> Any:
    if "string" in setting["type"]:
        return text
    if "boolean" in setting["type"]:
        return _BOOLEANS.get(text.lower(), text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


_BOOLEANS = dict.fromkeys(("true", "1", "yes", "on"), True)
_BOOLEANS |= dict.fromkeys(("false", "0", "no", "off"), False)
