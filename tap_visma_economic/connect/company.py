"""Which company a grant opens, and how a set of settings takes it in."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tap_visma_economic.agreement import agreement_of
from tap_visma_economic.auth import EconomicAuthenticator, origin_of
from tap_visma_economic.config import settings
from tap_visma_economic.errors import ConfigError, EconomicError, GrantRefusedError, error_of
from tap_visma_economic.http import HttpClient
from tap_visma_economic.rate_limit import RateLimit
from tap_visma_economic.records import pages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import requests

    from tap_visma_economic.agreement import Agreement
    from tap_visma_economic.session import Transport

_PATIENCE = 60.0
"""Seconds that one question may wait for e-conomic, with a person in front of the screen."""


class Desk:
    """Asks e-conomic which company a grant is for.

    Args:
        transport: sends the questions.
        config: the settings; their `rest_url` is asked.
        app_secret: the app's secret token.
    """

    def __init__(self, transport: Transport, config: Mapping[str, Any], app_secret: str) -> None:
        self._transport = transport
        self._url = str(settings.value_of(config, "rest_url")).rstrip("/") + "/self"
        self._app_secret = app_secret

    def company(self, token: str) -> Agreement:
        """Return the agreement that a grant token opens.

        Raises:
            EconomicError: e-conomic rejected the tokens, or did not answer.
        """
        grant = EconomicAuthenticator(self._app_secret, token, [origin_of(self._url)])
        http = HttpClient(self._transport, grant, RateLimit(1), requests=1, max_wait=_PATIENCE)
        request = self._transport.prepare(
            "GET", self._url, headers={"Accept": "application/json"}, auth=grant
        )

        def read(response: requests.Response) -> pages.Page:
            if response.status_code != HTTPStatus.OK:
                raise error_of(response)
            return pages.single(response, ("agreementNumber",))

        page = http.get(request, read, what="company")
        return agreement_of(http, page)

    def known(self, named: Sequence[tuple[str, str]]) -> Known:
        """Ask for each of the grants that settings hold already which company it opens.

        Args:
            named: where each stands, and the token.
        """
        known = Known({}, set(), {})
        prefetcher = self._transport.prefetcher
        answers = prefetcher.outcomes(lambda one: self.company(one[1]), named, at_once=4)
        for (where, _), answer in answers:
            known.note(where, answer)
        return known


@dataclass(frozen=True)
class Known:
    """What the grants are good for that settings hold already.

    Args:
        companies: agreement number to where its grant stands.
        refused: where a grant stands that e-conomic refuses: it was revoked, or never was one.
        unclear: where a grant stands that e-conomic did not answer for, and what happened.
    """

    companies: dict[int, str]
    refused: set[str]
    unclear: dict[str, str]

    def note(self, where: str, answer: Callable[[], Agreement]) -> None:
        """Note what e-conomic answers for one grant."""
        try:
            self.companies.setdefault(answer().number, where)
        except GrantRefusedError:
            self.refused.add(where)
        except EconomicError as error:
            self.unclear[where] = str(error)


def placeholders_out(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without `demo` where that is e-conomic's public demo company.

    A copied template holds it, and it works with no app of one's own. A sandbox may use it too.
    """
    if settings.value_of(config, "rest_url") != settings.REST_URL:
        return dict(config)
    named = ("app_secret_token", "agreement_grant_token")
    return {n: v for n, v in config.items() if n not in named or v not in settings.DEMO}


def with_grant(
    config: Mapping[str, Any], app_secret: str, token: str, without: Collection[str]
) -> dict[str, Any]:
    """Return what to change in settings so that they hold one grant more.

    The first grant becomes `agreement_grant_token`; each further one joins `agreements`. Those that
    are there stay where they are.

    Args:
        config: the settings.
        app_secret: the app's secret token.
        token: the new grant token.
        without: where grants stand that are to be taken out, as `settings.grant_tokens` names them.
    """
    named = settings.grant_tokens(config)
    kept = [(where, held) for where, held in named if where not in without]
    single = [held for where, held in kept if where == "agreement_grant_token"]
    listed = [held for where, held in kept if where != "agreement_grant_token"]
    if not kept:
        single = [token]
    elif token not in {held for _, held in kept}:
        listed.append(token)
    return {
        "app_secret_token": app_secret,
        "agreement_grant_token": single[0] if single else None,
        "agreements": [{"agreement_grant_token": held} for held in listed] or None,
    }


def check(config: Mapping[str, Any]) -> None:
    """Check settings as far as connecting needs them.

    Raises:
        ConfigError: what is wrong and what to do; never with a token.
    """
    settings.check_tokens(config, required=False)
    settings.check(config)
    timeout = config.get("request_timeout", 1)
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout <= 0:
        raise ConfigError("request_timeout must be a number of seconds above 0")
