"""`make live-check`: find out how e-conomic really behaves, and write a report.

At most 60 calls, GET only, with a pause between them. The report holds no amounts, names, texts,
numbers or tokens: only what was found, statuses, codes, and the forms of dates and headers.
Without tokens of your own in the environment it asks e-conomic's public demo company.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from scripts.live_check.answers import CannotTell, Finding, Reply
from scripts.live_check.checks import CHECKS, assumptions
from tap_visma_economic.auth import EconomicAuthenticator, origin_of
from tap_visma_economic.config import OPENAPI_URL, PREFIX, REST_URL
from tap_visma_economic.rate_limit import limit_of
from tap_visma_economic.retry import retry_after
from tap_visma_economic.schemas import MODULE_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.live_check.checks import Check

MOST_CALLS = 60
LONGEST_WAIT = 60.0  # seconds, and only once

ANSWERS = {True: "as assumed", False: "otherwise", None: "could not tell"}


class TokensRejectedError(Exception):
    """e-conomic returned 401."""


@dataclass
class Api:
    """Both APIs, called gently: no request twice, seconds of pause before each, an end in time."""

    rest_url: str
    openapi_url: str
    auth: EconomicAuthenticator
    pause: float
    replies: list[Reply] = field(default_factory=list)
    _known: dict[str, Reply] = field(default_factory=dict)
    _stopped: str = ""
    _waited: bool = False

    def get(self, request: str) -> Reply:
        """Return the response to a request as the table writes it.

        Raises:
            CannotTell: it was not sent, or there was no response.
            TokensRejectedError: e-conomic does not know the tokens.
        """
        if request not in self._known:
            self._known[request] = self._send(request)
        return self._known[request]

    def _send(self, request: str) -> Reply:
        url, _, query = self._url(request).partition("?")
        parameters = dict(pair.split("=", 1) for pair in query.split("&") if pair)
        if len(self.replies) >= MOST_CALLS:
            self._stopped = self._stopped or f"not requested: {MOST_CALLS} calls were made"
        if self._stopped:
            raise CannotTell(self._stopped)
        time.sleep(self.pause)
        try:
            response = requests.get(
                url, params=parameters, auth=self.auth, timeout=60, allow_redirects=False
            )
            reply = Reply(response.status_code, response.headers, _json(response))
        except requests.RequestException as error:  # its words may hold a token
            self._hold(
                LONGEST_WAIT / 10, f"not requested: no response before ({type(error).__name__})"
            )
            raise CannotTell(f"no response ({type(error).__name__})") from None
        self.replies.append(reply)
        if reply.status == requests.codes.unauthorized:
            raise TokensRejectedError
        if reply.status == requests.codes.too_many_requests:
            wait = retry_after(*(reply.headers.get(name) for name in ("Retry-After", "Date")))
            self._hold(wait, "not requested: e-conomic rejected a call with 429")
            return self._send(request)
        budget = limit_of(reply.headers.get("X-RateLimiting"))
        # Whether the figure means used or left, a bucket that is near neither end is in use.
        if budget and 0.25 < budget.used / budget.limit < 0.75:
            self._hold(budget.window, "not requested: others are using the rate limit")
        return reply

    def _url(self, request: str) -> str:
        module, _, path = request.partition(":/")
        if not module or request.startswith("/"):
            return self.rest_url + request
        name, _, version = module.partition("@")
        return f"{self.openapi_url}/{name}/v{version or MODULE_VERSIONS[name]}/{path}"

    def _hold(self, seconds: float, why: str) -> None:
        if self._waited or seconds > LONGEST_WAIT:
            self._stopped = why
            return
        self._waited = True
        print(f"Waiting {seconds:.0f} seconds ...", flush=True)
        time.sleep(seconds)


def _json(response: requests.Response) -> Any:
    try:
        return json.loads(response.content, parse_float=Decimal)
    except ValueError:
        return None


def find(api: Api, check: Check) -> tuple[Finding, list[Reply]]:
    """Return what a check found, and the responses to its own requests."""
    replies: list[Reply] = []
    try:
        for request in check.requests:
            replies.append(api.get(request if isinstance(request, str) else request(*replies)))
        return check.judge(*(replies if check.requests else api.replies)), replies
    except CannotTell as why:
        return Finding(None, str(why)), replies
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return Finding(None, "the response is not as documented"), replies


def live_check(api: Api, only: Sequence[str]) -> dict[str, Any]:
    """Ask everything, or what `only` names, print each finding, and return the report."""
    findings: dict[str, Any] = {}
    # Those that look at every response come last.
    for key in sorted(only or CHECKS, key=lambda it: not CHECKS[it][0].requests):
        assumed, otherwise = assumptions()[key]
        print(f"\n{assumed}")
        for check in CHECKS[key]:
            finding, replies = find(api, check)
            name = f"{key}: {check.name}" if check.name else key
            print(f"  {name}: {ANSWERS[finding.holds]}: {finding.words}", flush=True)
            if finding.holds is False:
                print(f"  The tap then: {otherwise}")
            findings[name] = {
                "answer": ANSWERS[finding.holds],
                "seen": finding.words,
                "statuses": [reply.status for reply in replies],
                "codes": sorted({code for reply in replies for code in reply.codes}),
            }
    real = (api.rest_url, api.openapi_url) == (REST_URL, OPENAPI_URL)
    return {
        "asked": "e-conomic" if real else "another host",
        "day": datetime.now(timezone.utc).date().isoformat(),
        "calls": len(api.replies),
        "findings": findings,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make live-check", description=__doc__)
    environment = os.environ.get
    for name, usual in (("rest_url", REST_URL), ("openapi_url", OPENAPI_URL)):
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, default=environment(PREFIX + name.upper()) or usual)
    name = f"live-check-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}.json"
    parser.add_argument("--report", type=Path, default=Path("output") / name, help="where it goes")
    parser.add_argument("--only", action="append", choices=CHECKS, default=[], metavar="KEY")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds before each call")
    return parser.parse_args()


def main() -> int:
    """Run the checks; 0 if they could be made, whatever they found."""
    options = _arguments()
    rest_url, openapi_url = options.rest_url.rstrip("/"), options.openapi_url.rstrip("/")
    app, grant = PREFIX + "APP_SECRET_TOKEN", PREFIX + "AGREEMENT_GRANT_TOKEN"
    tokens = os.environ.get(app) or "demo", os.environ.get(grant) or "demo"
    auth = EconomicAuthenticator(*tokens, (origin_of(rest_url), origin_of(openapi_url)))
    api = Api(rest_url, openapi_url, auth, options.pause)
    try:
        report = live_check(api, options.only)
    except TokensRejectedError:
        sys.exit(f"e-conomic rejects the tokens (401): see {app} and {grant}")
    if not api.replies:
        sys.exit(f"No response from {origin_of(rest_url)[1]}: nothing could be checked")
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\n{len(api.replies)} calls. Report: {options.report}. It contains no company data.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
