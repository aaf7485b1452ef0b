from __future__ import annotations

import asyncio
import threading
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.access.quota import Quota
from service.errors import QuotaExceededError
from tests.service.access.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def refusal(quota: Quota) -> QuotaExceededError:
    with pytest.raises(QuotaExceededError) as caught:
        quota.enter()
    return caught.value


def test_as_many_run_at_a_time_as_there_are_slots() -> None:
    quota = Quota(max_concurrent=2)
    quota.enter()
    quota.enter()
    error = refusal(quota)
    assert error.quota == "max_concurrent_requests"
    assert error.retry_after_seconds == 1
    assert str(error) == "the client has 2 requests running, as many as it may; retry after 1.0 s"
    quota.leave()
    quota.enter()
    refusal(quota)


def test_without_limits_nothing_is_refused() -> None:
    quota = Quota()
    quota.spend(10**9)
    for _ in range(100):
        quota.enter()


def test_work_is_let_in_while_the_balance_is_positive_and_may_leave_a_debt(clock: Clock) -> None:
    quota = Quota(None, 600, clock)
    quota.enter()
    quota.spend(599)
    quota.enter()
    quota.spend(101)
    error = refusal(quota)
    assert error.quota == "max_source_tokens_per_minute"
    assert error.retry_after_seconds == pytest.approx(10, abs=0.002)
    assert str(error) == "the client has used up its 600 source tokens per minute; retry after 10.0 s"
    clock.now += 9.99
    assert refusal(quota).retry_after_seconds == pytest.approx(0.01, abs=0.002)


def test_a_balance_of_zero_is_not_positive(clock: Clock) -> None:
    quota = Quota(None, 600, clock)
    quota.spend(600)
    assert refusal(quota).retry_after_seconds > 0


def test_who_asks_again_when_told_is_let_in(clock: Clock) -> None:
    quota = Quota(None, 7, clock)
    quota.spend(1000)
    clock.now += refusal(quota).retry_after_seconds
    quota.enter()


def test_a_refused_request_takes_no_slot(clock: Clock) -> None:
    quota = Quota(1, 60, clock)
    quota.spend(61)
    assert refusal(quota).quota == "max_source_tokens_per_minute"
    clock.now += 2
    quota.enter()


def test_the_bucket_holds_one_minute(clock: Clock) -> None:
    quota = Quota(None, 60, clock)
    clock.now += 3600
    quota.spend(61)
    assert refusal(quota).retry_after_seconds == pytest.approx(1, abs=0.002)


def test_new_limits_keep_slots_and_balance(clock: Clock) -> None:
    quota = Quota(3, 600, clock)
    quota.enter()
    quota.enter()
    quota.spend(1200)
    quota.change_limits(2, 1200)
    assert refusal(quota).quota == "max_concurrent_requests"
    quota.leave()
    assert refusal(quota).retry_after_seconds == pytest.approx(30, abs=0.002)
    quota.change_limits(2, None)
    quota.enter()
    quota.change_limits(None, None)
    quota.enter()


def test_a_smaller_bucket_holds_less(clock: Clock) -> None:
    quota = Quota(None, 600, clock)
    quota.change_limits(None, 60)
    quota.spend(61)
    assert refusal(quota).retry_after_seconds == pytest.approx(1, abs=0.002)


def test_a_larger_bucket_is_not_filled_at_once(clock: Clock) -> None:
    quota = Quota(None, 60, clock)
    quota.change_limits(None, 6000)
    quota.spend(61)
    assert refusal(quota).retry_after_seconds == pytest.approx(0.01, abs=0.002)


def test_a_new_bucket_is_full(clock: Clock) -> None:
    quota = Quota(None, None, clock)
    clock.now += 60
    quota.change_limits(None, 60)
    quota.spend(59)
    quota.enter()
    quota.spend(2)
    assert refusal(quota).retry_after_seconds == pytest.approx(1, abs=0.002)


def test_time_before_a_new_limit_counts_at_the_old_one(clock: Clock) -> None:
    quota = Quota(None, 60, clock)
    quota.spend(160)
    clock.now += 40
    quota.change_limits(None, 600)
    assert refusal(quota).retry_after_seconds == pytest.approx(6, abs=0.002)


def test_a_limit_that_comes_back_finds_a_full_bucket(clock: Clock) -> None:
    quota = Quota(None, 60, clock)
    quota.spend(160)
    quota.change_limits(None, None)
    quota.enter()
    quota.change_limits(None, 60)
    quota.enter()


def test_the_same_limits_again_change_nothing(clock: Clock) -> None:
    quota = Quota(1, 60, clock)
    quota.spend(100)
    quota.change_limits(1, 60)
    assert refusal(quota).retry_after_seconds == pytest.approx(40, abs=0.002)


async def test_waiting_ends_when_the_balance_is_positive() -> None:
    quota = Quota(None, 600_000)
    await asyncio.wait_for(quota.wait(), 0.1)
    quota.spend(601_000)
    started = time.monotonic()
    await asyncio.wait_for(quota.wait(), 5)
    assert time.monotonic() - started > 0.05
    quota.enter()


async def test_waiting_without_a_limit_is_no_waiting() -> None:
    await asyncio.wait_for(Quota(1).wait(), 0.1)


async def test_who_waits_notices_raised_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.api.access.quota._LONGEST_SLEEP_SECONDS", 0.01)
    quota = Quota(None, 60)
    quota.spend(1000)
    waiting = asyncio.create_task(quota.wait())
    await asyncio.sleep(0.03)
    assert not waiting.done()
    quota.change_limits(None, None)
    await asyncio.wait_for(waiting, 5)


def test_many_threads_spend_exactly(clock: Clock) -> None:
    quota = Quota(None, 60_000, clock)

    def spend() -> None:
        for _ in range(10_000):
            quota.spend(1)

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refusal(quota).retry_after_seconds == pytest.approx(20, abs=0.002)


# Limits that are whole tokens a second and times in eighths: the bucket's floats are exact, as the oracle's fractions.
limits = st.integers(1, 100).map(lambda per_second: per_second * 60)
steps = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 5000)), max_size=60)


@given(limits, steps)
def test_no_more_is_let_in_than_the_bucket_what_flows_in_and_one_debt(limit: int, steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    quota = Quota(None, limit, clock)
    balance, used, elapsed = Fraction(limit), 0, Fraction(0)
    for eighths, cost in steps:
        clock.now += eighths / 8
        elapsed += Fraction(eighths, 8)
        balance = min(Fraction(limit), balance + Fraction(eighths, 8) * Fraction(limit, 60))
        if balance <= 0:
            told = Fraction(refusal(quota).retry_after_seconds)
            exact = -balance * 60 / limit
            assert exact < told < exact + Fraction(2, 1000)
            continue
        quota.enter()
        assert used < limit + elapsed * Fraction(limit, 60)  # so that all use is at most that, and this one's cost
        quota.spend(cost)
        quota.leave()
        used += cost
        balance -= cost


@given(limits, st.integers(0, 10**7))
def test_every_debt_is_worked_off_in_the_time_that_was_told(limit: int, cost: int) -> None:
    clock = Clock()
    quota = Quota(None, limit, clock)
    quota.spend(cost)
    if cost >= limit:
        clock.now += refusal(quota).retry_after_seconds
    quota.enter()
