"""The Python client without Envoy, before two real replicas: load on both, one killed and started again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from bench.reliability.service_process import scrape
from service.client import Client
from tests.deploy.compose import service_environment
from tests.deploy.conftest import StartReplica
from tests.deploy.load import TEXTS
from tests.deploy.replica import Replica

pytestmark = pytest.mark.deploy

NUM_CALLERS, STOP_SECONDS, SOON_SECONDS = 6, 25, 30


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_a_replica_ends_and_comes_back_and_no_call_fails(number: signal.Signals, start_replica: StartReplica) -> None:
    pair = [start_replica(environment=service_environment()) for _ in range(2)]
    first, is_over = pair[0], threading.Event()
    with (
        Client(f"ipv4:{','.join(replica.grpc_address for replica in pair)}") as client,
        ThreadPoolExecutor(NUM_CALLERS) as pool,
    ):
        try:
            callers = [pool.submit(_ask_on, client, is_over) for _ in range(NUM_CALLERS)]
            _until(lambda: all(_num_answers(replica) > 10 for replica in pair))
            first.send(number)
            first.wait(STOP_SECONDS)
            before = _num_answers(pair[1])
            _until(lambda: _num_answers(pair[1]) > before + 20)
            first.start_again()
            _until(lambda: _num_answers(first) > 10)
        finally:
            is_over.set()
    outcomes = [outcome for caller in callers for outcome in caller.result()]
    assert [outcome for outcome in outcomes if isinstance(outcome, grpc.RpcError)] == []
    assert len(set(outcomes)) == len(TEXTS), "every text has one translation, whoever made it"


def _ask_on(client: Client, is_over: threading.Event) -> list[tuple[str, str] | grpc.RpcError]:
    outcomes: list[tuple[str, str] | grpc.RpcError] = []
    while not is_over.is_set():
        for text in TEXTS:
            try:
                outcomes.append((text, client.translate(text)))
            except grpc.RpcError as error:
                outcomes.append(error)
    return outcomes


def _num_answers(replica: Replica) -> float:
    return scrape(replica.http_address).get("seq2serve_requests_total", 0.0)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.1)
