"""What makes settings invalid: a `ConfigError` that says what to do.

No message shows a value that could be a token, wherever it was put by mistake.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from tap_visma_economic import agreements_file
from tap_visma_economic.agreements_file import Grant
from tap_visma_economic.auth import LOOPBACK
from tap_visma_economic.config import DEFAULTS, PREFIX, grants, start_date, tokens
from tap_visma_economic.errors import ConfigError, shown
from tap_visma_economic.redact import name_shown, redacted
from tap_visma_economic.schemas import MODULE_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from jsonschema import ValidationError

    from tap_visma_economic.config import Config, Schema

# Checking against the JSON Schema


def check_schema(config: Config, schema: Schema, *, variables: Collection[str] = ()) -> None:
    """Check the types and ranges of settings; `variables` names those from the environment."""
    errors = _Validator(schema).iter_errors(dict(config))
    complaints = dict.fromkeys(_complaint(error, variables) for error in errors)
    if complaints:
        raise ConfigError("; ".join(complaints))


def _complaint(error: ValidationError, variables: Collection[str]) -> str:
    error = max([error, *(error.context or ())], key=lambda error: len(error.absolute_path))
    name, *path = error.absolute_path
    where = PREFIX + str(name).upper() if name in variables else str(name)
    for part in path:
        if isinstance(part, int):
            where = f"{where} no. {part + 1}"
        else:
            where = f"{name_shown(part)} of {where}"
    schema: Any = error.schema
    return f"{where} must be {_wanted(schema)}{_given(error.instance, schema)}"


def _wanted(schema: Schema) -> str:
    """Return in words what a JSON Schema accepts."""
    if "anyOf" in schema:
        return " or ".join(map(_wanted, schema["anyOf"]))
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return f"one of {', '.join(filter(None, schema['enum']))}"
    kind = next(words for name, words in _KINDS.items() if name in schema.get("type", _KINDS))
    bounds = [words.format(schema[name]) for name, words in _BOUNDS.items() if name in schema]
    if schema.get("additionalProperties") is False:
        bounds.append(f"with {' and '.join(schema['properties'])} only")
    return kind + (f" ({', '.join(bounds)})" if bounds else "")


def _given(value: object, schema: Schema) -> str:
    """Return what a value is. A number is shown where one belongs: it is not a token."""
    if isinstance(value, (dict, list)):
        return ""
    if isinstance(value, str):
        return "" if "enum" in schema else ", not text"
    if isinstance(value, bool) or value is None:
        return f", not {json.dumps(value)}"
    numeric = {"integer", "number"} & {*schema.get("type", ())}
    return f", not {shown(str(value))}" if numeric else ", not a number"


_KINDS = {
    "string": "a string in quotes",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a JSON array",
    "object": "a JSON object",
    "null": "null",
}

_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "greater than {}",
    "maximum": "at most {}",
}

_MOST = sys.float_info.max


def _is_integer(_: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: object, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return False
    return -_MOST <= value <= _MOST  # infinity would be waited for forever


def _any_of(validator: Any, choices: list[Any], *rest: Any) -> Any:
    choices[:] = [choice for choice in choices if choice != "null"]  # the SDK's; not a schema
    return Draft202012Validator.VALIDATORS["anyOf"](validator, choices, *rest)


_Validator = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"anyOf": _any_of},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


# Checking what a JSON Schema cannot say


def check(config: Config) -> None:
    """Check settings of the right types, except for the tokens."""
    try:
        start_date(config)
    except ValueError:
        text = config["start_date"]
        quoted = f": {text!r}" if re.fullmatch(r"[0-9:.TZ +-]{1,40}", text) else ""
        raise ConfigError(
            f"start_date is not a date{quoted}. Write 2024-01-01 or 2024-01-01T00:00:00Z"
        ) from None
    for name in ("rest_url", "openapi_url"):
        _check_url(name, config.get(name) or DEFAULTS[name], config)
    if config.get("events_only") and not config.get("events_inbox"):
        raise ConfigError("events_only needs events_inbox: the inbox whose events are read")
    if config.get("skip_unchanged") == "upsert":
        if config.get("emit_activate_version_messages"):
            raise ConfigError(
                "skip_unchanged cannot be used with emit_activate_version_messages: the target "
                "would delete the rows that are not sent. Unset one of them"
            )
        if config.get("batch_config"):
            raise ConfigError(
                "skip_unchanged cannot be used with batch_config: a target may load a batch after "
                "the run that wrote it. Unset one of them"
            )
    _check_versions(config.get("openapi_versions") or {})
    _check_ca_bundle(config.get("ca_bundle"))
    if not re.fullmatch(r"(?! )[ -~\xa1-\xff]*(?<! )", config.get("user_agent") or ""):
        raise ConfigError(
            "user_agent must be one line of Latin-1 text without spaces before or after it"
        )


def checked_grants(config: Config) -> list[Grant]:
    """Return the grants in the settings and in the agreements file, which is read here.

    There are tokens, all of them can be sent, and none is there twice.
    """
    app_secret, found = config.get("app_secret_token"), grants(config)
    file = config.get("agreements_file")
    if not app_secret:
        raise ConfigError(
            "app_secret_token is missing: the secret token of your e-conomic app "
            f"(demo reads e-conomic's public demo company){_unread('app_secret_token')}"
        )
    if not (found or file):
        raise ConfigError(
            "agreement_grant_token is missing: the token a company gets when its administrator "
            "adds your app (demo reads e-conomic's public demo company)"
            f"{_unread('agreement_grant_token', 'agreements', 'agreements_file')}"
        )
    for grant in [Grant(app_secret, "app_secret_token"), *found]:
        if not agreements_file.is_token(grant.token):
            raise ConfigError(f"{grant.where} is not a token: {_what_is_wrong_with(grant.token)}")
    places: dict[str, str] = {}
    for grant in found:
        if grant.token in places:
            raise ConfigError(
                f"{grant.where} is the same token as {places[grant.token]}. Remove one of them: "
                "an agreement is read once"
            )
        places[grant.token] = grant.where
    return found + (agreements_file.read(file, places) if file else [])


def _unread(*names: str) -> str:
    """Return a hint if a missing setting is in the environment, which was not read."""
    variables = (f"{PREFIX}{name.upper()}" for name in names)
    found = next((variable for variable in variables if os.environ.get(variable)), None)
    return f". {found} is set, but the environment is only read with --config=ENV" if found else ""


def _what_is_wrong_with(token: str) -> str:
    if token.strip() and token != token.strip():
        return (
            "it begins or ends with a space or a line break. A file with Windows line endings "
            "that a shell reads has such line breaks"
        )
    return "copy it again: it has letters, digits, - and _"


def _check_url(name: str, url: str, config: Config) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    clean = re.fullmatch(r"[!-~]+", url) and not set(url) & set("?#@\\")
    if not host or parts.scheme not in {"http", "https"} or not clean:
        raise ConfigError(f"{name} is not a URL such as {DEFAULTS[name]}")
    if redacted(url, tokens(config)) != url:
        raise ConfigError(f"{name} contains a token: set it to the address only")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ConfigError(f"{name} must use https: tokens are not sent unencrypted")


def _check_ca_bundle(path: str | None) -> None:
    where = "ca_bundle"
    if not path:  # then requests uses these
        names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        where = next((name for name in names if os.environ.get(name)), "")
        path = os.environ.get(where)
    if not path or (where != "ca_bundle" and Path(path).is_dir()):
        return
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError) as error:
        empty = isinstance(error, ssl.SSLError)
        why = "no certificates in it" if empty else getattr(error, "strerror", "it is not a path")
        quoted = f" {path}" if Path(path).is_absolute() else ""  # anything else could be a token
        raise ConfigError(
            f"{where}{quoted} cannot be used: {why}. It must be a file of PEM certificates"
        ) from None


def _check_versions(versions: Mapping[str, str]) -> None:
    for module, version in versions.items():
        if module not in MODULE_VERSIONS:
            raise ConfigError(
                f"openapi_versions: unknown module {name_shown(module)}. The modules are "
                + ", ".join(MODULE_VERSIONS)
            )
        if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version):
            raise ConfigError(f"openapi_versions: {module} needs a version such as 3.1.0")
