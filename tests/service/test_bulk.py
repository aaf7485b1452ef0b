"""Bulk translation against a service whose translations and failures are known."""

from __future__ import annotations

import asyncio
import gzip
import json
import lzma
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from service.api.server import Server
from service.client import Client, DecodingArguments
from service.client.__main__ import main
from service.client.bulk.chunks import MAX_CHUNK_BYTES, in_chunks, in_order
from service.client.bulk.text_input import TextInput
from service.client.client import Hypothesis
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from service.settings import Settings

ROOT = Path(__file__).parents[2]
Fault = Callable[[int, grpc.ServicerContext], None]


class FakeService(pb_grpc.TranslationServiceServicer):
    """Says every text backwards, in an order of its own; refuses what contains `bad`."""

    def __init__(self) -> None:
        self.requests: list[tuple[pb.BatchConfig, list[str]]] = []
        self.fault: Fault = lambda number, context: None
        """Called before each answer with the number of the request, from 0."""
        self.item_errors: list[pb.ItemError] = []
        """Given instead of the first answers."""
        self.delay_seconds = 0.0

    def BatchTranslate(  # noqa: N802
        self, request_iterator: Iterator[pb.BatchTranslateRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.BatchTranslateResponse]:
        [request] = request_iterator
        number = len(self.requests)
        self.requests.append((request.config, [item.text for item in request.items]))
        items = list(request.items)
        random.Random(number).shuffle(items)
        for item in items:
            self.fault(number, context)
            time.sleep(self.delay_seconds)
            yield self._answer(item, request.config.decoding)

    def _answer(self, item: pb.BatchItem, decoding: pb.DecodingOptions) -> pb.BatchTranslateResponse:
        if self.item_errors:
            return pb.BatchTranslateResponse(id=item.id, error=self.item_errors.pop())
        if "bad" in item.text:
            error = pb.ItemError(code=3, reason="INVALID_FIELD", message="no")
            return pb.BatchTranslateResponse(id=item.id, error=error)
        backwards = item.text[::-1]
        reason = pb.FINISH_REASON_LENGTH if "long" in item.text else pb.FINISH_REASON_END
        # The score of a text is minus its length in thousandths: (-length - 0) / 2 over two tokens.
        tokens = [pb.Token(log_prob=-len(item.text) / 500), pb.Token(log_prob=0.0)]
        hypotheses = [
            pb.Hypothesis(text=backwards + "!" * rank, finish_reason=reason, tokens=tokens)
            for rank in range(decoding.num_hypotheses or 1)
        ]
        result = pb.TranslationResult(hypotheses=hypotheses, num_source_tokens=3, num_target_tokens=1)
        return pb.BatchTranslateResponse(id=item.id, result=result)


@pytest.fixture
def service() -> Iterator[tuple[FakeService, str]]:
    fake = FakeService()
    server = grpc.server(ThreadPoolExecutor(8))
    pb_grpc.add_TranslationServiceServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield fake, f"127.0.0.1:{port}"
    server.stop(None).wait()


def sources(number: int) -> list[str]:
    generator = random.Random(1)
    return [
        f"{index} " + "".join(generator.choices("abc ", k=generator.randint(1, 30))) + "." for index in range(number)
    ]


def expected_row(text: str) -> str:
    return f"{text}\t{text[::-1]}\t{-len(text) / 1000:.4f}\tEND\n"


def bulk(address: str, *arguments: object) -> int:
    return main(["bulk", *map(str, arguments), "--address", address])


def test_rows_come_in_the_order_of_the_lines(
    service: tuple[FakeService, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake, address = service
    texts = sources(500)
    (tmp_path / "in").write_text("\n".join(texts))
    flags = ("--batch-size", 7, "--requests", 3, "--beam-size", 4, "--model", "m")
    assert bulk(address, tmp_path / "in", "--output", tmp_path / "out.tsv", *flags) == 0
    assert (tmp_path / "out.tsv").read_text() == "".join(map(expected_row, texts))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.tsv", "out.tsv.json"]
    assert max(len(sent) for _, sent in fake.requests) == 7
    config = fake.requests[0][0]
    assert (config.decoding.beam_size, config.model_selection.model) == (4, "m")
    assert (
        "500 texts (END 500), 500 rows, 0 left out, 0 refused; 1,500 source and 500 target" in capsys.readouterr().out
    )
    num_requests = len(fake.requests)
    assert bulk(address, tmp_path / "in", "--output", tmp_path / "out.tsv", *flags) == 0
    assert len(fake.requests) == num_requests


@pytest.mark.parametrize("kind", [".gz", ".xz"])
def test_packed_files_columns_and_swapped_sides(service: tuple[FakeService, str], tmp_path: Path, kind: str) -> None:
    _, address = service
    opener = {".gz": gzip.open, ".xz": lzma.open}[kind]
    with opener(tmp_path / f"in.tsv{kind}", "wt", encoding="utf-8") as file:
        file.write("a\t열기\tpackage\r\nb\t닫기\n")
    output = tmp_path / f"out.tsv{kind}"
    assert bulk(address, tmp_path / f"in.tsv{kind}", "--output", output, "--column", 2, "--swap") == 0
    with opener(output, "rt", encoding="utf-8") as file:
        assert file.read() == "기열\t열기\t-0.0020\tEND\n기닫\t닫기\t-0.0020\tEND\n"


def test_a_byte_order_mark_is_no_text(service: tuple[FakeService, str], tmp_path: Path) -> None:
    (tmp_path / "in").write_text("ab\n", encoding="utf-8-sig")
    assert bulk(service[1], tmp_path / "in", "--output", tmp_path / "out") == 0
    assert (tmp_path / "out").read_text() == expected_row("ab")


def test_filters_refusals_and_several_hypotheses(
    service: tuple[FakeService, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, address = service
    (tmp_path / "in").write_text("one\ttab\nbad\n\nlong\nthree words here\n")
    filters = ("--min-score", -0.01, "--drop-cut-off", "--beam-size", 2, "--num-hypotheses", 2)
    assert bulk(address, tmp_path / "in", "--output", tmp_path / "out", *filters) == 0
    assert (tmp_path / "out").read_text().split("\n") == [
        "one tab\tbat eno\t-0.0070\tEND",
        "one tab\tbat eno!\t-0.0070\tEND",
        "bad\t\t\tINVALID_FIELD",
        "\t\t\tEMPTY",
        "",
    ]
    told = capsys.readouterr().out
    assert "5 texts (EMPTY 1, END 2, INVALID_FIELD 1, LENGTH 1), 4 rows, 4 left out, 2 refused" in told


def test_every_request_samples_with_a_seed_of_its_own(service: tuple[FakeService, str], tmp_path: Path) -> None:
    fake, address = service
    (tmp_path / "in").write_text("a\nb\nc\n")
    for seed in ((), ("--seed", 40)):
        output = tmp_path / f"out{len(seed)}"
        arguments = ("--output", output, "--temperature", 1, "--batch-size", 1, *seed)
        assert bulk(address, tmp_path / "in", *arguments) == 0
        seeds = {config.decoding.seed for config, _ in fake.requests[-3:]}
        first = json.loads(output.with_name(f"{output.name}.json").read_text())["settings"]["seed"]
        assert seeds == {first, first + 1, first + 2}
        assert not seed or first == 40


def busy(context: grpc.ServicerContext, seconds: float) -> None:
    status = status_pb2.Status(code=8, message="full")
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromMilliseconds(int(seconds * 1000))
    status.details.add().Pack(info)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")


def test_what_failed_for_a_while_is_asked_for_again(
    service: tuple[FakeService, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, address = service
    monkeypatch.setattr("service.client.bulk.requests.LEAST_DELAY_SECONDS", 0.01)
    texts = sources(40)
    (tmp_path / "in").write_text("\n".join(texts))
    answered = iter(range(1000))

    def fault(number: int, context: grpc.ServicerContext) -> None:
        if number == 0:
            busy(context, 0.7)
        if number == 1 and next(answered) == 25:  # in the middle of a stream
            context.abort(grpc.StatusCode.UNAVAILABLE, "going down")

    fake.fault = fault
    fake.item_errors = [pb.ItemError(code=8, reason="QUEUE_FULL"), pb.ItemError(code=13, reason="ENGINE_FAILURE")]
    started = time.monotonic()
    assert bulk(address, tmp_path / "in", "--output", tmp_path / "out") == 0
    assert time.monotonic() - started >= 0.7
    assert (tmp_path / "out").read_text() == "".join(map(expected_row, texts))
    sizes = [len(sent) for _, sent in fake.requests]
    assert sizes[:2] == [40, 40]
    assert sizes[2] == 40 - (25 - 2)  # only what had no answer yet


def test_a_text_that_the_engine_fails_at_is_given_up(
    service: tuple[FakeService, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake, address = service
    monkeypatch.setattr("service.client.bulk.requests.LEAST_DELAY_SECONDS", 0.01)
    (tmp_path / "in").write_text("a\n")
    fake.item_errors = [pb.ItemError(code=13, reason="ENGINE_FAILURE")] * 5
    assert bulk(address, tmp_path / "in", "--output", tmp_path / "out") == 0
    assert (tmp_path / "out").read_text() == "a\t\t\tENGINE_FAILURE\n"
    assert len(fake.requests) == 3


def test_patience_ends(
    service: tuple[FakeService, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake, address = service
    monkeypatch.setattr("service.client.bulk.requests.LEAST_DELAY_SECONDS", 0.01)
    (tmp_path / "in").write_text("a\n")
    arguments = (tmp_path / "in", "--output", tmp_path / "out", "--patience", 0.05)
    fake.fault = lambda number, context: context.abort(grpc.StatusCode.UNAVAILABLE, "away")
    assert bulk(address, *arguments) == 4
    fake.fault = lambda number, context: None
    fake.item_errors = [pb.ItemError(code=8, reason="QUEUE_FULL")] * 1000
    assert bulk(address, *arguments) == 5
    fake.item_errors = []
    assert bulk(address, *arguments) == 0
    assert "busy for 0.05 s" in capsys.readouterr().err
    fake.fault = lambda number, context: context.abort(grpc.StatusCode.INVALID_ARGUMENT, "config.decoding.top_p: no")
    assert bulk(address, tmp_path / "in", "--output", tmp_path / "other") == 2


OFTEN_COMMITTING = """
import sys
from service.client.__main__ import main
from service.client.bulk import output
output.SECONDS_BETWEEN_COMMITS = 0.02
sys.exit(main())
"""


def test_killed_at_any_moment_it_goes_on_where_it_was(service: tuple[FakeService, str], tmp_path: Path) -> None:
    fake, address = service
    texts = sources(1500)
    (tmp_path / "in").write_text("\n".join(texts))
    output, journal = tmp_path / "out.tsv", tmp_path / "out.tsv.json"
    command = [sys.executable, "-c", OFTEN_COMMITTING, "bulk", str(tmp_path / "in"), "--output", str(output)]
    command += ["--address", address, "--batch-size", "10", "--requests", "2"]
    # Each run gets 400 answers and then waits: it cannot end before it is killed.
    answers, is_over = threading.Semaphore(0), threading.Event()

    def wait_for_leave(number: int, context: grpc.ServicerContext) -> None:
        while not is_over.is_set() and context.is_active() and not answers.acquire(timeout=0.1):
            pass

    fake.fault = wait_for_leave
    fake.delay_seconds = 0.001
    done_before = 0
    for _ in range(2):
        answers.release(400)
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        while not journal.exists() or json.loads(journal.read_text())["counts"]["texts"] <= done_before:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done_before = json.loads(journal.read_text())["counts"]["texts"]
        assert not output.exists()
    is_over.set()
    assert 0 < done_before < len(texts)
    with (tmp_path / "out.tsv.partial").open("a") as file:
        file.write("half a ro")  # what the kernel may leave of a killed write
    fake.delay_seconds = 0.0
    fake.requests.clear()
    arguments = ("--output", output, "--batch-size", 10, "--requests", 2)
    assert bulk(address, tmp_path / "in", *arguments) == 0
    assert output.read_text() == "".join(map(expected_row, texts))
    assert sum(len(sent) for _, sent in fake.requests) == len(texts) - done_before


def test_another_input_or_setting_is_told(
    service: tuple[FakeService, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, address = service
    (tmp_path / "in").write_text("a\nb\n")
    arguments = (tmp_path / "in", "--output", tmp_path / "out")
    assert bulk(address, *arguments) == 0
    for flags, content, message in (
        (("--beam-size", 4), "a\nb\n", "was begun with beam_size None, now 4"),
        ((), "a\nc\n", "in was changed since"),
        ((), "a\n", "in was changed since"),
        ((), "a\nb\nc\n", "in has grown since"),
    ):
        (tmp_path / "in").write_text(content)
        assert bulk(address, *arguments, *flags) == 2
        assert message in capsys.readouterr().err
    (tmp_path / "out.json").unlink()
    assert bulk(address, *arguments) == 2
    assert "out exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "flags", "message"),
    [
        ("in", b"a\n\xff\n", (), "in:2: not UTF-8"),
        ("in", b"a\n", ("--column", 2), "in:1: 1 columns; --column 2"),
        ("in.gz", b"nonsense", (), "in.gz cannot be unpacked"),
        ("in.gz", gzip.compress(b"x" * 100)[:10] + b"\xff" * 40, (), "in.gz cannot be unpacked"),
    ],
)
def test_wrong_input_is_told(
    service: tuple[FakeService, str],
    tmp_path: Path,
    name: str,
    content: bytes,
    flags: tuple[object, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / name).write_bytes(content)
    assert bulk(service[1], tmp_path / name, "--output", tmp_path / "out", *flags) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_chunks_are_small_in_texts_and_bytes() -> None:
    assert [chunk.texts for chunk in in_chunks("abcde", 2)] == [("a", "b"), ("c", "d"), ("e",)]
    assert [chunk.first for chunk in in_chunks("abcde", 2, first=7)] == [7, 9, 11]
    large = "가" * (MAX_CHUNK_BYTES // 4)
    assert [len(chunk.texts) for chunk in in_chunks([large, large, "a"], 9)] == [1, 2]


def test_no_more_is_read_than_is_under_way() -> None:
    read: list[str] = []

    def texts() -> Iterator[str]:
        for index in range(100):
            read.append(str(index))
            yield str(index)

    results = in_order(in_chunks(texts(), 1), lambda chunk: chunk.texts[0], num_requests=3)
    assert [next(results)[1] for _ in range(10)] == [str(index) for index in range(10)]
    assert len(read) <= 10 + 2 * 3
    results.close()


def test_the_share_read_grows(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("word\n" * 100_000)
    with TextInput(tmp_path / "in", None) as texts:
        assert texts.share_read == 0.0
        iterator = iter(texts)
        next(iterator)
        assert 0.0 < texts.share_read < 0.5
        assert len(list(iterator)) == 99_999
        assert texts.share_read == 1.0


async def test_with_the_model_that_ships(tmp_path: Path) -> None:
    texts = ["The file could not be opened.", "Open the file. Save it.", "x" * 30_000, "I am a student."]
    (tmp_path / "in").write_text("\n".join(texts))
    output = tmp_path / "out.tsv"

    def use(address: str) -> tuple[int, list[Hypothesis]]:
        with Client(address, decoding=DecodingArguments(beam_size=2)) as client:
            expected = [client.hypotheses(texts[index])[0] for index in (0, 3)]
        return bulk(address, tmp_path / "in", "--output", output, "--beam-size", 2), expected

    free = {"grpc_address": "127.0.0.1:0", "http_address": "127.0.0.1:0"}
    server = Server(Settings(models=ROOT / "models", device="cpu", **free), "test")
    await server.start()
    try:
        code, expected = await asyncio.to_thread(use, server.grpc_address)
    finally:
        await server.stop()
    assert code == 0
    rows = [line.split("\t") for line in output.read_text().splitlines()]
    assert [row[0] for row in rows] == texts
    assert [row[3] for row in rows] == ["END", "END", "INVALID_FIELD", "END"]
    for row, hypothesis in zip((rows[0], rows[3]), expected, strict=True):
        assert row[1] == hypothesis.text
        num_tokens = round(hypothesis.log_prob / float(row[2]))
        assert num_tokens > 1
        assert float(row[2]) == pytest.approx(hypothesis.log_prob / num_tokens, abs=2e-4)
