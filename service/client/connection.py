"""A channel to the service that a client owns and closes."""

from __future__ import annotations

from types import TracebackType
from typing import Self

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
        service_config: str = "{}",
    ) -> None:
        """Connects when first used.

        Args:
            address: host:port.
            model: its name; empty: chosen by the languages.
            source_language: BCP-47 code; empty: any.
            target_language: BCP-47 code; empty: any.
            timeout_seconds: of every call; None: no deadline.
            credentials: None: plaintext, and nothing that tells who asks.
            service_config: gRPC's, as JSON: what is retried, how calls are balanced.

        Raises:
            ValueError: the credentials cannot be used; the message says why.
        """
        self._channel = (credentials or Credentials()).channel(address, [("grpc.service_config", service_config)])
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
