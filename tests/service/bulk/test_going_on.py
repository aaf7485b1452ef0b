"""Failures, interruption, and where a run goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from tests.service.bulk.fake import FakeService, bulk, expected_row, sources

ROOT = Path(__file__).parents[3]


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
