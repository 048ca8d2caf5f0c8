"""Which agreement a grant opens and which streams it can read, checked by the tap itself."""

from __future__ import annotations

import logging
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_visma_economic import access, files
from tap_visma_economic.agreements_file import Grant
from tap_visma_economic.config import (
    REST_URL,
    SETTINGS,
    from_environment,
    from_pandium,
    tokens,
    value_of,
)
from tap_visma_economic.errors import ConfigError, EconomicError
from tap_visma_economic.redact import PUBLIC, redacted
from tap_visma_economic.signals import signals_wait
from tap_visma_economic.tap import TapVismaEconomic
from tap_visma_economic.validation import check_schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_visma_economic.agreement import Agreement

_NEEDED = (
    "app_secret_token",
    "rest_url",
    "openapi_url",
    "ca_bundle",
    "user_agent",
    "request_timeout",
    "openapi_versions",
)
"""The settings that connecting needs."""


def settings_given() -> dict[str, Any]:
    """Return the settings in the environment and in `.env` that connecting needs.

    The app secret `demo` is ignored: it comes from a copied template, and is no app's.
    """
    files.load_env_file(Path(".env"))
    every = SETTINGS.to_dict()["properties"]
    schema = {"type": "object", "properties": {name: every[name] for name in _NEEDED}}
    variables = {name: value for name, value in from_environment(schema).items() if value != ""}
    config = {**from_pandium(), **variables}
    config.pop("agreement_grant_token", None)
    check_schema(config, schema, variables=variables)
    if value_of(config, "rest_url") == REST_URL and config.get("app_secret_token") in PUBLIC:
        del config["app_secret_token"]
    try:
        opened(config, config.get("app_secret_token") or "checked-later", "checked-later")
    except ConfigError as error:
        raise ConfigError(redacted(str(error), tokens(config))) from None
    return config


def opened(config: Mapping[str, Any], app_secret: str, token: str) -> TapVismaEconomic:
    """Return a tap for one grant that does not wait for minutes, because a user is waiting."""
    logging.getLogger(TapVismaEconomic.name).setLevel(logging.CRITICAL)  # the caller reports
    pair = {"app_secret_token": app_secret, "agreement_grant_token": token}
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    with signals_wait():  # the SDK sets handlers of its own
        tap = TapVismaEconomic(config={**config, **pair, "max_wait_minutes": 0.5})
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
    return tap


def agreement_of(tap: TapVismaEconomic, token: str) -> Agreement:
    """Return the agreement that a grant opens."""
    ((_, answer),) = tap.identify([Grant(token, "agreement_grant_token")])
    return answer()


def filled(tap: TapVismaEconomic, grants: Sequence[Grant]) -> tuple[list[Grant], list[str]]:
    """Return the grants of a file with the numbers and names that e-conomic has for them.

    Nothing is requested for disabled lines. Also returned is what went wrong, a line each.
    """
    found: dict[str, Grant] = {}
    problems = []
    lines = {grant.number: grant.where for grant in grants if grant.number}
    missing = [grant for grant in grants if grant.enabled and not (grant.number and grant.name)]
    for grant, answer in tap.identify(missing):
        try:
            agreement = answer()
        except EconomicError as error:
            problems.append(f"{grant.where}: {error}.")
            continue
        first = lines.setdefault(agreement.number, grant.where)
        if first != grant.where:
            problems.append(f"{grant.where} is for {agreement}, as is {first}. Remove one of them.")
            continue
        name = grant.name or agreement.name
        found[grant.where] = replace(grant, number=agreement.number, name=name)
    return [found.get(grant.where, grant) for grant in grants], problems


def access_table(tap: TapVismaEconomic) -> str:
    """Return what the grant of a tap is, and which streams it cannot read."""
    ((agreement, findings),) = tap.findings()
    readable = {name for name, found in findings.items() if found.access is access.Access.YES}
    denied = [stream for stream in tap.streams.values() if stream.name not in readable]
    return access.table(agreement, findings, denied)
