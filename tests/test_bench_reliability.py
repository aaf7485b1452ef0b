"""What judges in bench.reliability: each judge is shown something bad, and has to see it."""

from __future__ import annotations

import math
import random
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from bench.reliability import __main__ as command
from bench.reliability import mix
from bench.reliability.answers import Answers
from bench.reliability.bulk_client import compare_rows
from bench.reliability.calls import BrokenAnswerError, ItemFailedError, translate, translate_batch
from bench.reliability.ground import Ground, Result, traceback_in
from bench.reliability.memory import slope_of
from bench.reliability.questions import Kind, Question, all_questions, sentences
from bench.reliability.scenarios.full_queue import until_answered
from bench.reliability.scenarios.half_open import frame, literal
from bench.reliability.scenarios.terminated import Clients
from bench.reliability.service_process import BUSY_METRICS, ServiceProcess, read_metrics
from bench.reliability.tally import Asker, Status, Tally
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

ANSWERS = Answers({Question(Kind.GREEDY, "a"): "A", Question(Kind.GREEDY, "b"): "B", Question(Kind.STREAM, "a"): "A!"})
GREEDY, STREAM = Question(Kind.GREEDY, "a"), Question(Kind.STREAM, "a")


def test_an_answer_is_right_where_it_is_the_one_of_its_kind() -> None:
    assert ANSWERS.fault(GREEDY, "A") is None
    assert "alone 'A'" in (ANSWERS.fault(GREEDY, "A!") or "")
    assert "wrong" in (ANSWERS.fault(STREAM, "A") or "")


def test_questions_differ_and_are_the_same_every_time() -> None:
    assert sentences() == sentences()
    assert len(set(sentences())) == 300
    assert len(set(all_questions())) == len(all_questions())
    assert {question.kind for question in all_questions()} == set(Kind)


class FakeStub:
    """Says what it is told to say."""

    def __init__(self, *responses: Any) -> None:
        self._responses = responses

    async def Translate(self, request: pb.TranslateRequest, **options: Any) -> pb.TranslateResponse:  # noqa: N802
        if isinstance(self._responses[0], Exception):
            raise self._responses[0]
        return pb.TranslateResponse(results=[_result(self._responses[0])])

    async def _stream(self, *arguments: Any, **options: Any) -> Any:
        for response in self._responses:
            yield response

    TranslateStream = BatchTranslate = _stream


def _result(text: str) -> pb.TranslationResult:
    return pb.TranslationResult(hypotheses=[pb.Hypothesis(text=text)])


def _delta(text: str) -> pb.TranslateStreamResponse:
    return pb.TranslateStreamResponse(delta=pb.TranslationDelta(text=text))


def _error(status: Status) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(status, grpc.aio.Metadata(), grpc.aio.Metadata(), details="why")


async def test_a_stream_must_add_up_to_one_result() -> None:
    whole = pb.TranslateStreamResponse(result=_result("A!"))
    assert await translate(FakeStub(_delta("A"), _delta("!"), whole), STREAM) == "A!"
    for broken in ((_delta("A"), whole), (_delta("A!"),), (_delta("A!"), whole, whole)):
        with pytest.raises(BrokenAnswerError):
            await translate(FakeStub(*broken), STREAM)


async def test_a_batch_answers_every_item_once() -> None:
    a, b = (pb.BatchTranslateResponse(id=str(index), result=_result(text)) for index, text in enumerate("AB"))
    failed = pb.BatchTranslateResponse(id="1", error=pb.ItemError(code=8, reason="WHY"))
    assert await translate_batch(FakeStub(b, a), ["a", "b"]) == ["A", "B"]
    for broken, message in (((a,), "1 of 2 items"), ((a, a, b), "twice")):
        with pytest.raises(BrokenAnswerError, match=message):
            await translate_batch(FakeStub(*broken), ["a", "b"])
    with pytest.raises(ItemFailedError, match="WHY") as caught:
        await translate_batch(FakeStub(a, failed), ["a", "b"])
    assert caught.value.status is Status.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("response", "allowed", "num_faults"),
    [
        ("A", (), 0),
        ("B", (), 1),
        (_error(Status.UNAVAILABLE), (), 1),
        (_error(Status.UNAVAILABLE), (Status.UNAVAILABLE,), 0),
        (_error(Status.CANCELLED), (Status.UNAVAILABLE,), 1),
    ],
)
async def test_an_asker_counts_and_sees_faults(response: Any, allowed: tuple[Status, ...], num_faults: int) -> None:
    tally = Tally()
    status = await Asker(FakeStub(response), ANSWERS, tally).ask(GREEDY, allowed)
    assert tally.statuses == {status.name: 1}
    assert len(tally.faults) == num_faults
    assert tally.num_wrong == (response == "B")


def test_bulk_rows_are_held_to_the_lines() -> None:
    a, b = "a\tA\t-0.1\tEND", "b\tB\t-0.1\tEND"
    assert compare_rows([a, b], ["a", "b"], ANSWERS) == []
    for rows in ([a], [a, a, b], [b, a], ["a\tB\t0\tEND", b], ["a\t\t\tINVALID_FIELD", b]):
        assert compare_rows(rows, ["a", "b"], ANSWERS), rows


def _series(growth_per_hour: float, minutes: int, noise: float) -> tuple[list[float], list[float]]:
    rng = random.Random(3)
    seconds = [float(second) for second in range(60 * minutes)]
    return seconds, [200 + growth_per_hour * second / 3600 + rng.gauss(0, noise) for second in seconds]


@pytest.mark.parametrize(
    ("growth", "minutes", "noise", "is_flat"),
    [
        (0.0, 20, 2.0, True),
        (-100.0, 20, 2.0, True),
        (9.0, 20, 0.1, True),
        (60.0, 20, 2.0, False),
        (12.0, 20, 0.01, False),
        (600.0, 1, 0.1, True),  # 10 MiB in all
        (3000.0, 1, 0.1, False),  # 50 MiB in all
    ],
)
def test_growth_of_memory_is_seen(growth: float, minutes: int, noise: float, is_flat: bool) -> None:
    slope = slope_of(*_series(growth, minutes, noise))
    assert slope.value == pytest.approx(growth, abs=4 * slope.standard_error + 0.01)
    assert slope.is_flat is is_flat


def test_a_slope_has_the_textbook_error() -> None:
    slope = slope_of([0, 3600, 7200, 10800], [0, 2, 1, 3])
    assert slope.value == pytest.approx(0.8)
    assert slope.standard_error == pytest.approx(math.sqrt(1.8 / 2 / 5))
    with pytest.raises(ValueError, match="need 3"):
        slope_of([0, 1], [0, 1])


class BusyService(ServiceProcess):
    async def metrics(self) -> dict[str, float]:
        return {**dict.fromkeys(BUSY_METRICS, 0.0), "seq2serve_requests_running": 1.0}


async def test_a_row_that_stays_is_seen(tmp_path: Path) -> None:
    assert "seq2serve_requests_running" in (await BusyService(tmp_path).wait_until_idle(0.1) or "")


@pytest.mark.parametrize(("seconds_to_sigterm", "num_faults"), [(60.0, 1), (0.0, 0)])
async def test_whoever_was_accepted_must_be_answered(seconds_to_sigterm: float, num_faults: int) -> None:
    tally = Tally()
    clients = Clients(Asker(FakeStub(_error(Status.UNAVAILABLE)), ANSWERS, tally), random.Random(0))
    clients.terminated_at = time.monotonic() + seconds_to_sigterm
    await clients.go_on(is_batch=False)
    assert len(tally.faults) == num_faults


async def test_whoever_is_refused_must_be_told_when_to_come_back() -> None:
    tally = Tally()
    await until_answered(Asker(FakeStub(_error(Status.RESOURCE_EXHAUSTED)), ANSWERS, tally), GREEDY)
    assert "retry after None" in tally.faults[0]


async def test_a_request_that_is_always_refused_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mix, "TRY_AGAIN_SECONDS", 0.0)
    tally = Tally()
    asker = Asker(FakeStub(_error(Status.RESOURCE_EXHAUSTED)), ANSWERS, tally)
    await mix.until_taken(lambda: asker.ask(GREEDY, mix.BUSY), asker)
    assert tally.faults == [f"lost: refused {mix.MAX_ATTEMPTS} times"]


def test_tracebacks_are_found_in_logs() -> None:
    assert traceback_in("INFO fine") is None
    assert "KeyError: 1" in (traceback_in("INFO\nTraceback (most recent call last):\n  File\nKeyError: 1\n") or "")


def test_metrics_are_summed_over_labels() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("busy", "Rows.", ("model",), registry=registry)
    gauge.labels("a").set(1)
    gauge.labels("b").set(2)
    assert read_metrics(generate_latest(registry).decode()) == {"busy": 3.0}


def test_frames_are_those_of_the_rfc() -> None:
    assert frame(4, 0, 0, b"") == bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    assert frame(1, 4, 1, b"abc") == bytes([0, 0, 3, 1, 4, 0, 0, 0, 1]) + b"abc"
    assert literal(b"te", b"x") == b"\0\2te\1x"


async def test_a_scenario_that_breaks_is_a_fault() -> None:
    async def breaks(ground: Ground) -> Result:
        raise RuntimeError("the service died")

    result = await command.attempt("x", breaks, Ground(Path(), ANSWERS, is_long=False))
    assert not result.passed
    assert "the service died" in result.faults[0]


@pytest.mark.parametrize(("faults", "code"), [((), 0), (("lost",), 1)])
def test_the_exit_code_tells_of_faults(
    faults: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def run(ground: Ground) -> Result:
        return Result("x", "3 of 3", faults)

    async def compute(*arguments: object) -> Answers:
        return ANSWERS

    monkeypatch.setattr(command, "SCENARIOS", (SimpleNamespace(NAME="x", run=run),))
    monkeypatch.setattr(Answers, "compute", compute)
    assert command.main(["--scenarios", "x", "--output", str(tmp_path / "table.md")]) == code
    table = (tmp_path / "table.md").read_text()
    assert "| x | " + ("**no**, 1 faults" if faults else "yes") + " | 3 of 3 |" in table
    assert ("- lost" in table) == bool(faults)
    assert command.main(["--scenarios", "y"]) == 2
