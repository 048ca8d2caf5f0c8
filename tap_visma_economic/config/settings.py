"""Settings: what a user can say, checked before anything is read, without ever showing a token."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import re
import ssl
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pendulum
from jsonschema import Draft202012Validator
from singer_sdk import typing as th

from tap_visma_economic import agreements_file
from tap_visma_economic.agreements_file import Grant
from tap_visma_economic.auth import LOOPBACK
from tap_visma_economic.errors import ConfigError
from tap_visma_economic.schemas import MODULE_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jsonschema import ValidationError

Config = Mapping[str, Any]

REST_URL = "https://restapi.e-conomic.com"
OPENAPI_URL = "https://apis.e-conomic.com"

PREFIX = "TAP_VISMA_ECONOMIC_"
"""What the settings' names in the environment begin with."""

PANDIUM = {
    "PAN_SEC_VISMA_APP_SECRET_TOKEN": "app_secret_token",
    "PAN_SEC_VISMA_GRANT_TOKEN": "agreement_grant_token",
    "PAN_SEC_VISMA_TENANT_URL": "rest_url",
}
"""Environment names the Pandium platform gives its integrations. Any other setting wins."""

_DAY_FIRST = re.compile(r"\d{4}-\d{2}-\d{2}([T ]|$)", re.ASCII)
"""How a start date begins: not with a time, a week or a year alone, which pendulum takes too."""

_DATE_SIGNS = re.compile(r"[\d:.TZ +-]{1,40}", re.ASCII)
"""What may be shown of a start date that is none: anything else could be a token."""

_SETTING_NAME = re.compile(r"[A-Za-z]{1,20}([_.-][A-Za-z]{1,20}){0,5}", re.ASCII)
"""What may be shown of the name of a setting that is none."""

_MODULE_NAME = re.compile(r"[A-Za-z]{1,30}api", re.ASCII)
"""What may be shown of the name of a module that is none."""

DEMO = {"demo"}
"""Tokens that are no secret: those of e-conomic's public demo company."""

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
        description="Several companies to read in one run, each with its grant token: "
        '`[{"agreement_grant_token": "..."}]`. A single `agreement_grant_token` is read too.',
    ),
    th.Property(
        "agreements_file",
        th.StringType,
        title="Agreements file",
        description="A file of the companies to read, JSON Lines or CSV: its path, or its `s3`, "
        "`gs` or `abfs` URL. Each line has an `agreement_grant_token` and may have "
        "`agreement_number`, `name` and `enabled`. It is read at each start, and joins "
        "`agreements`.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Leave out what is older than this day, such as `2024-01-01`: ledger entries "
        "and booked invoices dated before it, and rows of streams with a `lastUpdated` bookmark "
        "changed before it. Unset: everything.",
    ),
    th.Property(
        "full_refresh_days",
        th.IntegerType(minimum=1, maximum=36500),
        title="Days between full reads",
        description="Read streams that are otherwise read by a bookmark in full again when the "
        "last full read is so many days old. Unset: never.",
    ),
    th.Property(
        "lookback_minutes",
        th.IntegerType(minimum=0),
        default=180,
        title="Look-back in minutes",
        description="How far before the last bookmark streams with a `lastUpdated` bookmark are "
        "read again. It covers clock differences and daylight saving time.",
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=False,
        title="Tell of deleted rows",
        description="After a stream has been read in full for all companies, tell the target "
        "(ACTIVATE_VERSION) that every other row of the table is gone, so that it deletes or "
        "marks it.",
    ),
    th.Property(
        "reconcile",
        th.StringType,
        allowed_values=["none", "warn", "fail"],
        default="none",
        title="Reconcile the ledger",
        description="After the run, add up every entry per fiscal year and account and compare "
        "with e-conomic's own totals: `warn` tells of differences, `fail` also ends with exit "
        "code 1. It reads the whole ledger once more; with `full_refresh_days` only when that "
        "is due.",
    ),
    th.Property(
        "all_streams",
        th.BooleanType,
        default=False,
        title="All streams",
        description="Offer all 111 streams. Off, the catalog leaves out twins of other streams "
        "and streams that cost one call per customer, product or invoice.",
    ),
    th.Property(
        "concurrency",
        th.IntegerType(minimum=1, maximum=16),
        default=4,
        title="Concurrency",
        description="How many requests of one company may be on their way at the same time.",
    ),
    th.Property(
        "parallel_agreements",
        th.IntegerType(minimum=1, maximum=32),
        default=4,
        title="Parallel agreements",
        description="How many companies are read at the same time, with up to `concurrency` "
        "requests each. Where some have fewer to send, more companies take turns.",
    ),
    th.Property(
        "rate_limit_share",
        th.NumberType(exclusive_minimum=0, maximum=1),
        default=0.8,
        title="Rate limit share",
        description="Which part of a company's call budget the tap may use. The rest is left to "
        "the company's other integrations.",
    ),
    th.Property(
        "max_wait_minutes",
        th.NumberType(minimum=0),
        default=15,
        title="Longest wait in minutes",
        description="How long one request may wait in all, for e-conomic's call budget to "
        "refill or for a fault to pass, before its stream is given up.",
    ),
    th.Property(
        "request_timeout",
        th.NumberType(exclusive_minimum=0, maximum=3600),
        default=60,
        title="Request timeout in seconds",
        description="How long to wait for a connection, and then for the whole answer.",
    ),
    th.Property(
        "include_links",
        th.BooleanType,
        default=False,
        title="Include links",
        description="Keep the links between resources (`self` and others) that e-conomic sends.",
    ),
    th.Property(
        "decimals",
        th.StringType,
        allowed_values=["number", "x-singer.decimal", "string"],
        default="number",
        title="Decimals",
        description="The form of amounts, rates and quantities: `number`; `x-singer.decimal`, "
        "which targets built on the Singer SDK make an exact DECIMAL of; or `string`.",
    ),
    th.Property(
        "absent_columns",
        th.StringType,
        allowed_values=["null", "omit"],
        default="null",
        title="Absent columns",
        description="What becomes of a column that e-conomic leaves out of a row: `null`, so that "
        "every record has all columns in one order, or `omit` for smaller records.",
    ),
    th.Property(
        "rest_url",
        th.StringType,
        default=REST_URL,
        title="REST URL",
        description="Where e-conomic's REST API is, for a sandbox or a proxy.",
    ),
    th.Property(
        "openapi_url",
        th.StringType,
        default=OPENAPI_URL,
        title="OpenAPI URL",
        description="Where e-conomic's OpenAPI modules are, for a sandbox or a proxy.",
    ),
    th.Property(
        "openapi_versions",
        th.ObjectType(additional_properties=th.StringType),
        title="OpenAPI versions",
        description="Another version of an OpenAPI module than the one the schemas describe, "
        'for example `{"customersapi": "3.1.0"}`.',
    ),
    th.Property(
        "ca_bundle",
        th.StringType,
        title="CA bundle",
        description="Path of a file with the certificates to trust, for networks that put "
        "their own in between.",
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="What the tap calls itself in its requests. Unset: its name and version.",
    ),
)

DEFAULTS: dict[str, Any] = {
    name: setting["default"]
    for name, setting in SETTINGS.to_dict()["properties"].items()
    if "default" in setting
}


def value_of(config: Config, name: str) -> Any:
    """Return a setting, or its default."""
    value = config.get(name)
    return DEFAULTS.get(name) if value is None else value


def with_environment(config: Config) -> dict[str, Any]:
    """Return the settings, with Pandium's environment names filling in what is not there."""
    filled = {PANDIUM[name]: os.environ[name] for name in PANDIUM if os.environ.get(name)}
    return {**filled, **config}


def check_tokens(config: Config, *, required: bool) -> list[Grant]:
    """Check the tokens before the SDK sees them: its own messages would show them.

    Args:
        config: the settings.
        required: whether tokens must be there, as they need not for discovery.

    Returns:
        The grants in the agreements file, which is read here if tokens are required.

    Raises:
        ConfigError: what is wrong and what to do; never with a token.
    """
    for name in ("app_secret_token", "agreement_grant_token"):
        if not isinstance(config.get(name) or "", str):
            raise ConfigError(f'{name} must be a string: in quotes, "..."')
    agreements = config.get("agreements") or []
    if not isinstance(agreements, list):
        raise ConfigError('agreements must be a list: [{"agreement_grant_token": "..."}, ...]')
    for position, item in enumerate(agreements, start=1):
        if not isinstance(item, dict) or set(item) != {"agreement_grant_token"}:
            raise ConfigError(
                f"agreements: no. {position} must be an object with agreement_grant_token alone: "
                '{"agreement_grant_token": "..."}'
            )
        if not isinstance(item["agreement_grant_token"], str):
            raise ConfigError(
                f'agreements: the token of no. {position} must be a string: in quotes, "..."'
            )
    if not required:
        return []
    file = config.get("agreements_file") or ""
    if not isinstance(file, str):
        raise ConfigError('agreements_file must be a string: in quotes, "..."')
    taken = {grant.token: grant.where for grant in grant_tokens(config)}
    from_file = agreements_file.read(file, taken) if file else []
    _check_presence(config, from_file)
    return from_file


def check_maps(config: Config) -> None:
    """Check what the SDK's schema of stream maps trips over.

    Raises:
        ConfigError: what is wrong.
    """
    maps = config.get("stream_maps")
    of_streams = maps.values() if isinstance(maps, dict) else ()
    for part in filter(lambda part: isinstance(part, dict), (maps, *of_streams)):
        if part.get("__else__") not in (None, "__NULL__"):
            raise ConfigError('stream_maps: __else__ must be null or "__NULL__"')


def check_schema(config: Config, schema: Mapping[str, Any]) -> None:
    """Check the settings against their JSON Schema.

    Of a value no more is shown than its kind, numbers excepted: a token may stand in the wrong
    place. So it is with the keys in an object.

    Raises:
        ConfigError: what is wrong.
    """
    found = [
        f"{_complaint(error)} in config[{str(error.absolute_path[0])!r}]"
        if error.absolute_path
        else "they must be an object"
        for error in Draft202012Validator(schema).iter_errors(dict(config))
    ]
    if found:
        raise ConfigError(f"The settings are not valid: {'; '.join(found)}")


def _complaint(error: ValidationError) -> str:
    if isinstance(error.instance, bool | float | int | None):
        return error.message
    kind = _KIND_WORDS.get(type(error.instance), "the value")
    if error.validator == "type":
        return f"{kind} is not of type {_listed(error.validator_value)}"
    if error.validator == "enum":
        return f"{kind} is not one of {_listed(error.validator_value)}"
    return f"{kind} does not fit ({error.validator})"


_KIND_WORDS: dict[type, str] = {str: "a text", list: "a list", dict: "an object"}


def _listed(words: object) -> str:
    return ", ".join(map(repr, words if isinstance(words, list) else [words]))


def check(config: Config) -> None:
    """Check what a JSON Schema cannot say.

    Raises:
        ConfigError: what is wrong and what to do.
    """
    _check_start_date(config)
    _check_numbers(config)
    for name in ("rest_url", "openapi_url"):
        _check_url(name, config.get(name) or DEFAULTS[name], config)
    _check_versions(config.get("openapi_versions"))
    _check_ca_bundle(config.get("ca_bundle"))
    agent = config.get("user_agent") or "tap"
    if not agent.isprintable() or agent != agent.strip() or not _is_latin(agent):
        raise ConfigError("user_agent must be one line of text, in the letters of Western Europe")


def without_tokens(text: str, config: Config, from_file: Sequence[Grant] = ()) -> str:
    """Return a message in which no token is shown, for one may stand in the wrong setting."""
    grants = [*grant_tokens(config), *from_file]
    tokens = [config.get("app_secret_token"), *(grant.token for grant in grants)]
    for token in tokens:
        if token and token not in DEMO:
            for written in (token, repr(token)[1:-1], json.dumps(token)[1:-1]):
                text = text.replace(written, "(a token)")
    return text


def keep_tokens_out_of_logs(config: Config, from_file: Sequence[Grant] = ()) -> None:
    """Mask the tokens in whatever this process logs from here on, whoever logs it."""

    def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = logging.LogRecord(*args, **kwargs)
        with contextlib.suppress(TypeError, ValueError):  # a faulty call: logging tells of it later
            text = made.getMessage()
            if (masked := without_tokens(text, config, from_file)) != text:
                made.msg, made.args = masked, ()
        return made

    logging.setLogRecordFactory(record)


def shown_name(name: str, config: Config) -> str:
    """Return the name of a setting that is none, as far as it can be no token."""
    shown = without_tokens(name, config)
    return shown if _SETTING_NAME.fullmatch(shown) else "of a name that is not shown"


def grant_tokens(config: Config) -> list[Grant]:
    """Return the grants in the settings themselves."""
    single = config.get("agreement_grant_token")
    grants = [Grant(single, "agreement_grant_token")] if single else []
    grants += [
        Grant(item["agreement_grant_token"], f"agreements no. {position}")
        for position, item in enumerate(config.get("agreements") or [], start=1)
    ]
    return grants


def start_date(config: Config) -> pendulum.DateTime | None:
    """Return the start date as UTC, None if there is none."""
    value = config.get("start_date")
    if not value:
        return None
    parsed = pendulum.parse(str(value), tz="UTC", strict=True)
    if isinstance(parsed, pendulum.DateTime) and _DAY_FIRST.match(str(value)):
        return parsed.in_timezone("UTC")
    raise ValueError(value)


def _check_presence(config: Config, from_file: Sequence[Grant]) -> None:
    app_secret = config.get("app_secret_token")
    if not app_secret:
        raise ConfigError(
            "app_secret_token is missing: the secret token of your e-conomic app "
            f"(demo reads e-conomic's public demo company){_unread('app_secret_token')}"
        )
    grants = grant_tokens(config)
    if not grants and not from_file:
        raise ConfigError(
            "agreement_grant_token is missing: the token a company gets when its administrator "
            "adds your app (demo reads e-conomic's public demo company)"
            f"{_unread('agreement_grant_token', 'agreements', 'agreements_file')}"
        )
    first_seen: dict[str, str] = {}
    for grant in [Grant(app_secret, "app_secret_token"), *grants]:
        where, token = grant.where, grant.token
        if not token.isascii() or not token.isprintable() or not token.strip() or " " in token:
            raise ConfigError(f"{where} is not a token: {_what_is_wrong_with(token)}")
        if where != "app_secret_token" and token in first_seen:
            raise ConfigError(
                f"{where} is the same token as {first_seen[token]}. Remove one of them: "
                "an agreement is read once"
            )
        if where != "app_secret_token":
            first_seen[token] = where


def _unread(*names: str) -> str:
    """Return a hint, if a setting that is missing stands in the environment, which was not read."""
    variables = (f"{PREFIX}{name.upper()}" for name in names)
    there = next((variable for variable in variables if os.environ.get(variable)), None)
    return f". {there} is set, but the environment is only read with --config=ENV" if there else ""


def _what_is_wrong_with(token: str) -> str:
    if token.strip() and token != token.strip():
        return (
            "there is a blank or a line end before or after it. A file with the line ends of "
            "Windows, read by a shell, makes one"
        )
    return "it must be letters, digits and signs alone"


def _check_start_date(config: Config) -> None:
    try:
        start_date(config)
    except ValueError:
        shown = f": {text!r}" if _DATE_SIGNS.fullmatch(text := str(config["start_date"])) else ""
        raise ConfigError(
            f"start_date is not a date{shown}. Write 2024-01-01 or 2024-01-01T00:00:00Z"
        ) from None


def _check_numbers(config: Config) -> None:
    """JSON knows numbers that Python cannot count with: what waits for one waits for ever."""
    for name, value in config.items():
        if isinstance(value, (float, Decimal)) and not math.isfinite(value):
            raise ConfigError(f"{name} must be a number that there is")


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def _check_url(name: str, url: str, config: Config) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    clean = url.isprintable() and url.isascii() and not set(url) & set(" ?#@\\")
    if not host or parts.scheme not in {"http", "https"} or not clean:
        raise ConfigError(f"{name} is not a URL such as {DEFAULTS[name]}")
    if without_tokens(url, config) != url:
        raise ConfigError(f"{name} holds a token: the address alone belongs there")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ConfigError(f"{name} must be https: tokens are not sent in the clear")


def _check_ca_bundle(path: str | None) -> None:
    where = "ca_bundle"
    if not path:  # then requests looks here
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        where = next((name for name in names if os.environ.get(name)), "")
        path = os.environ.get(where)
    if not path or (where != "ca_bundle" and Path(path).is_dir()):
        return
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:  # a path may hold what no path can
        none = isinstance(error, ssl.SSLError)
        why = "it holds no certificates" if none else getattr(error, "strerror", "it is no path")
        shown = f" {path}" if Path(path).is_absolute() else ""  # anything else could be a token
        raise ConfigError(
            f"{where}{shown} cannot be used: {why}. It must be a file of certificates in PEM form"
        ) from None


def _check_versions(versions: Mapping[str, Any] | None) -> None:
    for module, version in (versions or {}).items():
        if module not in MODULE_VERSIONS:
            shown = repr(module) if _MODULE_NAME.fullmatch(module) else "of that name"
            raise ConfigError(
                f"openapi_versions: there is no module {shown}. There are: "
                + ", ".join(MODULE_VERSIONS)
            )
        numbers = str(version).split(".")
        if len(numbers) != 3 or not all(part.isdecimal() for part in numbers):  # noqa: PLR2004
            raise ConfigError(f"openapi_versions: {module} needs a version such as 3.1.0")
