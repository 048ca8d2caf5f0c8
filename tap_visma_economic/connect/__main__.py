"""The command line, `tap-visma-economic-connect` or `python -m tap_visma_economic.connect`."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tap_visma_economic.__main__ import run_command
from tap_visma_economic.agreements_file import Grant
from tap_visma_economic.connect import store, terminal, token_check
from tap_visma_economic.connect.installation import (
    NotGrantedError,
    grant_in_paste,
    has_token,
    installation_url,
)
from tap_visma_economic.connect.listener import Listener, Page
from tap_visma_economic.connect.terminal import say
from tap_visma_economic.errors import (
    ConfigError,
    EconomicError,
    GrantRefusedError,
    counted,
)
from tap_visma_economic.redact import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.tap import TapVismaEconomic

_TRIES = 3
"""Maximum attempts to type the app secret."""


@dataclass(frozen=True)
class Options:
    """How to get a grant, as the options of the same names say."""

    app: str | None
    paste: bool
    port: int | None
    no_browser: bool
    timeout: float


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 connected, 1 rejected or failed, 2 usage error, 3 access not granted, "
    "4 timed out, 130 interrupted.",
)
@click.option("--app", metavar="TOKEN", help="The app's public token, or its installation URL.")
@click.option(
    "--into",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the grant in this agreements file: CSV if it ends in .csv, else JSON Lines.",
)
@click.option("--fill", is_flag=True, help="Look up the missing numbers and names in --into.")
@click.option("--export", is_flag=True, help="Print the tokens as export lines. Save nothing.")
@click.option(
    "--paste",
    is_flag=True,
    help="Paste the token by hand, if the browser cannot return to this machine.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Local port to listen on. Default: any free port"
)
@click.option("--no-browser", is_flag=True, help="Print the URL instead of opening a browser.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the browser.",
)
@click.version_option(package_name="tap-visma-economic")
def command(*, into: Path | None, fill: bool, export: bool, **options: Any) -> None:
    """Give your e-conomic app access to a company, and save the grant for tap-visma-economic.

    Asks for the app's public token and secret token, opens e-conomic in a browser, waits until
    somebody at the company has added the app, and checks the grant. With --into it is saved in an
    agreements file, to which each further company is added; without, the tokens are printed.
    """
    if into and export:
        raise click.UsageError("Choose one of --into and --export.")
    if fill and not into:
        raise click.UsageError("--fill needs a file: --into FILE.")
    if not (into or export or sys.stdout.isatty()):
        raise click.UsageError(
            "Say where the tokens go: --into FILE saves them, --export prints them. Without "
            "either they are printed to a terminal only."
        )
    if options["paste"] and options["port"]:
        raise click.UsageError("--port has no effect with --paste; omit it.")
    if into and fill:
        fill_in(into)
    else:
        connect(Options(**options), into)


def fill_in(path: Path) -> None:
    """Save the missing numbers and names of an agreements file."""
    config = token_check.settings_given()
    store.check(path)
    app_secret = config.get("app_secret_token") or terminal.ask_app_secret()
    with store.locked(path):
        grants, form = store.load(path)
        if not grants:
            raise ConfigError(f"{path} has no lines to fill")
        tap = token_check.opened(config, app_secret, grants[0].token)
        found, problems = token_check.filled(tap, grants)
        changed = sum(new != old for new, old in zip(found, grants, strict=True))
        if changed:
            store.save(path, found, form)
    say(f"Filled {counted(changed, 'line')} of {path}.")
    if problems:
        raise EconomicError("\n".join(problems).removesuffix("."))


def connect(options: Options, into: Path | None) -> None:
    """Get a grant, check it, save or print it, and report which streams it can read."""
    config = token_check.settings_given()
    if into:
        store.check(into)  # before somebody adds the app in vain
    app = options.app or terminal.ask("App public token (or the app's installation URL)")
    installation_url(app)  # fails before the next question
    app_secret = config.get("app_secret_token")
    typed = app_secret is None
    app_secret = app_secret or terminal.ask_app_secret()
    if app_secret not in PUBLIC and has_token(app, app_secret):
        raise ConfigError(
            "That is the app's secret token. Enter its public token, which e-conomic shows with "
            "the app: this value ends up in the browser's history"
        )
    with _grant(options, app) as (token, show):
        try:
            app_secret, tap, found = _checked(config, app_secret, token, typed=typed)
            say(f"Connected to {found.name or 'a company'}, agreement {found.number}.")
            grant = Grant(token, "agreement_grant_token", found.number, found.name)
            if into:
                _save(into, tap, grant)
            else:
                terminal.print_exports(app_secret_token=app_secret, agreement_grant_token=token)
        except EconomicError as error:
            show(Page("failed", f"{error}."))
            raise
        show(Page("connected", found.name or str(found)))
    say("Checking which streams it can read ...\n")
    try:
        say(token_check.access_table(tap))
    except EconomicError as error:
        say(f"Could not check which streams it can read: {error}")


@contextlib.contextmanager
def _grant(options: Options, app: str) -> Iterator[tuple[str, Callable[[Page], object]]]:
    """Get a grant token; yield it, and a function that shows the result in the browser."""
    blind = not terminal.has_browser() and options.port is None and not options.no_browser
    if options.paste or blind:
        if not options.paste:
            say("No browser is available on this machine, so you will paste the token by hand.")
        url = installation_url(app)
        _show_url(url, options, "in any browser")
        say("e-conomic then shows the agreement grant token, or redirects to a URL that ends in")
        say("?token=... Paste either one here. It is not echoed.")
        yield grant_in_paste(terminal.ask("Agreement grant token", hidden=True)), lambda _: None
        return
    with Listener(options.port or 0) as listener:
        url = installation_url(app, listener.redirect_url)
        _show_url(url, options, "in a browser on this machine")
        say(
            f"Waiting up to {options.timeout:.0f} seconds for the browser to return. "
            "Press Ctrl-C to cancel."
        )
        try:
            token = listener.wait(options.timeout)
        except EconomicError as error:
            cancelled = isinstance(error, NotGrantedError)
            listener.show(Page("cancelled") if cancelled else Page("failed", f"{error}."))
            raise
        yield token, listener.show


def _show_url(url: str, options: Options, where: str) -> None:
    opens = terminal.has_browser() and not options.no_browser
    say("Opening this URL in your browser:" if opens else f"Open this URL {where}:")
    say(f"\n  {url}\n")
    say("Log in to the company you want to read, and add the app.")
    if opens:
        terminal.open_browser(url)


def _checked(
    config: Mapping[str, Any], app_secret: str, token: str, *, typed: bool
) -> tuple[str, TapVismaEconomic, Agreement]:
    """Return the app secret, a tap that uses it, and the agreement that the grant opens."""
    for left in reversed(range(_TRIES)):
        tap = token_check.opened(config, app_secret, token)
        try:
            return app_secret, tap, token_check.agreement_of(tap, token)
        except GrantRefusedError as error:
            if not (typed and terminal.is_there() and left):
                raise EconomicError(
                    "e-conomic rejected the tokens (401). With a new grant, the usual cause is an "
                    "app secret token that is wrong or belongs to another app than the public "
                    "token. An older grant may have been revoked"
                ) from error
        say("e-conomic rejected the tokens (401). Check the app secret token.")
        app_secret = terminal.ask_app_secret()
    raise AssertionError


def _save(path: Path, tap: TapVismaEconomic, new: Grant) -> None:
    """Add a grant to a file, or replace the line of its agreement."""
    with store.locked(path):
        held, form = store.load(path)
        grants, problems = token_check.filled(tap, held)
        same = [grant for grant in grants if new.number == grant.number or new.token == grant.token]
        if same:
            new = replace(new, enabled=same[0].enabled)
            grants[grants.index(same[0])] = new
        else:
            grants.append(new)
        grants = [grant for grant in grants if grant not in same[1:]]
        store.save(path, grants, form)
    for line in problems:
        say(line)
    what = "Replaced its line in" if same else "Saved to"
    say(f"{what} {path}, which now has {counted(len(grants), 'agreement')}.")
    if not new.enabled:
        say("The line stays disabled: set enabled to true to read the company.")
    say(f"To read it, set agreements_file to {path}, and app_secret_token.")


def main() -> None:
    """Run the command line, and end with an exit code and without a traceback."""
    run_command(command)


if __name__ == "__main__":
    main()
