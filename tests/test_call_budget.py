"""The call budget, as e-conomic and the company's other integrations see the tap use it.

Buckets are small and refill in seconds here, so that what takes minutes elsewhere takes seconds.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.conftest import settings_for
from tests.sandbox import Budget, Grant
from tests.sandbox.company import build_company
from tests.support import GRANT, GRANT_2, NUMBER, Watched, always, canary_sandbox, small_grants
from tests.test_retries_e2e import in_seconds
from tests.test_stopping import ended, start

if TYPE_CHECKING:
    from tests.conftest import Run, TapRunner
    from tests.sandbox import Request, Sandbox

CONCURRENCY = 4
"""The setting's default: so many requests may be on their way when a 429 arrives."""

COST = 3
"""Tokens of a page in the sandbox. All else costs one."""

LEDGER = "bookedEntriesapi:/booked-entries"

FEW = (
    "accounts",
    "booked_entries",
    "customers",
    "departments",
    "employees",
    "journals",
    "products",
    "suppliers",
    "units",
    "vat_accounts",
    "vat_zones",
)
"""Streams of one or two pages each."""


LIMIT = "token-limit-{limit}-per-{window}-seconds: "

FORMS: dict[str, dict[str, Any]] = {
    "tokens used": {},
    "tokens left": {"counts": "left"},
    "without a name": {"form": "{figure}/{limit}"},
    "under another name": {"form": "limit-{limit}-per-{window}-seconds: {figure}/{limit}"},
    "no headers": {"headers": False},
    "cost L": {"call_cost": "L"},
    "always empty": {"form": LIMIT + "0/{limit}"},
    "always half": {"form": LIMIT + "5000/{limit}"},
    "always full": {"form": LIMIT + "{limit}/{limit}"},
    "a limit that is not its name's": {"form": LIMIT + "1/1"},
}
"""What the headers may say; `unit/test_rate_limit.py` has more that makes no sense."""

FULL = {"always full", "tokens left"}
"""Forms in which a bucket looks as if others had used it up: a tenth of the pace is kept to."""


class Spent(NamedTuple):
    """What one call took from a bucket, or would have."""

    at: float
    agreement: int
    cost: int
    granted: bool


@dataclass
class Metered(Budget):
    """A budget that remembers the tap's calls.

    Attributes:
        drained_at: the call after which another integration empties the bucket.
    """

    spent: list[Spent] = field(default_factory=list)
    drained_at: int | None = None

    def spend(self, agreement: int, cost: int) -> bool:
        granted = super().spend(agreement, cost)
        self.spent.append(Spent(time.monotonic(), agreement, cost, granted))
        if len(self.spent) == self.drained_at:
            self.drain(agreement)
        return granted

    @property
    def refused(self) -> int:
        return sum(not call.granted for call in self.spent)

    @property
    def tokens(self) -> int:
        return sum(call.cost for call in self.spent if call.granted)

    @property
    def seconds(self) -> float:
        return self.spent[-1].at - self.spent[0].at

    def most_in_a_window(self) -> int:
        """The most tokens that were used in any stretch of the window's length."""
        return max(
            sum(c.cost for c in self.spent if first.at <= c.at < first.at + self.window)
            for first in self.spent
        )


def whole(run: Run, sandbox: Sandbox, *tokens: str) -> bool:
    """Whether all rows of some listings of these companies have come."""
    return all(
        sum(row["agreementNumber"] == company.agreement_number for row in run.records[stream])
        == len(company.rows(endpoint))
        for company in (sandbox.grants[token].company for token in tokens)
        for stream, endpoint in {
            "accounts": "rest:/accounts",
            "booked_entries": LEDGER,
            "customers": "rest:/customers",
            "suppliers": "rest:/suppliers",
            "units": "rest:/units",
            "vat_accounts": "rest:/vat-accounts",
        }.items()
    )


def waits_told(run: Run) -> list[str]:
    return [
        line.split("| ")[-1] for line in run.stderr.splitlines() if "for the rate limit of" in line
    ]


# --- 429 ---


@pytest.mark.parametrize(
    ("form", "seconds"),
    [
        ("seconds", 2),
        pytest.param("date", 4, marks=pytest.mark.slow),
        pytest.param("absent", 60, marks=pytest.mark.slow),
    ],
)
def test_after_a_429_nothing_is_asked_for_that_company_until_the_time_is_over(
    warm_tap: TapRunner, form: str, seconds: int
) -> None:
    ends: list[float] = []

    def refuse(endpoint: str) -> None:
        if endpoint == "rest:/accounts" and not ends:
            ends.append(time.perf_counter() + seconds)
            if form == "date":  # whole seconds, rounded down
                rule.retry_after = in_seconds(seconds)
                ends[0] -= 1

    grants = small_grants(GRANT, GRANT_2)
    grants[GRANT] = Grant(Watched(grants[GRANT].company, refuse))
    with canary_sandbox(grants, latency=0.01) as sandbox:
        rule = sandbox.faults.add(r"^/accounts\?", "status", status=429, grant=GRANT)
        rule.retry_after = str(seconds) if form == "seconds" else None
        run = warm_tap.read(sandbox)

    assert rule.applied == 1
    assert whole(run, sandbox, GRANT, GRANT_2)

    (refused,) = [request for request in sandbox.log if request.fault]
    assert refused.ended is not None

    def meanwhile(token: str) -> list[Request]:
        began = refused.ended or 0.0
        return [r for r in sandbox.log if r.grant == token and began < r.started < ends[0]]

    assert len(meanwhile(GRANT)) < CONCURRENCY, "only those that were on their way"
    assert len(meanwhile(GRANT_2)) > 3, "the other company is read on"

    (told,) = waits_told(run)
    assert told.endswith(f"s in total for the rate limit of agreement {NUMBER} (Firma 0)")
    assert ends[0] - refused.ended - 1 < float(told.split()[1]) < seconds + 2
    assert "Slowing down" not in run.stderr


@pytest.mark.slow
def test_429_after_429_is_no_failure(warm_tap: TapRunner) -> None:
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        rule = sandbox.faults.add(r"^/units\?", "status", status=429, retry_after="1", times=15)
        run = warm_tap.read(sandbox)
    assert rule.applied == 15
    assert whole(run, sandbox, GRANT)
    assert 14 <= float(waits_told(run)[0].split()[1]) <= 16


@pytest.mark.parametrize(("after", "minutes"), [("86400", 15), ("1", 0.05)])
def test_a_budget_that_does_not_come_back_fails_its_company_in_time_and_no_other(
    warm_tap: TapRunner, after: str, minutes: float
) -> None:
    with canary_sandbox(small_grants(GRANT, GRANT_2)) as sandbox:
        rule = always(sandbox, "^(?!/self)", 429, retry_after=after, grant=GRANT)
        began = time.monotonic()
        run = warm_tap.read(sandbox, code=1, max_wait_minutes=minutes)
        seconds = time.monotonic() - began
    failed = [line for line in run.errors if "| Failed: " in line]
    assert len(failed) > 80
    for line in failed:
        assert f"agreement {NUMBER} (Firma 0): e-conomic returned 429 Too Many Requests" in line
        assert "is exhausted for longer than max_wait_minutes" in line
    assert whole(run, sandbox, GRANT_2)
    assert seconds < 15
    assert rule.applied <= len(failed) + 3 * CONCURRENCY, "a try each, beside those that waited"


@pytest.mark.parametrize("why", ["429", "spread out"])
def test_a_signal_ends_a_wait_for_the_budget_at_once_and_the_next_run_goes_on(
    run_tap: TapRunner, warm_tap: TapRunner, why: str
) -> None:
    company = build_company(NUMBER, "Firma", seed=7, entries=3_300)
    asked: list[str] = []
    waits = threading.Event()

    def watch(endpoint: str) -> None:
        if endpoint == LEDGER:
            asked.append(endpoint)
        if len(asked) == 4:  # a page, a count and two pages: another would follow
            waits.set()

    # Spread out: what may be spent at once is one token too few for the last page.
    budget = Budget(limit=475, window=4750) if why == "spread out" else None
    streams = ("accounts", "booked_entries", "units")
    catalog = warm_tap.catalog_of(*streams)
    with canary_sandbox({GRANT: Grant(Watched(company, watch))}, budget=budget) as sandbox:
        if why == "429":  # it does not say for how long, so that the tap waits for a minute
            sandbox.faults.add("/booked-entries.*cursor", "status", status=429, nth=2)
        config = settings_for(sandbox, GRANT, concurrency=1)
        with start(run_tap, run_tap.arguments(config, catalog=catalog)) as process:
            try:
                assert waits.wait(30)
                pages = len(sandbox.requests("/booked-entries"))
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(1)
                assert len(sandbox.requests("/booked-entries")) == pages == 4, "it waits"
                process.send_signal(signal.SIGTERM)
                first = ended(run_tap, process, within=2)
            finally:
                process.kill()
        sandbox.service.budget = Budget()
        sandbox.faults.clear()
        second = warm_tap.read(sandbox, *streams, state=first.state)
    assert first.exit_code == 143
    assert not first.errors
    got = [{row["entryNumber"] for row in run.records["booked_entries"]} for run in (first, second)]
    everything = {row["entryNumber"] for row in company.rows(LEDGER)}
    assert got[0] | got[1] == everything
    assert 0 < len(got[0]) < len(everything)


# --- what the log says of waiting ---


def test_a_wait_of_less_than_a_second_is_not_told(warm_tap: TapRunner) -> None:
    budget = Metered(limit=400, window=4)
    with canary_sandbox(small_grants(GRANT), budget=budget) as sandbox:
        run = warm_tap.read(sandbox, *FEW)
    assert budget.tokens > 0.04 * 400 + 10, "it has to wait"
    assert waits_told(run) == []
    assert "Slowing down" not in run.stderr


def test_a_look_at_the_access_says_nothing_of_the_budget_in_its_report(warm_tap: TapRunner) -> None:
    with canary_sandbox(small_grants(GRANT)) as sandbox:
        sandbox.faults.add("", "status", status=429, retry_after="1", nth=30)
        run = warm_tap.test(sandbox)
    assert "budget" not in run.text.replace("budget_figure", "")
    assert waits_told(run) == []
    assert len([line for line in run.warnings if "Retrying in" in line]) == 1


# --- a bucket that is just large enough ---


def small_bucket(**how: Any) -> Metered:
    """A bucket for two thirds of a run of a small company; it refills in two seconds."""
    return Metered(limit=200, window=2, **how)


@pytest.mark.parametrize(
    "form",
    [
        "tokens used",
        pytest.param("under another name", marks=pytest.mark.slow),
        pytest.param("cost L", marks=pytest.mark.slow),
    ],
)
def test_the_bucket_is_used_up_to_the_share_and_no_call_is_refused(
    warm_tap: TapRunner, form: str
) -> None:
    budget = small_bucket(**FORMS[form])
    with canary_sandbox(small_grants(GRANT), budget=budget) as sandbox:
        run = warm_tap.read(sandbox)
    assert whole(run, sandbox, GRANT)
    assert budget.refused == 0
    assert budget.tokens > 1.2 * budget.limit, "it has to wait"
    assert budget.most_in_a_window() <= 0.84 * budget.limit + CONCURRENCY * COST
    assert budget.seconds < budget.tokens / (0.8 * 100) * 1.3 + 2
    (told,) = waits_told(run)
    assert 1 < float(told.split()[1]) < budget.seconds + 1


@pytest.mark.slow
def test_a_quarter_of_the_share_takes_four_times_as_long(warm_tap: TapRunner) -> None:
    seconds: dict[float, float] = {}
    for share in (0.8, 0.2):
        budget = Metered(limit=100, window=10)
        with canary_sandbox(small_grants(GRANT), budget=budget) as sandbox:
            warm_tap.read(sandbox, *FEW, rate_limit_share=share)
        assert budget.refused == 0
        assert budget.most_in_a_window() <= (share + 0.04) * 100 + CONCURRENCY * COST
        seconds[share] = budget.seconds
    assert 3 < seconds[0.2] / seconds[0.8] < 5


def test_another_integration_that_uses_the_rest_is_never_refused(warm_tap: TapRunner) -> None:
    budget = small_bucket()
    granted: list[bool] = []
    done = threading.Event()

    def other() -> None:
        while not done.wait(0.05):
            granted.append(Budget.spend(budget, NUMBER, 1))

    thread = threading.Thread(target=other)
    with canary_sandbox(small_grants(GRANT), budget=budget) as sandbox:
        thread.start()
        try:
            run = warm_tap.read(sandbox)
        finally:
            done.set()
            thread.join()
    assert whole(run, sandbox, GRANT)
    assert budget.refused == 0
    assert len(granted) > 20
    assert all(granted)


@pytest.mark.slow
def test_where_another_integration_empties_the_bucket_the_run_slows_down_and_ends_complete(
    warm_tap: TapRunner,
) -> None:
    budget = small_bucket(retry_after="seconds", drained_at=20)
    with canary_sandbox(small_grants(GRANT), budget=budget) as sandbox:
        run = warm_tap.read(sandbox)
    assert whole(run, sandbox, GRANT)
    assert budget.refused < CONCURRENCY, "only those that were on their way"
    drained = budget.spent[19].at
    after = [call.cost for call in budget.spent if drained < call.at < drained + 0.2 * 2]
    assert sum(after) <= CONCURRENCY * COST, "a fifth is left to others until it has refilled"


def test_a_bucket_too_small_for_a_page_ends_in_a_failure_that_says_so(warm_tap: TapRunner) -> None:
    budget = Metered(limit=2, window=1, retry_after="seconds")
    with canary_sandbox(small_grants(GRANT), budget=budget) as sandbox:
        began = time.monotonic()
        run = warm_tap.read(sandbox, "accounts", "customers", code=1, max_wait_minutes=0.02)
        seconds = time.monotonic() - began
    assert len([line for line in run.errors if "| Failed: " in line]) == 2
    assert "The company's rate limit" in run.errors[-2]
    assert seconds < 30


# --- what the headers say ---


@pytest.mark.parametrize(
    "form",
    [pytest.param(form, marks=pytest.mark.slow if form in FULL else ()) for form in FORMS],
)
def test_whatever_the_headers_say_a_run_that_is_refused_nothing_does_not_crawl(
    warm_tap: TapRunner, form: str
) -> None:
    budget = Metered(limit=10_000, window=60, **FORMS[form])
    latency = 0.02  # between two answers a bucket would refill by some tokens
    with canary_sandbox(small_grants(GRANT), budget=budget, latency=latency) as sandbox:
        run = warm_tap.read(sandbox)
    assert whole(run, sandbox, GRANT)
    longest = 0.25 * len(budget.spent) if form in FULL else 10
    assert budget.seconds < longest
    assert bool(waits_told(run)) == (form in FULL)


# --- before anything is known ---


def test_the_first_calls_of_a_company_do_not_wait_for_one_another(warm_tap: TapRunner) -> None:
    budget = Budget(limit=10_000, window=6_000)
    budget.spend(NUMBER, 5_000)  # by others: the figure is neither near nothing nor near the limit
    with canary_sandbox(small_grants(GRANT), budget=budget, latency=0.3) as sandbox:
        warm_tap.read(sandbox, *FEW)
        calls = sorted((r for r in sandbox.log if r.path != "/self"), key=lambda r: r.started)
    first = calls[:CONCURRENCY]
    assert max(r.started for r in first) < min(r.ended or 0 for r in first)
