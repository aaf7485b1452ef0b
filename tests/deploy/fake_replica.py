"""A replica that does what the real one does not do on demand: a server of the same protos, without a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.deploy.ports import free_ports

Refusal = Callable[[grpc.ServicerContext], None]
MAX_BYTES = 8 * 2**20


class FakeReplica(pb_grpc.TranslationServiceServicer):
    """Answers with its own name, or ends calls as `refuse` does. `num_calls`: those that came."""

    def __init__(self, name: str, has_health: bool = True) -> None:
        self.name = name
        self.refuse: Refusal | None = None
        self.num_calls = 0
        (self.http_port,) = free_ports(1)  # where nobody answers
        self._server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", MAX_BYTES)])
        pb_grpc.add_TranslationServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        self._health = health.HealthServicer()
        if has_health:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.grpc_port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> FakeReplica:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    def set_ready(self, is_ready: bool) -> None:
        """What its health service says."""
        status = health_pb2.HealthCheckResponse
        for service in ("", "seq2serve.v1.TranslationService"):
            self._health.set(service, status.SERVING if is_ready else status.NOT_SERVING)

    def Translate(self, _: pb.TranslateRequest, context: Any) -> pb.TranslateResponse:  # noqa: N802
        self._come(context)
        translation = pb.TranslationResult(hypotheses=[pb.Hypothesis(text=self.name)])
        return pb.TranslateResponse(model=self.name, results=[translation])

    def TranslateStream(self, _: Any, context: Any) -> Iterator[pb.TranslateStreamResponse]:  # noqa: N802
        yield pb.TranslateStreamResponse(delta=pb.TranslationDelta(text=self.name))
        self._come(context)

    def BatchTranslate(self, requests: Any, context: Any) -> Iterator[pb.BatchTranslateResponse]:  # noqa: N802
        self._come(context)
        items = [item for request in requests for item in request.items]
        yield from (pb.BatchTranslateResponse(id=f"{self.name} {item.id}") for item in items)

    def _come(self, context: Any) -> None:
        self.num_calls += 1
        if self.refuse is not None:
            self.refuse(context)


Pair = tuple[FakeReplica, FakeReplica]


@contextmanager
def ready_pair(first: str, second: str) -> Iterator[Pair]:
    """Two with these names, both ready."""
    with FakeReplica(first) as one, FakeReplica(second) as other:
        one.set_ready(True)
        other.set_ready(True)
        yield one, other
