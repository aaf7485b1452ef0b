"""Order, priorities, deadlines and full queues."""

from __future__ import annotations

from typing import Any

import pytest

from service.engine.engine import Engine
from service.errors import DeadlineExceededError, InvalidRequestError, QueueFullError
from service.request import (
    DecodingOptions,
    FailedEvent,
    FinishedEvent,
    Priority,
    Request,
)
from tests.service.engines import Clock, make_engine, request, run
from tests.service.toy import END, ToyRunner


def test_interactive_requests_pass_batch_requests_for_a_while(toy_runner: ToyRunner) -> None:
    engine, _ = make_engine(max_rows=1, runner=toy_runner)
    for number, (priority, arrival) in enumerate(
        [(Priority.BATCH, 0.0), (Priority.BATCH, 0.1), (Priority.INTERACTIVE, 4.0), (Priority.INTERACTIVE, 6.0)]
    ):
        engine.submit(Request(number, (1, END), DecodingOptions(8), arrival, priority=priority))
    order = [event.request_id for event in run(engine) if isinstance(event, FinishedEvent)]
    assert order == [2, 0, 1, 3]


def test_a_wide_request_is_waited_for_and_not_starved(toy_runner: ToyRunner) -> None:
    engine, _ = make_engine(max_rows=4, runner=toy_runner)
    engine.submit(request(0, list(range(20))))
    engine.submit(request(1, [5, 6], decoding=DecodingOptions(8, beam_size=4)))
    for number in range(2, 30):
        engine.submit(request(number, [7]))
    order = [event.request_id for event in run(engine) if isinstance(event, FinishedEvent)]
    assert order[:2] == [0, 1]


def test_a_request_wider_than_the_engine_is_refused() -> None:
    engine, _ = make_engine(max_rows=4)
    with pytest.raises(InvalidRequestError, match=r"decoding\.beam_size: 5 hypotheses .* 4 rows"):
        engine.submit(request(0, [1], decoding=DecodingOptions(8, beam_size=5)))


def slow_queue() -> tuple[Engine, Clock]:
    """An engine whose one row serves a request in about two seconds, with eight requests waiting."""
    engine, clock = make_engine(max_rows=1, max_waiting=8)
    for number in range(8):
        engine.submit(request(number, [1], deadline=1000.0))
    for number in range(8, 40):
        while engine.num_waiting == 8:
            engine.step()
            clock.now += 1.0
        engine.submit(request(number, [1], deadline=1000.0))
    return engine, clock


def test_a_deadline_that_cannot_be_met_is_refused_at_once() -> None:
    engine, clock = slow_queue()
    engine.step()
    engine.step()
    assert engine.num_waiting == 7
    with pytest.raises(DeadlineExceededError, match="cannot be met: about 1.* s of work wait"):
        engine.submit(request(100, [1], deadline=clock.now + 4.0))
    engine.submit(request(101, [1], deadline=clock.now + 60.0))


def test_only_what_is_before_a_request_counts_against_its_deadline() -> None:
    engine, clock = slow_queue()
    engine.step()
    engine.step()
    late = clock.now + 4.0
    with pytest.raises(DeadlineExceededError, match="cannot be met"):
        engine.submit(Request(100, (1, END), DecodingOptions(8), clock.now, late, Priority.BATCH))
    engine.submit(Request(101, (1, END), DecodingOptions(8), -1.0, late))  # before all that wait


def test_the_first_that_waits_long_makes_nobody_else_late() -> None:
    engine, clock = make_engine(max_rows=1)
    engine.submit(request(0, [1] * 30))  # holds the only row for thirty steps
    for number in range(1, 20):
        engine.submit(request(number, [1], deadline=1000.0))
    while engine.num_running + engine.num_waiting > 18:
        engine.step()
        clock.now += 1.0
    engine.submit(request(100, [1], deadline=clock.now + 50.0))  # 18 wait, two seconds each


def test_the_retry_hint_follows_the_queue() -> None:
    engine, _ = slow_queue()
    with pytest.raises(QueueFullError) as refused:
        engine.submit(request(100, [1]))
    assert 5.0 < refused.value.retry_after_seconds < 12.0


def test_a_step_that_would_end_too_late_is_not_run() -> None:
    runner = ToyRunner()
    engine, clock = make_engine(runner=runner)
    original = runner.step

    def slow_step(*arguments: Any) -> Any:
        clock.now += 1.0
        return original(*arguments)

    runner.step = slow_step  # type: ignore[method-assign]
    engine.submit(request(1, list(range(30)), deadline=3.5))
    events = run(engine)
    assert [type(event) for event in events] == [FailedEvent]
    assert clock.now == 3.0


def test_places_are_what_is_left_of_the_queue() -> None:
    engine, _ = make_engine(max_rows=4, max_waiting=16)
    for number in range(13):
        engine.submit(request(number, [1]))
    assert engine.num_free_places(0) == 3
    assert engine.num_free_places(2) == 1
    engine.step()
    assert engine.num_free_places(0) == 7
