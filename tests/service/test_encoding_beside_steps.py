"""An encoder that runs beside steps of the decoder: who arrives gets rows when the step is over, and loses nothing."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from service.engine.batch import Batch, Candidates, EncodedSource
from service.engine.engine import Engine
from service.engine.kv_cache import KVCache, Row
from service.errors import DeadlineExceededError
from service.request import DecodingOptions, Event, FailedEvent, FinishedEvent, Request
from tests.service.engines import Clock, make_engine, request, run, translations
from tests.service.toy import END, NUM_WORDS, ToyRunner, toy_translation

LONG = list(range(20))


@pytest.fixture
def runner() -> ToyRunner:
    return ToyRunner(encodes_beside_steps=True)


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What engines do, in order: how many are encoded, whose row is opened, how many rows step."""
    done: list[str] = []
    encode, step, open_row = ToyRunner.encode, ToyRunner.step, KVCache.open

    def recorded_encode(runner: ToyRunner, sources: Sequence[Sequence[int]]) -> list[EncodedSource]:
        done.append(f"encode {len(sources)}")
        return encode(runner, sources)

    def recorded_step(runner: ToyRunner, batch: Batch, num_candidates: int, is_full: bool) -> Candidates:
        done.append(f"step {batch.num_rows}")
        return step(runner, batch, num_candidates, is_full)

    def recorded_open(cache: KVCache, owner: int, source: EncodedSource, begin_id: int) -> Row:
        done.append(f"open {owner}")
        return open_row(cache, owner, source, begin_id)

    monkeypatch.setattr(ToyRunner, "encode", recorded_encode)
    monkeypatch.setattr(ToyRunner, "step", recorded_step)
    monkeypatch.setattr(KVCache, "open", recorded_open)
    return done


def one_running_one_arriving(runner: ToyRunner, deadline: float | None = None) -> tuple[Engine, Clock]:
    """Request 1 has made two steps; beside the second one request 2 was encoded, which has that deadline."""
    engine, clock = make_engine(max_rows=2, runner=runner)
    engine.submit(request(1, LONG))
    engine.step()
    engine.submit(request(2, [4, 5], deadline))
    assert engine.step() == []
    engine.check_integrity()
    return engine, clock


def test_rows_of_who_arrives_are_opened_when_the_step_is_over(record: list[str], runner: ToyRunner) -> None:
    engine, _ = one_running_one_arriving(runner)
    assert record == ["encode 1", "open 1", "step 1", "encode 1", "step 1"]
    assert engine.num_running == engine.load().num_running == 2
    assert engine.load().num_rows["decode"] == 1
    assert engine.last_step.num_encoded == engine.last_step.num_rows == 1
    engine.step()
    assert record[5:] == ["open 2", "step 2"]
    assert translations(run(engine)) == {1: toy_translation([*LONG, END]), 2: toy_translation([4, 5, END])}


def test_where_no_row_runs_they_are_opened_at_once(record: list[str], runner: ToyRunner) -> None:
    engine, _ = make_engine(runner=runner)
    engine.submit(request(1, [1]))
    engine.submit(request(2, [2]))
    engine.step()
    assert record == ["encode 2", "open 1", "open 2", "step 2"]


def test_who_arrived_does_not_wait_for_who_arrives(record: list[str], runner: ToyRunner) -> None:
    engine, _ = make_engine(runner=runner)
    for number in (1, 2, 3):
        engine.submit(request(number, LONG))
        engine.step()
    assert record[3:] == ["encode 1", "step 1", "open 2", "encode 1", "step 2"]


def test_who_arrives_is_work_when_all_others_are_done(record: list[str], runner: ToyRunner) -> None:
    engine, _ = make_engine(runner=runner)
    engine.submit(request(1, [1]))
    engine.step()
    engine.submit(request(2, [2]))
    assert translations(engine.step()).keys() == {1}
    engine.check_integrity()
    assert engine.has_work
    assert translations(run(engine)) == {2: toy_translation([2, END])}
    assert record[-3:] == ["open 2", "step 1", "step 1"]


def test_who_is_cancelled_meanwhile_gets_no_row(record: list[str], runner: ToyRunner) -> None:
    engine, _ = one_running_one_arriving(runner)
    assert engine.cancel(2)
    engine.check_integrity()
    assert engine.num_running == 1
    assert not engine.cancel(2)
    engine.submit(request(3, [6]))
    assert engine.num_waiting == 1
    engine.step()
    assert engine.num_waiting == 0  # the row that was reserved is free
    assert translations(run(engine)) == {1: toy_translation([*LONG, END]), 3: toy_translation([6, END])}
    assert "open 2" not in record
    assert engine.num_discarded["cancelled"] == 0


def test_who_is_late_meanwhile_gets_no_row(record: list[str], runner: ToyRunner) -> None:
    engine, clock = one_running_one_arriving(runner, deadline=5.0)
    clock.now = 6.0
    (event,) = engine.step()
    assert isinstance(event, FailedEvent)
    assert event.request_id == 2
    assert isinstance(event.error, DeadlineExceededError)
    engine.check_integrity()
    assert translations(run(engine)).keys() == {1}
    assert "open 2" not in record


def test_a_step_that_fails_spares_who_arrives(runner: ToyRunner) -> None:
    engine, _ = make_engine(max_rows=2, runner=runner)
    engine.submit(request(1, LONG))
    engine.step()
    engine.submit(request(2, [4, 5]))
    runner.fail_next_step = True
    (event,) = engine.step()
    assert isinstance(event, FailedEvent)
    assert event.request_id == 1
    engine.check_integrity()
    assert engine.num_running == 1
    assert translations(run(engine)) == {2: toy_translation([4, 5, END])}


def test_rows_are_reserved_from_the_encoder_on(runner: ToyRunner) -> None:
    engine, _ = make_engine(max_rows=4, runner=runner)
    beam = DecodingOptions(32, beam_size=2)
    engine.submit(request(1, LONG))
    engine.step()
    for number in (2, 3, 4):
        engine.submit(request(number, LONG, decoding=beam))
    engine.step()
    assert (engine.num_running, engine.num_waiting) == (2, 2)  # 1 + 2 rows; another two are more than there are
    while engine.num_waiting:
        engine.step()
        engine.check_integrity()
        assert engine.load().num_rows["decode"] <= 3
    assert engine.num_running == 2


def test_first_come_first_served(record: list[str], runner: ToyRunner) -> None:
    generator = random.Random(2)
    engine, _ = make_engine(max_rows=5, runner=runner)
    for number in range(200):
        size = generator.choice([1, 1, 2, 4])
        engine.submit(request(number, LONG[: generator.randrange(1, 12)], decoding=DecodingOptions(12, beam_size=size)))
        engine.step()
    run(engine)
    opened = [int(entry.split()[1]) for entry in record if entry.startswith("open")]
    assert opened == list(range(200))


def test_the_encoder_has_its_time_until_the_row_is_opened(runner: ToyRunner) -> None:
    engine, clock = make_engine(runner=runner)
    events: list[Event] = []
    for number in (1, 2):
        engine.submit(request(number, [1]))
        clock.now += 1.0
        events += engine.step()
    clock.now += 0.5
    events += engine.step()
    clock.now += 0.5
    events += engine.step()
    first, second = (event.timing for event in events if isinstance(event, FinishedEvent))
    assert (first.admitted, first.encoded, first.first_token, first.finished) == (1.0, 1.0, 1.0, 2.0)
    assert (second.admitted, second.encoded, second.first_token, second.finished) == (2.0, 2.5, 2.5, 3.0)


def test_who_comes_and_goes_changes_nobody_elses_translation(record: list[str], runner: ToyRunner) -> None:
    generator = random.Random(5)
    kinds = [DecodingOptions(12), DecodingOptions(12, beam_size=2), DecodingOptions(12, beam_size=4, num_hypotheses=3)]
    sent: dict[int, Request] = {}
    cancelled: set[int] = set()
    engine, _ = make_engine(max_rows=9, runner=runner)
    events: list[Event] = []
    for number in range(300):
        source = [generator.randrange(NUM_WORDS) for _ in range(generator.randrange(1, 12))]
        sent[number] = request(number, source, decoding=generator.choice(kinds))
        engine.submit(sent[number])
        if generator.random() < 0.2 and engine.cancel(who := generator.randrange(number + 1)):
            cancelled.add(who)
        while engine.num_waiting > 3:
            events += engine.step()
            engine.check_integrity()
    events += run(engine)
    num_beside = sum(
        before.startswith("encode") and after.startswith("step") for before, after in itertools.pairwise(record)
    )
    assert num_beside > 50
    assert cancelled
    found = {event.request_id: event.translations for event in events if isinstance(event, FinishedEvent)}
    assert found.keys() == sent.keys() - cancelled
    for number, ours in found.items():
        alone, _ = make_engine(max_rows=4)
        alone.submit(sent[number])
        (expected,) = run(alone)
        assert isinstance(expected, FinishedEvent)
        assert ours == expected.translations
