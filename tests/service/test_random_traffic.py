"""Random arrivals, cancellations, deadlines and beams, for thousands of steps."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import DeadlineExceededError
from service.request import (
    DecodingOptions,
    Event,
    FailedEvent,
    FinishedEvent,
    Priority,
    Request,
    SamplingOptions,
)
from tests.service.engines import make_engine, request, run
from tests.service.toy import END, NUM_WORDS, ToyRunner

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


@pytest.mark.parametrize("encodes_beside_steps", [False, True])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_random_traffic_never_mixes_rows(encodes_beside_steps: bool, data: st.DataObject) -> None:
    engine, clock = make_engine(
        max_rows=data.draw(st.integers(4, 9)),
        max_encoder_tokens=data.draw(st.sampled_from([4, 16, 64])),
        runner=ToyRunner(encodes_beside_steps),
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


def test_thousands_of_steps_leave_nothing_behind(toy_runner: ToyRunner) -> None:
    generator = random.Random(1)
    engine, clock = make_engine(max_rows=9, max_waiting=40, runner=toy_runner)
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
