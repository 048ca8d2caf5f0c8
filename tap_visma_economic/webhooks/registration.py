"""The commands that register webhooks in e-conomic: `register`, `list`, `check`, `remove`.

They compare what e-conomic has with what it should have, and write only what differs. A webhook is
ours if its URL begins with `--url`.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from tap_visma_economic.errors import (
    AccessDeniedError,
    ConfigError,
    EconomicError,
    GrantRefusedError,
    RateLimitError,
    Stopped,
    counted,
    shown,
)
from tap_visma_economic.redact import WEBHOOK_HEADER, redact_logs, redacted
from tap_visma_economic.signals import signals_wait
from tap_visma_economic.webhooks.api import SIGNATURE, Company, ConflictError, Header, Hook
from tap_visma_economic.webhooks.secret import in_environment, secrets, signature

if TYPE_CHECKING:
    from tap_visma_economic.agreements_file import Grant
    from tap_visma_economic.run import Run
    from tap_visma_economic.tap import TapVismaEconomic

AT_ONCE = 16
"""Companies that are compared at the same time."""

_URL = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[\w.~-]+)*/*", re.ASCII)
_TAKEN = (
    "taken, but not by this app: the webhook was set up by hand in e-conomic, or by another app. "
    "Delete it there (All settings, Extensions, Web hooks), then run the command again"
)
_NO_NEWS = ("unchanged", "listed")


@dataclass
class Outcome:
    """What was found and done for one company.

    Args:
        who: the company, or where its grant is.
        events: event types by what was done, such as `registered`.
        lines: further results. problems: what failed, a line each.
    """

    who: str
    events: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, event: str, action: Callable[[], str]) -> None:
        """Do something about an event type, and record what was done or went wrong."""
        try:
            self.events[action()].append(event)
        except (GrantRefusedError, RateLimitError):
            raise  # so would all others
        except EconomicError as error:
            self.problems.append(f"{event}: {error}")


Work = Callable[[Company, Outcome], None]


@dataclass(frozen=True)
class Comparison:
    """Compares a company's webhooks with those it should have.

    Args:
        url: how their URLs begin, without a slash at the end.
        events: the event types to register.
        offered: all event types of e-conomic, with their merge fields.
        secret: what they are signed with.
        writes: whether differences are written.
        complains: whether a difference is a problem.
        takes_over: whether webhooks of another deployment of the same app are replaced.
    """

    url: str
    events: Sequence[str]
    offered: Mapping[str, Sequence[str]]
    secret: str
    writes: bool = False
    complains: bool = False
    takes_over: bool = False

    def __call__(self, company: Company, outcome: Outcome) -> None:
        """Compare all event types of a company."""
        hooks = company.hooks()
        ours = [e for e in hooks if e in self.offered and hooks[e].is_ours(self.url)]
        for event in dict.fromkeys([*self.events, *ours]):  # a new secret concerns all of ours
            outcome.add(event, partial(self._settle, company, event, hooks.get(event)))

    def _settle(self, company: Company, event: str, hook: Hook | None) -> str:
        for last in (False, True):
            wanted = self._wanted(company.agreement.number, event, hook)
            done, why = self._verdict(hook, wanted)
            if self.complains and why:
                raise EconomicError(why)
            if not (self.writes and why):
                return done
            try:
                company.write("PUT" if hook else "POST", wanted)
            except ConflictError:
                before, hook = hook, company.hook(event)
                if not (before or hook):
                    raise EconomicError(_TAKEN) from None
                if last:
                    raise
            else:
                return done
        raise AssertionError

    def _wanted(self, number: int, event: str, hook: Hook | None) -> Hook:
        """Return the webhook of an event type, to send in place of what there is.

        The template is text, not JSON: e-conomic would not escape the values.
        """
        kept = hook.other_headers if hook and hook.is_ours(self.url) else []
        return Hook(
            event,
            name=f"tap-visma-economic {event}"[:100],
            url=f"{self.url}/{number}/{event}",
            content_type="text/plain",
            post_data="\n".join(f"{name}=[{name}]" for name in self.offered[event]),
            custom_headers=[Header(WEBHOOK_HEADER, signature(self.secret, number)), *kept],
            object_version=hook.object_version if hook else None,
        )

    def _verdict(self, hook: Hook | None, wanted: Hook) -> tuple[str, str]:
        """Return what registering does about a webhook, and why; no reason if nothing."""
        if hook is None:
            return "registered", "not registered"
        if not hook.is_ours(self.url):
            if not self.takes_over:
                raise EconomicError(
                    f"held by another deployment of this app ({hook.address}). --take-over "
                    "replaces its webhook"
                )
            return "taken over", f"held by another deployment ({hook.address})"
        has, should = hook.compared, wanted.compared
        different = [name for name in should if has[name] != should[name]]
        why = [f"registered with another {' and '.join(different)}"] if different else []
        why += [f"{hook.state}, so e-conomic does not send it"] if hook.is_disabled else []
        done = "updated" if different else "enabled" if why else "unchanged"
        return done, "; ".join(why)


# The commands


def _checked_url(ctx: click.Context, param: click.Parameter, value: str) -> str:  # noqa: ARG001
    if not _URL.fullmatch(value):
        raise click.BadParameter(
            "It must be an https URL without login, query or fragment, such as "
            "https://hooks.example.com."
        )
    return value.rstrip("/")


_config = click.option(
    "--config",
    "config",
    multiple=True,
    metavar="FILE",
    help="Settings file of the tap, in addition to the environment and .env.",
)
_url = click.option(
    "--url",
    required=True,
    callback=_checked_url,
    metavar="URL",
    help="Public https URL of the receiver. A webhook is ours if its URL begins with this.",
)
_events = click.option(
    "--event",
    "events",
    multiple=True,
    type=str.upper,
    metavar="NAME",
    help="Event type; can be repeated. Default: all that name the rows to read.",
)


@click.command()
@_config
@_url
@_events
@click.option("--dry-run", is_flag=True, help="Only report what would change.")
@click.option("--take-over", is_flag=True, help="Replace the same app's webhooks with other URLs.")
def register(config: Sequence[str], url: str, events: Sequence[str], **flags: bool) -> None:
    """Create the webhooks of all companies in e-conomic, and update those that differ.

    It writes only what differs. Run it again after you add a company or change the secret in
    TAP_VISMA_ECONOMIC_WEBHOOK_SECRET, or after an interruption.
    """
    writes = not flags["dry_run"]

    def plan(run: Run) -> Work:
        return _comparison(run, url, events, writes=writes, takes_over=flags["take_over"])

    _each(config, plan, writes=writes, hint=". Nothing was written: this was a dry run")


@click.command()
@_config
@_url
@_events
def check(config: Sequence[str], url: str, events: Sequence[str]) -> None:
    """Report webhooks that are missing, differ or are disabled, with exit code 1."""
    _each(config, lambda run: _comparison(run, url, events, complains=True))


@click.command("list")
@_config
def list_(config: Sequence[str]) -> None:
    """List all webhooks that the app has created, whatever their URLs."""

    def work(company: Company, outcome: Outcome) -> None:
        for event, hook in sorted(company.hooks().items()):
            outcome.events["listed"].append(event)
            outcome.lines.append(f"{event}  {hook.address}  {hook.state}")

    _each(config, lambda _: work)


@click.command()
@_config
@_url
@_events
@click.option("--yes", is_flag=True, help="Delete the webhooks. Without this, only list them.")
def remove(config: Sequence[str], url: str, events: Sequence[str], yes: bool) -> None:
    """Delete the webhooks whose URL begins with --url."""

    def work(company: Company, outcome: Outcome) -> None:
        def delete(event: str) -> str:
            if yes:
                company.delete(event)
            return "removed"

        for event, hook in company.hooks().items():
            if hook.is_ours(url) and (not events or event in events):
                outcome.add(event, partial(delete, event))

    _each(config, lambda _: work, writes=yes, hint=". Nothing was removed: add --yes to do so")


def add_commands(group: click.Group) -> None:
    """Add the commands to the command line."""
    for command in (register, list_, check, remove):
        group.add_command(command)


def _comparison(run: Run, url: str, events: Sequence[str], **options: bool) -> Comparison:
    """Return a comparison with the event types that e-conomic has, read once."""
    from tap_visma_economic.events import RULES  # noqa: PLC0415

    secret, *_ = secrets()  # the new one, while there are two
    offered = _event_types(run)
    if unknown := [event for event in events if event not in offered]:
        raise ConfigError(
            f"e-conomic has no event type {shown(', '.join(unknown))}. It has "
            f"{', '.join(sorted(offered))}"
        )
    others = sorted(set(offered) - set(RULES))
    if others and not events:
        click.echo(
            f"Omitted: {', '.join(others)}, because such events make a run read all streams of the "
            "company. --event NAME registers one."
        )
    return Comparison(url, events or sorted(set(offered) & set(RULES)), offered, secret, **options)


def _event_types(run: Run) -> dict[str, list[str]]:
    """Return e-conomic's event types, from the first company whose grant can read them."""
    *others, last = run.grants
    for grant in others:
        with contextlib.suppress(AccessDeniedError, GrantRefusedError):
            return Company.of(run, grant).event_types()
    return Company.of(run, last).event_types()


def _each(
    config: Sequence[str],
    plan: Callable[[Run], Work],
    *,
    writes: bool = False,
    hint: str = "",
) -> None:
    """Do something for every company, print the outcomes, and exit with 1 if anything failed.

    Args:
        config: paths of settings files.
        plan: returns what to do for each.
        writes: whether it may write to e-conomic.
        hint: what the last line ends in if not.
    """
    tap = _opened(config)
    run = tap.shared
    hidden = [run.config["app_secret_token"], *(grant.token for grant in run.grants)]
    hidden += in_environment()
    redact_logs(hidden)
    run.transport.writes = writes
    would = "" if writes else "would be "

    def say(text: str, *, err: bool = False) -> None:
        line = SIGNATURE.sub("***", redacted(text, hidden))
        click.echo(shown(line, len(line)), err=err)

    total: Counter[str] = Counter()
    problems = 0
    try:
        for outcome in _outcomes(run, plan(run)):
            news = []
            for done, events in outcome.events.items():
                what = done if done in _NO_NEWS else would + done
                total[what] += len(events)
                news += [f"{what}: {', '.join(events)}"] if done not in _NO_NEWS else []
            for line in filter(None, ["; ".join(news), *outcome.lines]):
                say(f"{outcome.who}: {line}")
            for line in outcome.problems:
                say(f"{outcome.who}: {line}", err=True)
            problems += len(outcome.problems)
    except Stopped:
        say("Stopped. Run the command again to continue", err=True)
        os._exit(128 + (tap.stop.signum or 0))  # responses on their way would be waited for
    numbers = ", ".join(f"{count} {what}" for what, count in total.items())
    companies = counted(len(run.grants), "company", "companies")
    say(f"{companies}: {numbers or 'no webhooks'}{'' if writes else hint}")
    if problems:
        say(f"Incomplete: {counted(problems, 'problem')}, listed above", err=True)
        sys.exit(1)


def _opened(config: Sequence[str]) -> TapVismaEconomic:
    """Return the tap with the settings in files and in the environment."""
    from tap_visma_economic import files  # noqa: PLC0415  a second, for which `serve` need not wait
    from tap_visma_economic.tap import TapVismaEconomic  # noqa: PLC0415

    settings: dict[str, Any] = {}
    for path in (path for path in config if path != "ENV"):
        settings |= files.read_config(path)
    with signals_wait():
        tap = TapVismaEconomic(config=settings, parse_env_config=True)
        tap.stop.listen()
    run = tap.shared
    if not run.grants:
        raise ConfigError("All companies in the settings are disabled. Enable one")
    run.known = {grant.token: grant.number for grant in run.grants if grant.number}
    return tap


def _outcomes(run: Run, work: Work) -> Iterator[Outcome]:
    """Yield what came of doing something for each company, in order."""

    def visit(grant: Grant) -> Outcome:
        outcome = Outcome(grant.where)
        try:
            company = Company.of(run, grant)
            outcome.who = str(company.agreement)
            work(company, outcome)
        except AccessDeniedError as error:
            outcome.problems.append(f"{error}. Webhooks need an app with the role SuperUser")
        except EconomicError as error:
            outcome.problems.append(str(error))
        return outcome

    for _, answer in run.prefetcher.outcomes(visit, run.grants, at_once=AT_ONCE):
        yield answer()
