"""What the tests of bulk share."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.service.bulk.fake import FakeService


@pytest.fixture
def service() -> Iterator[tuple[FakeService, str]]:
    fake = FakeService()
    server = grpc.server(ThreadPoolExecutor(8))
    pb_grpc.add_TranslationServiceServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield fake, f"127.0.0.1:{port}"
    server.stop(None).wait()
