"""Between the event loop and the engine: sentences of texts that have begun are not refused."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from service.engine.batch import Candidates
from service.engine.worker import Worker
from service.errors import EngineError, QueueFullError
from service.metrics.families import Metrics
from service.request import DecodingOptions, FinishedEvent
from tests.service.engines import make_engine
from tests.service.toy import END, ToyRunner, toy_translation
from tests.service.waiting import eventually


def worker_with(max_rows: int, max_waiting: int, runner: ToyRunner | None = None) -> Worker:
    engine, _ = make_engine(max_rows, max_waiting, runner=runner)
    return Worker("toy", engine, Metrics("test"), lambda: None)


async def translate(worker: Worker, source: list[int]) -> list[int]:
    async for event in worker.translate((*source, END), DecodingOptions(32), None):
        assert isinstance(event, FinishedEvent)
        return [token for token in event.translations[0].token_ids if token != END]
    raise AssertionError("nothing came")


async def test_sentences_wait_for_a_place_where_another_text_is_refused(toy_runner: ToyRunner) -> None:
    worker = worker_with(2, 4, toy_runner)
    sources = [[5 + number, 7] for number in range(8)]
    running = [asyncio.create_task(translate(worker, source)) for source in sources]
    await asyncio.sleep(0)  # the engine has not been started: all of them are on their way
    assert worker.load().num_waiting["queue"] == 4
    assert not worker.has_room
    with pytest.raises(QueueFullError):
        worker.check_room()
    with pytest.raises(QueueFullError):  # as many are late as the queue holds
        await translate(worker, [5, 7])
    running[5].cancel()
    worker.start()
    answers = await asyncio.gather(*running, return_exceptions=True)
    assert isinstance(answers.pop(5), asyncio.CancelledError)
    del sources[5]
    assert answers == [toy_translation((*source, END)) for source in sources]
    await eventually(lambda: worker.has_room)
    assert worker.num_unfinished == 0
    await worker.stop()


async def test_places_that_cancelled_sentences_leave_are_taken() -> None:
    worker = worker_with(max_rows=1, max_waiting=2)
    first, second, *late = [asyncio.create_task(translate(worker, [5, 7])) for _ in range(4)]
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await asyncio.sleep(0)
    worker.start()
    assert len(await asyncio.gather(*late)) == 2
    await worker.stop()


async def test_a_runner_is_warmed_up_first_and_on_the_thread_that_steps(
    toy_runner: ToyRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime keeps captured graphs for each thread by itself."""
    calls: list[tuple[str, int]] = []
    step = toy_runner.step

    def stepped(*arguments: Any) -> Candidates:
        calls.append(("step", threading.get_ident()))
        return step(*arguments)

    monkeypatch.setattr(toy_runner, "warm_up", lambda: calls.append(("warm up", threading.get_ident())))
    monkeypatch.setattr(toy_runner, "step", stepped)
    worker = worker_with(2, 4, toy_runner)
    worker.start()
    assert await translate(worker, [5, 7]) == toy_translation((5, 7, END))
    await worker.stop()
    assert [name for name, _ in calls] == ["warm up", "step", "step", "step"]
    assert len({thread for _, thread in calls}) == 1
    assert calls[0][1] != threading.get_ident()


async def test_a_warm_up_that_fails_fails_those_who_wait(
    toy_runner: ToyRunner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("the arena is too small")

    monkeypatch.setattr(toy_runner, "warm_up", broken)
    worker = worker_with(2, 4, toy_runner)
    worker.start()
    with pytest.raises(EngineError):
        await translate(worker, [5, 7])
    assert worker.has_failed
    assert "the arena is too small" in caplog.text
    await worker.stop()
