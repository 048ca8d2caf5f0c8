"""The command line, `tap-visma-economic-webhooks` or `python -m tap_visma_economic.webhooks`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tap_visma_economic import files
from tap_visma_economic.__main__ import run_command
from tap_visma_economic.errors import (
    AccessDeniedError,
    ConfigError,
    EconomicError,
    GrantRefusedError,
    Stopped,
    counted,
    shown,
)
from tap_visma_economic.redact import redacted, without_signatures
from tap_visma_economic.signals import signals_wait
from tap_visma_economic.webhooks.inbox import Inbox
from tap_visma_economic.webhooks.registration import (
    LISTED,
    PROBLEM,
    UNCHANGED,
    Company,
    Comparison,
    Work,
    listing,
    removal,
)
from tap_visma_economic.webhooks.secret import secrets

if TYPE_CHECKING:
    from tap_visma_economic.agreements_file import Grant

AT_ONCE = 16
"""Companies whose webhooks are read and written at the same time."""


def _quantity(**units: int) -> Callable[[str], int]:
    """Return what parses a whole number and its unit, such as `1GB`."""

    def parse(text: str) -> int:
        match = re.fullmatch(rf"([1-9]\d{{0,8}}) *({'|'.join(units)})", text.strip())
        if not match:
            raise click.BadParameter(f"It must be a whole number and a unit: {', '.join(units)}.")
        return int(match[1]) * units[match[2]]

    return parse


def _receiver(ctx: click.Context, param: click.Parameter, value: str) -> str:  # noqa: ARG001
    if not re.fullmatch(r"(?a)https://[A-Za-z0-9.-]+(:\d+)?(/[\w.~-]+)*/*", value):
        raise click.BadParameter(
            "It must be an https URL without login, query or fragment, such as "
            "https://hooks.example.com."
        )
    return value.rstrip("/")


inbox_option = click.option(
    "--inbox",
    required=True,
    envvar="TAP_VISMA_ECONOMIC_EVENTS_INBOX",
    metavar="URL",
    help="The inbox, such as sqlite:///inbox.db or postgresql://user@host/database.",
)
config_option = click.option(
    "--config",
    multiple=True,
    metavar="FILE",
    help="Settings file of the tap, in addition to the environment and .env.",
)
url_option = click.option(
    "--url",
    required=True,
    callback=_receiver,
    metavar="URL",
    help="Public https URL of the receiver. A webhook is ours if its URL is this, the number of an "
    "agreement and an event.",
)
event_option = click.option(
    "--event",
    "events",
    multiple=True,
    type=str.upper,
    metavar="NAME",
    help="Event type; can be repeated. Default: all that name the rows to read.",
)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 usage error, 130 interrupted.",
)
@click.version_option(package_name="tap-visma-economic")
def command() -> None:
    """Receive e-conomic's webhooks, so that runs can read only what has changed."""
    files.load_env_file(Path(".env"))


@command.command()
@inbox_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8787, show_default=True)
@click.option(
    "--at-most",
    type=_quantity(KB=10**3, MB=10**6, GB=10**9),
    default="1GB",
    show_default=True,
    metavar="SIZE",
    help="Maximum size of the inbox.",
)
def serve(inbox: str, host: str, port: int, at_most: int) -> None:
    """Receive webhooks and store their events in the inbox.

    TAP_VISMA_ECONOMIC_WEBHOOK_SECRET holds the secret; to replace it, set NEW,OLD.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # uvicorn raises it again when it is done
    try:
        from tap_visma_economic.webhooks import receiver  # noqa: PLC0415
    except ImportError as error:
        raise EconomicError(
            f"The receiver needs {error.name}: pip install 'tap-visma-economic[webhooks]'"
        ) from error
    receiver.serve(inbox, host=host, port=port, at_most=at_most)


@command.command()
@inbox_option
def health(inbox: str) -> None:
    """Print the number of events in the inbox, and of unread ones, as one JSON object."""
    click.echo(json.dumps(Inbox(inbox).health()))


@command.command()
@inbox_option
@click.option(
    "--older-than",
    type=_quantity(m=60, h=3600, d=86400),
    required=True,
    metavar="AGE",
    help="Delete events older than this, such as 30d.",
)
@click.option("--forget", metavar="READER", help="Remove a reader that no longer runs.")
def prune(inbox: str, older_than: int, forget: str | None) -> None:
    """Delete old events that all readers have read."""
    opened = Inbox(inbox)
    if forget:
        opened.forget(forget)
    count, behind = opened.prune(timedelta(seconds=older_than))
    click.echo(f"Deleted {counted(count, 'event')}.")
    for reader, at in behind.items():
        click.echo(
            f"Older events are kept because {reader} has not read them; it last ran "
            f"{at:%Y-%m-%d %H:%M} UTC. If it no longer runs, add --forget {reader}"
        )


@command.command()
@config_option
@url_option
@event_option
@click.option("--dry-run", is_flag=True, help="Only report what would change.")
@click.option("--take-over", is_flag=True, help="Replace the same app's webhooks with other URLs.")
def register(
    config: Sequence[str], url: str, events: Sequence[str], dry_run: bool, take_over: bool
) -> None:
    """Create the webhooks of all companies in e-conomic, and update those that differ.

    It writes only what differs. Run it again after you add a company or change the secret in
    TAP_VISMA_ECONOMIC_WEBHOOK_SECRET, or after an interruption.
    """
    companies = Companies(config, writes=not dry_run)
    work = companies.comparison(url, events, writes=not dry_run, takes_over=take_over)
    companies.visit(work, ". Nothing was written: this was a dry run" if dry_run else "")


@command.command()
@config_option
@url_option
@event_option
def check(config: Sequence[str], url: str, events: Sequence[str]) -> None:
    """Report webhooks that are missing, differ or are disabled, with exit code 1."""
    companies = Companies(config)
    companies.visit(companies.comparison(url, events, complains=True))


@command.command("list")
@config_option
def list_(config: Sequence[str]) -> None:
    """List all webhooks that the app has created, whatever their URLs."""
    Companies(config).visit(listing)


@command.command()
@config_option
@url_option
@event_option
@click.option("--yes", is_flag=True, help="Delete the webhooks. Without this, only list them.")
def remove(config: Sequence[str], url: str, events: Sequence[str], yes: bool) -> None:
    """Delete the webhooks of the receiver at --url."""
    hint = "" if yes else ". Nothing was removed: add --yes to do so"
    work = partial(removal, url=url, events=events, writes=yes)
    Companies(config, writes=yes).visit(work, hint)


class Companies:
    """The companies in the tap's settings.

    Args:
        config: paths of settings files.
        writes: whether to write to e-conomic.
    """

    def __init__(self, config: Sequence[str], *, writes: bool = False) -> None:
        from tap_visma_economic.tap import TapVismaEconomic  # noqa: PLC0415  takes a second

        settings: dict[str, Any] = {}
        for path in (path for path in config if path != "ENV"):
            settings |= files.read_config(path)
        with signals_wait():
            self._tap = TapVismaEconomic(config=settings, parse_env_config=True)
            self._tap.stop.listen()
        self._run = run = self._tap.shared
        if not run.grants:
            raise ConfigError("All companies in the settings are disabled. Enable one")
        run.known = {grant.token: grant.number for grant in run.grants if grant.number}
        run.transport.writes = writes
        self._tokens = [run.config["app_secret_token"], *(grant.token for grant in run.grants)]

    def comparison(self, url: str, events: Sequence[str], **options: bool) -> Comparison:
        """Return a comparison with the event types that e-conomic has, read once.

        Args:
            url: how the URLs of the webhooks begin.
            events: the event types to register; if there are none, those that name rows to read.
            options: of the comparison.
        """
        from tap_visma_economic.events import RULES  # noqa: PLC0415

        secret, *_ = secrets()  # the new one, while there are two
        offered = self._event_types()
        if unknown := [event for event in events if event not in offered]:
            raise ConfigError(
                f"e-conomic has no event type {shown(', '.join(unknown))}. It has "
                f"{', '.join(sorted(offered))}"
            )
        others = sorted(set(offered) - set(RULES))
        if others and not events:
            self._say(
                f"Omitted: {', '.join(others)}, because such events make a run read all streams of "
                "the company. --event NAME registers one."
            )
        wanted = events or sorted(set(offered) & set(RULES))
        return Comparison(url, wanted, offered, secret, **options)

    def _event_types(self) -> dict[str, list[str]]:
        """Return e-conomic's event types, from the first company whose grant can read them."""
        *others, last = self._run.grants
        for grant in others:
            with contextlib.suppress(AccessDeniedError, GrantRefusedError):
                return self._company(grant).event_types()
        return self._company(last).event_types()

    def _company(self, grant: Grant) -> Company:
        return Company(self._run, self._run.agreement_of(grant))

    def visit(self, work: Work, hint: str = "") -> None:
        """Do something for every company, print the results, and exit with 1 if anything failed.

        Args:
            work: what to do.
            hint: what the last line ends in.
        """
        total: Counter[str] = Counter()
        try:
            visits = self._run.prefetcher.outcomes(
                partial(self._results, work), self._run.grants, at_once=AT_ONCE
            )
            for _, visited in visits:
                who, results = visited()
                for done, found in results.items():
                    total[done] += len(found)
                    lines = found if done in (PROBLEM, LISTED) else [f"{done}: {', '.join(found)}"]
                    for line in lines if done != UNCHANGED else ():
                        self._say(f"{who}: {line}", err=done == PROBLEM)
        except Stopped:
            self._say("Stopped. Run the command again to continue", err=True)
            os._exit(128 + (self._tap.stop.signum or 0))  # without waiting for requests in flight
        problems = total.pop(PROBLEM, 0)
        numbers = ", ".join(f"{count} {done}" for done, count in total.items()) or "no webhooks"
        self._say(f"{counted(len(self._run.grants), 'company', 'companies')}: {numbers}{hint}")
        if problems:
            self._say(f"Incomplete: {counted(problems, 'problem')}, listed above", err=True)
            sys.exit(1)

    def _results(self, work: Work, grant: Grant) -> tuple[str, dict[str, list[str]]]:
        """Return who a company is, and the results of the work by what was done."""
        who, results = grant.where, defaultdict[str, list[str]](list)
        try:
            company = self._company(grant)
            who = str(company.agreement)
            for done, event in work(company):
                results[done].append(event)
        except AccessDeniedError as error:
            results[PROBLEM].append(f"{error}. Webhooks need an app with the role SuperUser")
        except EconomicError as error:
            results[PROBLEM].append(str(error))
        return who, results

    def _say(self, text: str, *, err: bool = False) -> None:
        line = without_signatures(redacted(text, self._tokens))
        click.echo(shown(line, len(line)), err=err)


def main() -> None:
    """Run the command line, and end with an exit code and without a traceback."""
    run_command(command)


if __name__ == "__main__":
    main()
