"""A channel to the service that a client owns and closes."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from service.client.balancing import CHANNEL_OPTIONS
from service.client.credentials import Credentials
from service.pb.seq2serve.v1 import caption_service_pb2_grpc as caption_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc


class Connection:
    """The service at an address, with what every request says of the model. Use it as a context manager."""

    def __init__(
        self,
        address: str,
        *,
        model: str,
        source_language: str,
        target_language: str,
        timeout_seconds: float | None,
        credentials: Credentials | None = None,
    ) -> None:
        """Connects when first used.

        Args:
            address: host:port, where all addresses of the host take part; or in full, as gRPC names targets, such as
                dns:///host:port or ipv4:10.0.0.1:50051,10.0.0.2:50051.
            model: its name; empty: chosen by the languages.
            source_language: BCP-47 code; empty: any.
            target_language: BCP-47 code; empty: any.
            timeout_seconds: of every call; None: no deadline.
            credentials: None: plaintext, and nothing that tells who asks.

        Raises:
            ValueError: the credentials cannot be used; the message says why.
        """
        self._channel = (credentials or Credentials()).channel(address, CHANNEL_OPTIONS)
        self._stub = pb_grpc.TranslationServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._captions = caption_grpc.CaptionServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._selection = pb.ModelSelection(
            model=model, source_language_code=source_language, target_language_code=target_language
        )
        self._timeout = timeout_seconds

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
