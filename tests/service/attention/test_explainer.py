"""The queue of explain runs, without a model."""

from __future__ import annotations

import asyncio
import threading

import pytest

from service.api.explainer import Explainer
from service.errors import ShuttingDownError, TooManyExplanationsError
from service.metrics.families import Metrics
from tests.service.waiting import eventually


def toy(max_runs: int, max_requests: int) -> Explainer:
    return Explainer("toy", max_runs, max_requests, Metrics("test"))


class Work:
    """Waits in its thread until it may go, and counts."""

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.num_running = self.num_done = self.most_running = 0
        self._lock = threading.Lock()

    def __call__(self, result: int) -> int:
        with self._lock:
            self.num_running += 1
            self.most_running = max(self.most_running, self.num_running)
        assert self.may_go.wait(20)
        with self._lock:
            self.num_running -= 1
            self.num_done += 1
        return result


async def test_only_so_many_run_at_a_time_and_all_are_answered() -> None:
    explainer, work = toy(max_runs=2, max_requests=9), Work()
    runs = [asyncio.create_task(explainer.run(work, number)) for number in range(6)]
    await eventually(lambda: work.num_running == 2)
    work.may_go.set()
    assert await asyncio.gather(*runs) == list(range(6))
    assert work.most_running == 2
    explainer.stop()


async def test_requests_beyond_the_limit_are_refused_with_a_hint() -> None:
    explainer = toy(max_runs=1, max_requests=2)
    with explainer.admitted(), explainer.admitted():
        with pytest.raises(TooManyExplanationsError, match="2 requests for scores") as refused, explainer.admitted():
            pass
        assert 0.1 <= refused.value.retry_after_seconds <= 30
    assert explainer.num_requests == 0
    with explainer.admitted() as turns:
        assert await turns.run(abs, -3) == 3
    explainer.stop()


async def test_a_request_of_many_runs_lets_others_have_their_turn() -> None:
    explainer, order = toy(max_runs=1, max_requests=2), list[str]()
    with explainer.admitted() as many, explainer.admitted() as one:
        runs = [asyncio.create_task(many.run(order.append, f"many {number}")) for number in range(5)]
        await asyncio.sleep(0)
        await one.run(order.append, "one")
        await asyncio.gather(*runs)
    assert order[:2] == ["many 0", "one"]
    assert len(order) == 6
    explainer.stop()


async def test_who_leaves_gives_up_the_place_in_the_queue() -> None:
    explainer, work = toy(max_runs=1, max_requests=9), Work()
    first, second, third = (asyncio.create_task(explainer.run(work, number)) for number in range(3))
    await eventually(lambda: work.num_running == 1)
    second.cancel()
    await asyncio.wait([second])
    work.may_go.set()
    assert [await first, await third] == [0, 2]
    assert (second.cancelled(), work.num_done) == (True, 2)
    explainer.stop()


async def test_a_failure_is_told_to_who_asked() -> None:
    explainer = toy(max_runs=1, max_requests=9)
    with pytest.raises(ZeroDivisionError):
        await explainer.run(divmod, 1, 0)
    assert await explainer.run(divmod, 7, 2) == (3, 1)
    explainer.stop()


async def test_stopping_ends_what_runs_and_what_waits() -> None:
    explainer, work = toy(max_runs=1, max_requests=9), Work()
    runs = [asyncio.create_task(explainer.run(work, number)) for number in range(3)]
    await eventually(lambda: work.num_running == 1)
    explainer.stop()
    results = await asyncio.gather(*runs, return_exceptions=True)
    assert [type(result) for result in results] == [ShuttingDownError] * 3
    with pytest.raises(ShuttingDownError):
        await explainer.run(work, 4)
    work.may_go.set()
    await eventually(lambda: work.num_done == 1)
