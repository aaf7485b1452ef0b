from __future__ import annotations

import random

import pytest

from service.errors import DeadlineExceededError, EngineError, QueueFullError
from service.request import (
    DecodingOptions,
    FailedEvent,
    FinishedEvent,
    FinishReason,
    SamplingOptions,
    TokensEvent,
)
from tests.service.engines import make_engine, request, run, translations
from tests.service.toy import END, FIRST, ToyRunner, toy_translation


def test_one_request_by_hand(toy_runner: ToyRunner) -> None:
    engine, _ = make_engine(runner=toy_runner)
    engine.submit(request(7, [10, 20]))
    # 3 + 10 = 13; then 3 + (20 + 3 * 13) mod 50 = 3 + 9 = 12.
    assert translations(run(engine)) == {7: [13, 12]}


def test_tokens_come_one_by_one_and_add_up(toy_runner: ToyRunner) -> None:
    engine, _ = make_engine(runner=toy_runner)
    engine.submit(request(1, [5, 6, 7], is_streaming=True))
    events = run(engine)
    streamed = [token for event in events if isinstance(event, TokensEvent) for token in event.token_ids]
    assert streamed == toy_translation([5, 6, 7, END])
    finished = events[-1]
    assert isinstance(finished, FinishedEvent)
    assert finished.translations[0].finish_reason is FinishReason.END
    assert len(finished.translations[0].token_log_probs) == 4
    assert finished.translations[0].log_prob == pytest.approx(-0.4, abs=1e-5)


def test_many_requests_of_mixed_length_share_few_rows(toy_runner: ToyRunner) -> None:
    generator = random.Random(3)
    sources = [[generator.randrange(50) for _ in range(generator.randrange(1, 31))] for _ in range(100)]
    engine, _ = make_engine(max_rows=8, runner=toy_runner)
    for index, source in enumerate(sources):
        engine.submit(request(index, source))
    expected = {index: toy_translation([*source, END]) for index, source in enumerate(sources)}
    assert translations(run(engine)) == expected


def test_a_short_request_does_not_wait_for_a_long_one(toy_runner: ToyRunner) -> None:
    engine, _ = make_engine(max_rows=2, runner=toy_runner)
    engine.submit(request(1, list(range(30))))
    engine.submit(request(2, [1]))
    engine.submit(request(3, [2]))
    order = [event.request_id for event in run(engine) if isinstance(event, FinishedEvent)]
    assert order == [2, 3, 1]


def test_admission_keeps_the_order_of_arrival_and_the_token_budget(toy_runner: ToyRunner) -> None:
    engine, _ = make_engine(max_rows=8, max_encoder_tokens=20, runner=toy_runner)
    for index, length in enumerate([9, 9, 9, 1]):
        engine.submit(request(index, [1] * length))
    run(engine)
    assert toy_runner.encoded_batches == [[10, 10], [10, 2]]


def test_a_full_queue_refuses_at_once_and_loses_nothing(toy_runner: ToyRunner) -> None:
    engine, _ = make_engine(max_waiting=2, runner=toy_runner)
    engine.submit(request(1, [1]))
    engine.submit(request(2, [2]))
    with pytest.raises(QueueFullError) as refused:
        engine.submit(request(3, [3]))
    assert refused.value.retry_after_seconds > 0
    assert translations(run(engine)).keys() == {1, 2}


def test_cancelling_frees_the_row_at_once(toy_runner: ToyRunner) -> None:
    engine, _ = make_engine(max_rows=1, runner=toy_runner)
    engine.submit(request(1, list(range(30))))
    engine.submit(request(2, [4]))
    engine.step()
    assert engine.num_running == 1
    assert engine.cancel(1)
    engine.check_integrity()
    assert engine.num_running == 0
    assert translations(run(engine)) == {2: toy_translation([4, END])}
    assert not engine.cancel(1)


def test_deadlines_end_waiting_and_running_requests(toy_runner: ToyRunner) -> None:
    engine, clock = make_engine(max_rows=1, runner=toy_runner)
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


def test_a_failing_encoder_spares_the_others(toy_runner: ToyRunner) -> None:
    toy_runner.fail_source = 49
    engine, _ = make_engine(runner=toy_runner)
    engine.submit(request(1, [1]))
    engine.submit(request(2, [49]))
    engine.submit(request(3, [3]))
    events = run(engine)
    failed = [event for event in events if isinstance(event, FailedEvent)]
    assert [event.request_id for event in failed] == [2]
    assert isinstance(failed[0].error, EngineError)
    assert "toy" not in str(failed[0].error)
    assert translations(events).keys() == {1, 3}


def test_a_step_says_how_it_ran() -> None:
    runner = ToyRunner()
    engine, _ = make_engine(runner=runner)
    engine.step()
    assert engine.last_step.execution == ""
    engine.submit(request(1, [1, 2, 3]))
    engine.step()
    assert engine.last_step.execution == "kernels"
    runner.execution = "graph"
    engine.step()
    assert engine.last_step.execution == "graph"
    runner.fail_next_step = True
    engine.step()
    assert engine.last_step.execution == ""
    assert engine.last_step.num_rows == 1


def test_a_source_that_no_row_holds_fails_alone(toy_runner: ToyRunner) -> None:
    engine, _ = make_engine(runner=toy_runner)
    for number, length in enumerate((2, 33, 3)):
        engine.submit(request(number, [1] * length))
    events = run(engine)
    assert [event.request_id for event in events if isinstance(event, FailedEvent)] == [1]
    assert translations(events) == {0: toy_translation([1, 1, END]), 2: toy_translation([1, 1, 1, END])}


def test_a_failing_step_fails_its_rows_and_not_those_that_wait(toy_runner: ToyRunner) -> None:
    engine, _ = make_engine(max_rows=2, runner=toy_runner)
    for index in range(4):
        engine.submit(request(index, [index + 1]))
    toy_runner.fail_next_step = True
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


def test_a_seed_reproduces_the_sample_whatever_else_runs(toy_runner: ToyRunner) -> None:
    sampling = SamplingOptions(temperature=5.0, seed=11)

    def sampled(num_others: int) -> list[int]:
        engine, _ = make_engine(max_rows=8, runner=toy_runner)
        for index in range(num_others):
            engine.submit(request(100 + index, [index, index + 1]))
        engine.submit(request(1, [1, 2, 3, 4, 5], decoding=DecodingOptions(20, sampling=sampling)))
        return translations(run(engine))[1]

    assert sampled(0) == sampled(7)
    assert sampled(0) != toy_translation([1, 2, 3, 4, 5, END])
