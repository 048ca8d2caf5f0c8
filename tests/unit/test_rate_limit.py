"""The call budget: what headers tell, and how fast calls may follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_visma_economic.rate_limit import Limit, RateLimit, cost_of, limit_of


class Bucket:
    """e-conomic's bucket as it is believed to work, with a clock of its own."""

    def __init__(self, limit: int = 10_000, window: float = 60) -> None:
        self.limit, self.window = limit, window
        self.now = 0.0
        self.level = 0.0
        self.refused = 0
        self.spent: list[tuple[float, int]] = []

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.level = max(0.0, self.level - seconds * self.limit / self.window)
        self.now += seconds

    def call(self, cost: int = 3, *, ours: bool = True) -> dict[str, str]:
        if self.level + cost > self.limit:
            self.refused += 1
        else:
            self.level += cost
            if ours:
                self.spent.append((self.now, cost))
        used = round(self.level)
        form = f"token-limit-{self.limit}-per-{self.window:g}-seconds: {used}/{self.limit}"
        return {"X-CallCost": str(cost), "X-RateLimiting": form}


def work(rate_limit: RateLimit, bucket: Bucket, seconds: float, latency: float = 0.002) -> None:
    """Call and call again, one after the other, for so long."""
    until = bucket.now + seconds
    while bucket.now < until:
        while wait := rate_limit.take():
            bucket.wait(wait)
        headers = bucket.call()
        bucket.wait(latency)
        rate_limit.record_response(headers)


def made(bucket: Bucket, share: float = 0.8) -> RateLimit:
    return RateLimit(share, bucket.clock)


@pytest.mark.parametrize(
    ("header", "means"),
    [
        ("token-limit-10000-per-60-seconds: 147/10000", Limit(147, 10_000, 60)),
        ("limit-2000-per-60-seconds: 1450/2000", Limit(1450, 2000, 60)),
        ("limit-100-per-1-minute: 5/100", Limit(5, 100, 60)),
        ("limit-100-per-1.5-seconds: 5/100", Limit(5, 100, 1.5)),
        ("147/10000", Limit(147, 10_000, 60)),
        ("12000/10000", Limit(10_000, 10_000, 60)),
        ("L", None),
        ("5/0", None),
        ("token-limit-1e4-per-60-seconds: 1.5/1e4", None),
        ("token-limit-1e4-per-60-seconds: 2/4e3", None),
        ("token-limit-10000-per-60-seconds: 147/10", None),
        ("token-limit-10-per-60-seconds: 147/10000", None),
        ("token-limit-10000-per-0-seconds: 147/10000", None),
        ("token-limit-10000-per-60-seconds: -147/10000", None),
        ("", None),
        (None, None),
    ],
)
def test_a_header_is_understood_in_all_its_forms(header: str | None, means: Limit | None) -> None:
    assert limit_of(header) == means


@pytest.mark.parametrize(
    ("header", "cost"), [("3", 3), (" 13 ", 13), ("L", None), (None, None), ("-1", None)]
)
def test_a_cost_that_makes_no_sense_is_none(header: str | None, cost: int | None) -> None:
    assert cost_of(header) == cost


@given(st.lists(st.tuples(st.text(max_size=60), st.text(max_size=8)), max_size=20))
def test_no_header_breaks_it_or_makes_it_wait_for_ever(headers: list[tuple[str, str]]) -> None:
    bucket = Bucket()
    rate_limit = made(bucket)
    for limiting, cost in headers:
        wait = rate_limit.take()
        assert 0 <= wait < 3600
        rate_limit.record_response({"X-RateLimiting": limiting, "X-CallCost": cost})


@pytest.mark.parametrize("limit", [10_000, 2_000])
def test_while_there_is_work_between_75_and_80_per_cent_are_used_and_none_is_refused(
    limit: int,
) -> None:
    bucket = Bucket(limit)
    work(made(bucket), bucket, 240)
    assert bucket.refused == 0
    for start in (60, 120, 180):
        used = sum(cost for at, cost in bucket.spent if start <= at < start + 60)
        assert 0.75 <= used / limit <= 0.80
    first = sum(cost for at, cost in bucket.spent if at < 60)
    assert first / limit <= 0.83, "with the burst it begins with"


def test_a_share_is_left_to_others_who_use_the_bucket_too() -> None:
    bucket = Bucket()
    rate_limit = made(bucket)
    least = bucket.limit
    for _ in range(400):
        for _ in range(25):  # others: 75 tokens in half a second, nine tenths of the refill
            bucket.call(ours=False)
        work(rate_limit, bucket, 0.5)
        least = min(least, int(bucket.limit - bucket.level))
    assert bucket.refused == 0
    assert least >= 0.2 * bucket.limit - 200


@pytest.mark.parametrize(
    ("cost", "figure", "calls", "most"),
    [
        *(("3", f"{it}/10000", 1000, 240) for it in (0, 10_000, 147, 9_900)),
        ("99999", "147/10000", 20, 1),
    ],
)
def test_a_figure_that_never_changes_or_a_cost_above_the_bucket_does_not_make_a_run_stand_still(
    cost: str, figure: str, calls: int, most: float
) -> None:
    now = 0.0
    rate_limit = RateLimit(0.8, lambda: now)
    for _ in range(calls):
        while wait := rate_limit.take():
            now += wait
        now += 0.01
        rate_limit.record_response({"X-CallCost": cost, "X-RateLimiting": figure})
    assert now < most


def test_answers_of_different_costs_leave_nothing_expected() -> None:
    """Counts and pages are on their way at the same time; what each was taken for is settled."""
    bucket = Bucket()
    rate_limit = made(bucket)
    work(rate_limit, bucket, 0.1)
    for cost in (1, 3, 13, 1, 3):
        assert rate_limit.take() == 0
        assert rate_limit.take() == 0
        rate_limit.record_response(bucket.call(cost))
        rate_limit.record_response(bucket.call(1))
    level = bucket.level
    bucket.wait(60)
    used = [rate_limit.take() == 0 for _ in range(400)].count(True)
    assert used * 1 == pytest.approx(0.04 * bucket.limit, abs=5), level


def test_a_limit_below_the_cost_of_one_call_makes_no_sense() -> None:
    rate_limit = RateLimit(0.8)
    for _ in range(20):
        assert rate_limit.take() == 0
        rate_limit.record_response({"X-CallCost": "3", "X-RateLimiting": "1/1"})
    assert rate_limit.left is None
