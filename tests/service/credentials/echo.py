"""A service that shows what clients showed it, and certificates for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import trustme

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc


@dataclass
class Echo(pb_grpc.TranslationServiceServicer):
    """Says texts in capitals, and keeps what each call showed."""

    tokens: list[str | None] = field(default_factory=list)
    peers: list[list[bytes] | None] = field(default_factory=list)
    failures: list[grpc.StatusCode] = field(default_factory=list)
    """Of the next calls."""

    def Translate(self, request: pb.TranslateRequest, context: grpc.ServicerContext) -> pb.TranslateResponse:  # noqa: N802
        self._look(context)
        return pb.TranslateResponse(model="echo", results=[result(text) for text in request.texts])

    def TranslateStream(  # noqa: N802
        self, request: pb.TranslateStreamRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.TranslateStreamResponse]:
        self._look(context)
        for character in request.text.upper():
            yield pb.TranslateStreamResponse(delta=pb.TranslationDelta(text=character))

    def BatchTranslate(  # noqa: N802
        self, request_iterator: Iterator[pb.BatchTranslateRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.BatchTranslateResponse]:
        self._look(context)
        for request in request_iterator:
            for item in request.items:
                yield pb.BatchTranslateResponse(id=item.id, result=result(item.text))

    def _look(self, context: grpc.ServicerContext) -> None:
        shown = dict(context.invocation_metadata())
        self.tokens.append(shown.get("authorization"))
        self.peers.append(list(context.peer_identities() or []) or None)
        if self.failures:
            context.abort(self.failures.pop(0), "not now")


def result(text: str) -> pb.TranslationResult:
    hypothesis = pb.Hypothesis(text=text.upper(), finish_reason=pb.FINISH_REASON_END, tokens=[pb.Token(log_prob=-1.0)])
    return pb.TranslationResult(hypotheses=[hypothesis])


@dataclass
class Files:
    """Of one authority: what it issued."""

    ca: Path
    certificate: Path
    key: Path
    credentials: Callable[[bool], grpc.ServerCredentials]
    """Of a server; whether it asks for client certificates."""

    @property
    def flags(self) -> list[str]:
        return [
            "--tls",
            "--tls-ca",
            str(self.ca),
            "--tls-certificate",
            str(self.certificate),
            "--tls-key",
            str(self.key),
        ]


def issue(directory: Path) -> Files:
    authority = trustme.CA()
    of_server = authority.issue_cert("localhost", "127.0.0.1")
    of_client = authority.issue_cert("reader.example")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    of_client.private_key_pem.write_to_path(directory / "key.pem")
    for blob in of_client.cert_chain_pems:
        blob.write_to_path(directory / "certificate.pem", append=True)
    pair = (of_server.private_key_pem.bytes(), b"".join(blob.bytes() for blob in of_server.cert_chain_pems))
    return Files(
        *(directory / name for name in ("ca.pem", "certificate.pem", "key.pem")),
        lambda asks: grpc.ssl_server_credentials([pair], authority.cert_pem.bytes(), require_client_auth=asks),
    )


Serve = Callable[..., tuple[Echo, str]]
"""Starts an echo, with server credentials or in plaintext; returns it and its address."""


@contextmanager
def serving() -> Iterator[Serve]:
    servers = []

    def start(credentials: grpc.ServerCredentials | None = None) -> tuple[Echo, str]:
        echo = Echo()
        server = grpc.server(ThreadPoolExecutor(4))
        pb_grpc.add_TranslationServiceServicer_to_server(echo, server)
        if credentials is None:
            port = server.add_insecure_port("127.0.0.1:0")
        else:
            port = server.add_secure_port("127.0.0.1:0", credentials)
        server.start()
        servers.append(server)
        return echo, f"127.0.0.1:{port}"

    try:
        yield start
    finally:
        for server in servers:
            server.stop(None).wait()
