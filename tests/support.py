"""What the tests of failures share: canary tokens, what a user sees, events in mid-run."""

from __future__ import annotations

import datetime as dt
import json
import re
import time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.sandbox import Grant, Sandbox
from tests.sandbox.company import ALL, build_company

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.conftest import Run, TapRunner
    from tests.sandbox.company import Company
    from tests.sandbox.faults import Fault
    from tests.sandbox.grants import CompanyLike
    from tests.sandbox.values import Row

CANARY = "canary-"
"""How every token of these tests begins, and nothing else does."""

APP = CANARY + "app-Zq81xW"
GRANT = CANARY + "grant-Kp42vY"
GRANT_2 = CANARY + "grant-Nc95tR"
GRANT_3 = CANARY + "grant-Hd06bL"

NUMBER = 1234567
"""The agreement that `GRANT` opens in `canary_sandbox`; the others' follow it."""


VERSIONS: dict[str, Any] = {"emit_activate_version_messages": True}
"""The setting with which a target deletes rows."""


class Firm(Sandbox):
    """A sandbox with the tap beside it.

    Args:
        tap: the command line.
        grants: token to grant.
        app_secret: the app's token.
    """

    def __init__(
        self, tap: TapRunner, grants: dict[str, Grant], *, app_secret: str = Sandbox.app_secret
    ) -> None:
        super().__init__(grants)
        self.app_secret = self.service.app_secret = app_secret
        self.tap = tap

    def read(self, *streams: str, **options: Any) -> Run:
        """Read its companies; see `TapRunner.read`."""
        return self.tap.read(self, *streams, **options)

    def test(self, **options: Any) -> Run:
        """Run `--test`."""
        return self.tap.test(self, **options)

    def always(self, pattern: str, status: int, body: Any = None, **how: Any) -> Fault:
        """Answer requests with this; see the function."""
        return always(self, pattern, status, body, **how)


def canary_sandbox(grants: dict[str, Grant] | None = None, **options: Any) -> Sandbox:
    """A sandbox whose tokens can be searched for; not started yet.

    Args:
        grants: token to grant; one small company each for the three tokens above if not given.
        options: those of `Sandbox`.
    """
    sandbox = Sandbox(grants or small_grants(), **options)
    sandbox.app_secret = sandbox.service.app_secret = APP
    return sandbox


def _versions_of_the_sdk() -> set[str]:
    lock = (Path(__file__).parent.parent / "uv.lock").read_text("utf-8")
    locked = re.findall(r'^name = "singer-sdk"\nversion = "(.+)"$', lock, re.MULTILINE)
    return {*locked, version("singer-sdk")}


of_the_locked_sdk = pytest.mark.skipif(
    len(_versions_of_the_sdk()) > 1,
    reason="what is written down of the SDK's settings is that of the version in uv.lock",
)


def small_grants(*tokens: str) -> dict[str, Grant]:
    """One small company for each token."""
    return {
        token: Grant(build_company(NUMBER + place, f"Firma {place}", seed=place + 7, entries=300))
        for place, token in enumerate(tokens or (GRANT, GRANT_2, GRANT_3))
    }


def served(build: Callable[[], Company]) -> tuple[Any, Any]:
    """A module's fixtures: a company that its tests may change, and the sandbox that serves it."""

    @pytest.fixture
    def company() -> Company:
        return build()

    @pytest.fixture
    def sandbox(warm_tap: TapRunner, company: Company) -> Iterator[Firm]:
        with Firm(warm_tap, {"demo": Grant(company)}) as running:
            yield running

    return company, sandbox


def numbered_grants(entries: Mapping[int, int]) -> dict[str, Grant]:
    """`company-1` and so on with so many entries each; from the third on they have no modules."""
    return {
        f"company-{number}": Grant(
            build_company(
                number,
                f"Selskab {number} ApS",
                seed=number,
                entries=count,
                modules=ALL if number < 3 else frozenset(),
            )
        )
        for number, count in entries.items()
    }


class Watched:
    """A company that tells when its rows are asked for, before it gives them.

    Args:
        company: whose rows they are.
        hook: called with the endpoint, such as `rest:/customers`, in the server's thread.
    """

    def __init__(self, company: CompanyLike, hook: Callable[[str], object]) -> None:
        self.agreement_number = company.agreement_number
        self.modules = company.modules
        self._company = company
        self._hook = hook

    def rows(self, endpoint: str, params: tuple[str, ...] = ()) -> Sequence[Row]:
        self._hook(endpoint)
        return self._company.rows(endpoint, params)


class Altered:
    """A company one of whose listings is another.

    Args:
        company: whose rows they are.
        endpoint: which listing.
        alter: makes the other rows of the right ones.
    """

    def __init__(self, company: CompanyLike, endpoint: str, alter: Callable[[Any], Any]) -> None:
        self.agreement_number = company.agreement_number
        self.modules = company.modules
        self._company, self._endpoint, self._alter = company, endpoint, alter

    def rows(self, endpoint: str, params: tuple[str, ...] = ()) -> Any:
        rows = self._company.rows(endpoint, params)
        return self._alter(rows) if endpoint == self._endpoint else rows


def wait_until(happened: Callable[[], object]) -> None:
    """Wait for something that happens in another process or thread."""
    end = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc).replace(microsecond=0)


def always(sandbox: Sandbox, pattern: str, status: int, body: Any = None, **how: Any) -> Fault:
    """Answer requests whose path and query have such a part with this, a body of bytes or JSON."""
    if not isinstance(body, bytes | None):
        body = json.dumps(body, default=_plain).encode()
    how = {"times": None, "status": status, "body": body, **how}
    return sandbox.faults.add(pattern, "status", **how)


def _plain(value: Any) -> float | str:
    return float(value) if isinstance(value, Decimal) else str(value)


def told(run: Run, words: str) -> list[str]:
    """The warnings with these words."""
    return [line for line in run.warnings if words in line]


def activated(run: Run) -> set[str]:
    """The streams with an ACTIVATE_VERSION message."""
    return {m["stream"] for m in run.messages if m["type"] == "ACTIVATE_VERSION"}


def filters(sandbox: Sandbox, endpoint: str) -> list[str | None]:
    """The filters in an endpoint's requests since the log was emptied."""
    return [seen.query.get("filter") for seen in sandbox.log if seen.endpoint == endpoint]


def says_one_thing(run: Run) -> str:
    """The one line that a run ends with which reads and writes nothing."""
    assert run.messages == []
    assert run.exit_code == 1
    assert len(run.errors) == 1, run.stderr
    keeps_secrets(run)
    return run.errors[0]


def keeps_secrets(run: Run) -> None:
    """No token anywhere, and no traceback."""
    assert "Traceback" not in run.stderr
    assert CANARY not in run.stderr
    assert CANARY not in str(run.messages)
