"""How the client proves who it is, and how it knows the service: TLS, certificates, a token."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

Options = Sequence[tuple[str, str | int]]

_IPV4, _IPV6 = r"127(\.\d{1,3}){3}(:\d+)?", r"\[::1\](:\d+)?"
_LOOPBACK = re.compile(
    rf"(dns:(///)?)?(localhost(:\d+)?|{_IPV4}|{_IPV6})|ipv4:{_IPV4}(,{_IPV4})*|ipv6:{_IPV6}(,{_IPV6})*"
)
_TOKEN = re.compile("[!-~]+")


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Without any: plaintext to a service that lets everybody in. Messages of errors also name the command's flags."""

    tls: bool = False
    """Encrypt, and check the service's certificate."""
    ca_file: Path | None = None
    """PEM: the authorities that may have signed it; None: the system's."""
    certificate_file: Path | None = None
    """PEM: the client's own certificate chain."""
    key_file: Path | None = None
    """PEM: its private key, without a passphrase."""
    token: str | None = field(default=None, repr=False)
    """Sent as `authorization: Bearer TOKEN`; to other machines over TLS only."""

    def __post_init__(self) -> None:
        """Raises ValueError where parts do not fit together."""
        if not self.tls and (self.ca_file or self.certificate_file or self.key_file):
            raise ValueError("certificates without tls: give --tls as well")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError(
                "certificate_file (--tls-certificate) and key_file (--tls-key): one is of no use without the other"
            )
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise ValueError("the token must be visible ASCII characters, without spaces")

    def channel(self, address: str, options: Options = ()) -> grpc.Channel:
        """A channel that proves all this to the service; connects when first used.

        Args:
            address: host:port, or in full, as gRPC names targets.
            options: gRPC's channel arguments.

        Raises:
            ValueError: a file cannot be used, or the token would be readable on its way.
        """
        if self.tls:
            return grpc.secure_channel(address, self._channel_credentials(), list(options))
        if self.token is None:
            return grpc.insecure_channel(address, list(options))
        if not _LOOPBACK.fullmatch(address):
            raise ValueError(f"{address}: a token is sent to other machines over TLS only: give --tls")
        # A proxy, named in the environment, would be another machine.
        channel = grpc.insecure_channel(address, [*options, ("grpc.enable_http_proxy", 0)])
        return grpc.intercept_channel(channel, _Bearer(self.token))

    def _channel_credentials(self) -> grpc.ChannelCredentials:
        authorities = _read("ca_file (--tls-ca)", self.ca_file)
        certificates = _read("certificate_file (--tls-certificate)", self.certificate_file)
        key = _read("key_file (--tls-key)", self.key_file)
        self._check_contents()
        credentials = grpc.ssl_channel_credentials(authorities or _system_authorities(), key, certificates)
        if self.token is None:
            return credentials
        return grpc.composite_channel_credentials(credentials, grpc.access_token_call_credentials(self.token))

    def _check_contents(self) -> None:
        """gRPC itself would only say that the connection failed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca_file is not None:
            try:
                context.load_verify_locations(self.ca_file)
            except ssl.SSLError as error:
                raise ValueError(f"ca_file (--tls-ca) {self.ca_file}: {error}") from None
        if self.certificate_file is not None:
            try:
                # Without a function, OpenSSL would ask the terminal for the key's passphrase.
                context.load_cert_chain(self.certificate_file, self.key_file, password=lambda: "")
            except ssl.SSLError as error:
                raise ValueError(
                    f"certificate_file (--tls-certificate) {self.certificate_file} with key_file (--tls-key) "
                    f"{self.key_file}: {error}"
                ) from None


def _read(name: str, file: Path | None) -> bytes | None:
    try:
        return file.read_bytes() if file is not None else None
    except OSError as error:
        raise ValueError(f"{name} {file}: {error.strerror}") from None


def _system_authorities() -> bytes | None:
    """None: gRPC's own list, which knows no company's authority; or what its environment variable names."""
    file = ssl.get_default_verify_paths().cafile
    return Path(file).read_bytes() if file and "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH" not in os.environ else None


class _Bearer(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Sends a token in plaintext, which gRPC's own call credentials refuse to."""

    def __init__(self, token: str) -> None:
        self._metadata = ("authorization", f"Bearer {token}")

    def _intercept(self, continuation: Any, details: Any, request: Any) -> Any:
        return continuation(details._replace(metadata=[*(details.metadata or ()), self._metadata]), request)

    intercept_unary_unary: Any = _intercept
    intercept_unary_stream: Any = _intercept
    intercept_stream_unary: Any = _intercept
    intercept_stream_stream: Any = _intercept
