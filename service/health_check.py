"""python -m service.health_check: whether the service here says that it serves; what a container's health check runs.

It asks grpc.health.v1 at the address, and in the way, that this environment (SEQ2SERVE_GRPC_ADDRESS and
SEQ2SERVE_TLS_…) tells the service itself. A service that is told by flags needs --address. Exit codes: 0 it serves;
1 it does not, and the last line says why.
"""

from __future__ import annotations

import argparse
import os
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.errors import SettingsError
from service.settings import Settings, load_settings, split_address

_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 — what is listened on, and how to reach it from here


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """Ask once; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings([], environment)
        host, port = split_address("grpc_address", options.address or settings.grpc_address)
        status = _ask(_ANY_HOST.get(host, host), port, settings, options)
    except grpc.RpcError as error:
        print(f"not serving: {error.code().name}: {error.details()}")
        return 1
    except (SettingsError, OSError) as error:
        print(f"not serving: {error}")
        return 1
    print(status)
    return 0 if status == "SERVING" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service.health_check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--address", help="host:port; default: $SEQ2SERVE_GRPC_ADDRESS, or the service's own default")
    parser.add_argument("--service", default="", help="a name that the health service knows; default: the process")
    parser.add_argument("--timeout-seconds", type=float, default=2.0, help="default: %(default)s")
    parser.add_argument(
        "--tls-certificate",
        help="PEM to show where clients must have one; default: the service's own, good where its authority is theirs",
    )
    parser.add_argument("--tls-key", help="PEM of its private key; default: the service's own")
    return parser


def _ask(host: str, port: int, settings: Settings, options: argparse.Namespace) -> str:
    address = f"{f'[{host}]' if ':' in host else host}:{port}"
    # A proxy that the environment names is not for loopback.
    channel_options: list[tuple[str, str | int]] = [("grpc.enable_http_proxy", 0)]
    if settings.tls_certificate:
        name = _name_in_certificate(host, port, settings.tls_certificate, options.timeout_seconds)
        channel_options.append(("grpc.ssl_target_name_override", name))
        channel = grpc.secure_channel(address, _credentials(settings, options), channel_options)
    else:
        channel = grpc.insecure_channel(address, channel_options)
    with channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=options.service), timeout=options.timeout_seconds)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def _credentials(settings: Settings, options: argparse.Namespace) -> grpc.ChannelCredentials:
    """Only the service's own certificate is trusted: no authority need be known here."""
    trusted = Path(settings.tls_certificate).read_bytes()
    if not settings.tls_client_ca:
        return grpc.ssl_channel_credentials(trusted)
    shown = Path(options.tls_certificate or settings.tls_certificate).read_bytes()
    return grpc.ssl_channel_credentials(trusted, Path(options.tls_key or settings.tls_key).read_bytes(), shown)


def _name_in_certificate(host: str, port: int, certificate: str, timeout_seconds: float) -> str:
    """A name that the certificate was issued for: it need not be that of loopback, but gRPC insists on one.

    Raises:
        OSError: nothing answers there, or with another certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(certificate)
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host, port), timeout_seconds) as plain, context.wrap_socket(plain) as secured:
        names = (secured.getpeercert() or {}).get("subjectAltName", ())
    if not names:
        raise OSError(f"{certificate}: the certificate has no subjectAltName, so no client could use it either")
    return str(names[0][1]).replace("*", "any", 1)


if __name__ == "__main__":
    sys.exit(main())
