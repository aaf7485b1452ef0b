from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

from service.engine.runner import OnnxRunner
from tests.service.collector import Collector
from tests.service.toy import ToyRunner


@pytest.fixture
def brake(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """While it is cleared, every decoder step waits."""
    going, step = threading.Event(), OnnxRunner.step
    going.set()

    def braked(*arguments: Any) -> Any:
        going.wait(20)
        return step(*arguments)

    monkeypatch.setattr(OnnxRunner, "step", braked)
    return going


@pytest.fixture(params=[False, True], ids=["encodes in turn", "encodes beside steps"])
def toy_runner(request: pytest.FixtureRequest) -> ToyRunner:
    return ToyRunner(encodes_beside_steps=request.param)


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield collector
    server.stop(None).wait()
