from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.engine.engine import Engine
from service.engine.kv_cache import KVCache
from service.engine.scheduler import Scheduler
from service.errors import DeadlineExceededError, EngineError, InvalidRequestError, QueueFullError
from service.request import (
    DecodingOptions,
    Event,
    FailedEvent,
    FinishedEvent,
    FinishReason,
    Priority,
    Request,
    SamplingOptions,
    TokensEvent,
)
from tests.service.toy import END, FIRST, NUM_WORDS, SPEC, ToyRunner, toy_translation


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_engine(
    max_rows: int = 4, max_waiting: int = 1000, max_encoder_tokens: int = 64, runner: ToyRunner | None = None
) -> tuple[Engine, Clock]:
    clock = Clock()
    cache = KVCache(SPEC, max_rows, source_capacity=32, target_capacity=33)
    return Engine(runner or ToyRunner(), cache, Scheduler(max_waiting, max_encoder_tokens), clock), clock


def request(
    number: int,
    source: list[int],
    deadline: float | None = None,
    decoding: DecodingOptions | None = None,
    is_streaming: bool = False,
) -> Request:
    return Request(number, (*source, END), decoding or DecodingOptions(32), 0.0, deadline, is_streaming=is_streaming)


def run(engine: Engine) -> list[Event]:
    events: list[Event] = []
    while engine.has_work:
        events += engine.step()
        engine.check_integrity()
    return events


def translations(events: list[Event]) -> dict[int, list[int]]:
    return {
        event.request_id: list(event.translations[0].token_ids) for event in events if isinstance(event, FinishedEvent)
    }


def test_one_request_by_hand() -> None:
    engine, _ = make_engine()
    engine.submit(request(7, [10, 20]))
    # 3 + 10 = 13; then 3 + (20 + 3 * 13) mod 50 = 3 + 9 = 12.
    assert translations(run(engine)) == {7: [13, 12]}


def test_tokens_come_one_by_one_and_add_up() -> None:
    engine, _ = make_engine()
    engine.submit(request(1, [5, 6, 7], is_streaming=True))
    events = run(engine)
    streamed = [token for event in events if isinstance(event, TokensEvent) for token in event.token_ids]
    assert streamed == toy_translation([5, 6, 7, END])
    finished = events[-1]
    assert isinstance(finished, FinishedEvent)
    assert finished.translations[0].finish_reason is FinishReason.END
    assert len(finished.translations[0].token_log_probs) == 4
    assert finished.translations[0].log_prob == pytest.approx(-0.4, abs=1e-5)


def test_many_requests_of_mixed_length_share_few_rows() -> None:
    generator = random.Random(3)
    sources = [[generator.randrange(50) for _ in range(generator.randrange(1, 31))] for _ in range(100)]
    engine, _ = make_engine(max_rows=8)
    for index, source in enumerate(sources):
        engine.submit(request(index, source))
    expected = {index: toy_translation([*source, END]) for index, source in enumerate(sources)}
    assert translations(run(engine)) == expected


def test_a_short_request_does_not_wait_for_a_long_one() -> None:
    engine, _ = make_engine(max_rows=2)
    engine.submit(request(1, list(range(30))))
    engine.submit(request(2, [1]))
    engine.submit(request(3, [2]))
    order = [event.request_id for event in run(engine) if isinstance(event, FinishedEvent)]
    assert order == [2, 3, 1]


def test_admission_keeps_the_order_of_arrival_and_the_token_budget() -> None:
    runner = ToyRunner()
    engine, _ = make_engine(max_rows=8, max_encoder_tokens=20, runner=runner)
    for index, length in enumerate([9, 9, 9, 1]):
        engine.submit(request(index, [1] * length))
    run(engine)
    assert runner.encoded_batches == [[10, 10], [10, 2]]


def test_a_full_queue_refuses_at_once_and_loses_nothing() -> None:
    engine, _ = make_engine(max_waiting=2)
    engine.submit(request(1, [1]))
    engine.submit(request(2, [2]))
    with pytest.raises(QueueFullError) as refused:
        engine.submit(request(3, [3]))
    assert refused.value.retry_after_seconds > 0
    assert translations(run(engine)).keys() == {1, 2}


def test_cancelling_frees_the_row_at_once() -> None:
    engine, _ = make_engine(max_rows=1)
    engine.submit(request(1, list(range(30))))
    engine.submit(request(2, [4]))
    engine.step()
    assert engine.num_running == 1
    assert engine.cancel(1)
    engine.check_integrity()
    assert engine.num_running == 0
    assert translations(run(engine)) == {2: toy_translation([4, END])}
    assert not engine.cancel(1)


def test_deadlines_end_waiting_and_running_requests() -> None:
    engine, clock = make_engine(max_rows=1)
    engine.submit(request(1, list(range(30)), deadline=5.0))
    engine.submit(request(2, [1], deadline=5.0))
    engine.submit(request(3, [2], deadline=50.0))
    engine.step()
    clock.now = 6.0
    events = run(engine)
    failed = {event.request_id: event.error for event in events if isinstance(event, FailedEvent)}
    assert failed.keys() == {1, 2}
    assert all(isinstance(error, DeadlineExceededError) for error in failed.values())
    assert translations(events) == {3: toy_translation([2, END])}


def test_a_failing_encoder_spares_the_others() -> None:
    runner = ToyRunner()
    runner.fail_source = 49
    engine, _ = make_engine(runner=runner)
    engine.submit(request(1, [1]))
    engine.submit(request(2, [49]))
    engine.submit(request(3, [3]))
    events = run(engine)
    failed = [event for event in events if isinstance(event, FailedEvent)]
    assert [event.request_id for event in failed] == [2]
    assert isinstance(failed[0].error, EngineError)
    assert "toy" not in str(failed[0].error)
    assert translations(events).keys() == {1, 3}


def test_a_failing_step_fails_its_rows_and_not_those_that_wait() -> None:
    runner = ToyRunner()
    engine, _ = make_engine(max_rows=2, runner=runner)
    for index in range(4):
        engine.submit(request(index, [index + 1]))
    runner.fail_next_step = True
    events = run(engine)
    assert {event.request_id for event in events if isinstance(event, FailedEvent)} == {0, 1}
    assert translations(events) == {2: toy_translation([3, END]), 3: toy_translation([4, END])}


def test_maximum_length_cuts_and_says_so() -> None:
    engine, _ = make_engine()
    engine.submit(request(1, [1, 2, 3, 4], decoding=DecodingOptions(max_target_tokens=2)))
    finished = run(engine)[-1]
    assert isinstance(finished, FinishedEvent)
    assert list(finished.translations[0].token_ids) == toy_translation([1, 2, 3, 4, END])[:2]
    assert finished.translations[0].finish_reason is FinishReason.LENGTH


def test_minimum_length_forbids_the_end() -> None:
    engine, _ = make_engine()
    engine.submit(request(1, [1], decoding=DecodingOptions(max_target_tokens=8, min_target_tokens=2)))
    tokens = translations(run(engine))[1]
    assert tokens[:2] == [toy_translation([1, END])[0], FIRST]  # the end would have been best, FIRST is second


def test_the_translation_goes_on_from_a_prefix() -> None:
    engine, _ = make_engine()
    engine.submit(request(1, [10, 20], decoding=DecodingOptions(max_target_tokens=8, prefix=(40,))))
    # 3 + (20 + 3 * 40) mod 50 = 3 + 40 = 43.
    assert translations(run(engine)) == {1: [40, 43]}


def test_a_seed_reproduces_the_sample_whatever_else_runs() -> None:
    sampling = SamplingOptions(temperature=5.0, seed=11)

    def sampled(num_others: int) -> list[int]:
        engine, _ = make_engine(max_rows=8)
        for index in range(num_others):
            engine.submit(request(100 + index, [index, index + 1]))
        engine.submit(request(1, [1, 2, 3, 4, 5], decoding=DecodingOptions(20, sampling=sampling)))
        return translations(run(engine))[1]

    assert sampled(0) == sampled(7)
    assert sampled(0) != toy_translation([1, 2, 3, 4, 5, END])


def test_interactive_requests_pass_batch_requests_for_a_while() -> None:
    engine, _ = make_engine(max_rows=1)
    for number, (priority, arrival) in enumerate(
        [(Priority.BATCH, 0.0), (Priority.BATCH, 0.1), (Priority.INTERACTIVE, 4.0), (Priority.INTERACTIVE, 6.0)]
    ):
        engine.submit(Request(number, (1, END), DecodingOptions(8), arrival, priority=priority))
    order = [event.request_id for event in run(engine) if isinstance(event, FinishedEvent)]
    assert order == [2, 0, 1, 3]


def test_a_wide_request_is_waited_for_and_not_starved() -> None:
    engine, _ = make_engine(max_rows=4)
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
    for number in range(8, 16):
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


OPTIONS = st.sampled_from(
    [
        DecodingOptions(12),
        DecodingOptions(3),
        DecodingOptions(12, beam_size=2),
        DecodingOptions(12, beam_size=4, num_hypotheses=3, is_early_stopping=False),
        DecodingOptions(12, beam_size=3, required=((20, 21),), num_hypotheses=2),
        DecodingOptions(12, num_hypotheses=3, sampling=SamplingOptions(3.0, seed=1)),
        DecodingOptions(12, num_hypotheses=2, are_alternatives=True, prefix=(8,)),
        DecodingOptions(12, no_repeat_ngram_size=1, forbidden=((13,),)),
    ]
)


def alone(source: list[int], options: DecodingOptions) -> Event:
    engine, _ = make_engine()
    engine.submit(request(0, source, decoding=options))
    return run(engine)[-1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_traffic_never_mixes_rows(data: st.DataObject) -> None:
    engine, clock = make_engine(
        max_rows=data.draw(st.integers(4, 9)), max_encoder_tokens=data.draw(st.sampled_from([4, 16, 64]))
    )
    sent: dict[int, tuple[list[int], DecodingOptions]] = {}
    gone: set[int] = set()
    events: list[Event] = []
    for action in data.draw(st.lists(st.sampled_from(["submit", "step", "step", "cancel", "wait"]), max_size=120)):
        if action == "submit":
            number = len(sent)
            sent[number] = (
                data.draw(st.lists(st.integers(0, NUM_WORDS - 1), min_size=1, max_size=12)),
                data.draw(OPTIONS),
            )
            deadline = data.draw(st.sampled_from([None, clock.now + 1.0]))
            priority = data.draw(st.sampled_from(Priority))
            source = (*sent[number][0], END)
            try:
                engine.submit(Request(number, source, sent[number][1], clock.now, deadline, priority))
            except DeadlineExceededError:
                gone.add(number)
        elif action == "cancel" and sent:
            number = data.draw(st.sampled_from(sorted(sent)))
            if engine.cancel(number):
                gone.add(number)
        elif action == "wait":
            clock.now += 0.3
        else:
            events += engine.step()
        engine.check_integrity()
    events += run(engine)
    gone |= {event.request_id for event in events if isinstance(event, FailedEvent)}
    finished = {event.request_id: event.translations for event in events if isinstance(event, FinishedEvent)}
    assert finished.keys() | gone == sent.keys()
    assert not finished.keys() & gone
    for number, translations_found in finished.items():
        expected = alone(*sent[number])
        assert isinstance(expected, FinishedEvent)
        assert translations_found == expected.translations
    assert engine.num_running == engine.num_waiting == 0


def test_thousands_of_steps_leave_nothing_behind() -> None:
    generator = random.Random(1)
    engine, clock = make_engine(max_rows=9, max_waiting=40)
    kinds = [DecodingOptions(20), DecodingOptions(20, beam_size=4), DecodingOptions(20, beam_size=8)]
    number, num_steps, ended = 0, 0, 0
    while num_steps < 4000 or engine.has_work:
        if num_steps < 4000 and generator.random() < 0.35 and engine.num_waiting < 40:
            source = [generator.randrange(NUM_WORDS) for _ in range(generator.randrange(1, 20))]
            priority = generator.choice(list(Priority))
            engine.submit(Request(number, (*source, END), generator.choice(kinds), clock.now, priority=priority))
            number += 1
        if generator.random() < 0.02 and number and engine.cancel(generator.randrange(number)):
            ended += 1
        ended += sum(isinstance(event, FinishedEvent | FailedEvent) for event in engine.step())
        engine.check_integrity()
        clock.now += 0.01
        num_steps += 1
    assert ended == number > 500
