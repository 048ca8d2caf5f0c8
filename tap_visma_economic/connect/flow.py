"""The flow: from an app's tokens to a grant that is checked, named and stored."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_visma_economic import access
from tap_visma_economic.config import settings
from tap_visma_economic.connect import company as companies
from tap_visma_economic.connect import landing, report, terminal
from tap_visma_economic.connect.installation import (
    grant_in_paste,
    has_token,
    installation_url,
)
from tap_visma_economic.connect.listener import Listener
from tap_visma_economic.connect.stores import from_environment
from tap_visma_economic.connect.terminal import say
from tap_visma_economic.errors import ConfigError, EconomicError, GrantRefusedError
from tap_visma_economic.prefetch import Prefetcher
from tap_visma_economic.session import Transport
from tap_visma_economic.signals import StopFlag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.connect.stores import Store

_TRIES = 3
"""How often an app secret may be typed."""

_LONGEST_QUOTE = 200
"""Characters of a company's or app's name that are shown."""


@dataclass(frozen=True)
class Wish:
    """What the command line asks for.

    Args:
        app: public token or installation URL of the app; None asks for it.
        store: where the tokens are to be kept.
        paste: the token comes by hand, not by the browser.
        port: of this machine, to listen on; None takes a free one.
        open_browser: whether a browser may be opened.
        locale: language of e-conomic's page.
        timeout: seconds to wait for the browser.
        remove_refused: take out grants that e-conomic refuses.
    """

    app: str | None
    store: Store
    paste: bool
    port: int | None
    open_browser: bool
    locale: str
    timeout: float
    remove_refused: bool


def connect(wish: Wish) -> None:
    """Ask for what is missing, get the grant, check it, store it, and tell what it may read.

    Raises:
        EconomicError: why there is no grant, or none that works.
    """
    held = companies.placeholders_out(wish.store.read())
    config = {**companies.placeholders_out(from_environment()), **held}
    try:
        companies.check(config)
    except ConfigError as error:
        raise ConfigError(settings.without_tokens(str(error), config)) from None
    wish.store.ready()  # nobody is to add the app for nothing
    app = wish.app or terminal.ask("App public token (or the app's installation URL)")
    installation_url(app, locale=wish.locale, redirect_url=None)  # a slip is said before the secret
    secret = _Secret(config.get("app_secret_token"))
    if secret.value not in settings.DEMO and has_token(app, secret.value):
        raise ConfigError(
            "The app's secret token stands where its public token belongs. It would be shown, and "
            "kept by the browser. e-conomic shows the public token with the app"
        )
    with _grant(wish, app) as (token, tell):
        try:
            found, desk = _checked(config, secret, token)
            say(f"It works: {_named(found)}.")
            _tell_app(found)
            with wish.store.alone():
                _store(wish, desk, found, app_secret=secret.value, token=token)
        except EconomicError as error:
            tell(landing.failed(str(error)))
            raise
        tell(landing.connected(_short(found.name) or str(found)))
    _report({**config, "app_secret_token": secret.value, "agreement_grant_token": token})


@contextlib.contextmanager
def _grant(wish: Wish, app: str) -> Iterator[tuple[str, Callable[[str], object]]]:
    """Get a grant token; yields it, and what tells the browser how it went."""
    blind = not terminal.has_browser() and wish.port is None and wish.open_browser
    if wish.paste or blind:
        if blind and not wish.paste:
            say("There is no browser to open on this machine, so the token comes by hand.")
        yield _pasted(wish, app), lambda _: None
        return
    with Listener(wish.port or 0) as listener:
        url = installation_url(app, locale=wish.locale, redirect_url=listener.redirect_url)
        _show(url, wish, "in a browser on this machine")
        say(
            f"Waiting for the browser to come back, for {wish.timeout:.0f} seconds. Ctrl-C ends it."
        )
        try:
            token = listener.wait(wish.timeout)
        except EconomicError as error:
            listener.tell(landing.failed(str(error)))
            raise
        yield token, listener.tell


def _pasted(wish: Wish, app: str) -> str:
    url = installation_url(app, locale=wish.locale, redirect_url=None)
    _show(url, wish, "in any browser")
    terminal.show_code(url)
    say("e-conomic then shows the agreement grant token, or sends the browser to an address that")
    say("ends in ?token=... Paste the token or that whole address here; it is not shown.")
    return grant_in_paste(terminal.ask_secret("Agreement grant token"))


def _show(url: str, wish: Wish, where: str) -> None:
    opened = wish.open_browser and terminal.has_browser() and terminal.open_browser(url)
    say("The browser opens this address:" if opened else f"Open this address {where}:")
    say(f"\n  {url}\n")
    say("Log in to the company that is to be read, and add the app.")


class _Secret:
    """The app's secret token: from the settings, or typed, and then it may be typed again."""

    def __init__(self, value: str | None) -> None:
        self.typed = value is None
        self.value = value or terminal.ask_token("App secret token (it is not shown)")

    def again(self, error: GrantRefusedError, tries: int) -> None:
        """Ask once more.

        Raises:
            EconomicError: it was not typed, nobody is there, or it was wrong often enough.
        """
        if not (self.typed and terminal.is_there() and tries < _TRIES):
            raise EconomicError(
                "e-conomic rejected the tokens (401). With a new grant, the usual cause is an app "
                "secret token that is wrong or belongs to another app than the public token. An "
                "older grant may have been revoked"
            ) from error
        say("e-conomic rejected the tokens (401). Check the app secret token.")
        self.value = terminal.ask_token("App secret token (it is not shown)")


def _checked(
    config: Mapping[str, Any], secret: _Secret, token: str
) -> tuple[Agreement, companies.Desk]:
    """Return the company that the grant opens, and the desk that knew."""
    transport = Transport(
        Prefetcher(StopFlag(), requests=4, concurrency=4),
        requests=4,
        timeout=float(settings.value_of(config, "request_timeout")),
        user_agent=config.get("user_agent") or "tap-visma-economic-connect",
        ca_bundle=config.get("ca_bundle"),
    )
    tries = 1
    while True:
        desk = companies.Desk(transport, config, secret.value)
        try:
            return desk.company(token), desk
        except GrantRefusedError as error:
            secret.again(error, tries)
            tries += 1


def _store(
    wish: Wish,
    desk: companies.Desk,
    found: Agreement,
    *,
    app_secret: str,
    token: str,
) -> None:
    """Store the grant, unless its company is there already.

    What is stored is read again: another company may have been connected during the wait. Nobody
    else may write in between (`Store.alone`).
    """
    held = companies.placeholders_out(wish.store.read())
    if held.get("app_secret_token", app_secret) != app_secret:
        raise ConfigError(
            f"{wish.store.label} has got the secret token of another app in the meantime, and was "
            "not changed. Run the command again"
        )
    known = desk.known(settings.grant_tokens(held))
    for where in sorted(known.refused):
        what = "is taken out" if wish.remove_refused else "stays; --remove-refused takes it out"
        say(f"{where} in {wish.store.label}: e-conomic refuses it, it may be revoked. It {what}.")
    for where, why in known.unclear.items():
        say(f"{where} in {wish.store.label} could not be checked: {why}")
    out = known.refused if wish.remove_refused else set()
    there = known.companies.get(found.number)
    if there:
        say(f"{_named(found)} is in {wish.store.label} already, as {there}, and that grant works.")
        if not out:
            say("Nothing was changed.")
            return
    with_token = next(t for w, t in settings.grant_tokens(held) if w == there) if there else token
    changes = companies.with_grant(held, app_secret, with_token, out)
    merged = {**held, **changes}
    companies.check({name: value for name, value in merged.items() if value is not None})
    wish.store.write(changes)
    count = len(settings.grant_tokens(merged))
    more = f" It holds {count} grants now." if count > 1 else ""
    say(f"Written to {wish.store.label}.{more}")


def _named(found: Agreement) -> str:
    return f"{_short(found.name)}, agreement {found.number}" if found.name else str(found)


def _tell_app(found: Agreement) -> None:
    app = found.page.rows[0].get("application")
    name = app.get("name") if isinstance(app, dict) else None
    if isinstance(name, str):
        roles = ", ".join(map(_short, access.roles(found)))
        say(f"The app is {_short(name)}" + (f", with the role {roles}." if roles else "."))


def _short(text: str) -> str:
    return text[:_LONGEST_QUOTE].strip()


def _report(config: Mapping[str, Any]) -> None:
    say("Asking what it may read ...")
    one = {name: value for name, value in config.items() if name != "agreements"}
    try:
        for line in report.access(one):
            say(line)
    except EconomicError as error:
        say(f"What it may read could not be found out: {error}")
