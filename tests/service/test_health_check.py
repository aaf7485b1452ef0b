"""What a container's health check finds out, from a health service in each state and behind each kind of door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer

from service.health_check import main

Start = Callable[..., dict[str, str]]
"""Starts a service in a state; returns the environment that it would have been told its address by."""

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def start(status: int = SERVING, credentials: grpc.ServerCredentials | None = None, host: str = "127.0.0.1"):  # type: ignore[no-untyped-def]
            health = HealthServicer()
            health.set("", status)
            server = grpc.server(ThreadPoolExecutor(2))
            health_pb2_grpc.add_HealthServicer_to_server(health, server)
            port = (
                server.add_insecure_port(f"{host}:0")
                if credentials is None
                else server.add_secure_port(f"{host}:0", credentials)
            )
            server.start()
            stack.callback(lambda: server.stop(None).wait())
            return {"SEQ2SERVE_GRPC_ADDRESS": f"{host}:{port}"}

        yield start


def with_tls(directory: Path, *names: str, client_authority: trustme.CA | None = None) -> dict[str, str]:
    """Files of a service whose certificate is for these names, as its environment tells them."""
    authority = trustme.CA()
    issued = authority.issue_cert(*names)
    (directory / "tls.crt").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    (directory / "tls.key").write_bytes(issued.private_key_pem.bytes())
    environment = {
        "SEQ2SERVE_TLS_CERTIFICATE": str(directory / "tls.crt"),
        "SEQ2SERVE_TLS_KEY": str(directory / "tls.key"),
    }
    if client_authority is not None:
        (directory / "clients.crt").write_bytes(client_authority.cert_pem.bytes())
        environment["SEQ2SERVE_TLS_CLIENT_CA"] = str(directory / "clients.crt")
    return environment


def credentials_of(environment: dict[str, str]) -> grpc.ServerCredentials:
    files = {name.removeprefix("SEQ2SERVE_TLS_"): Path(file).read_bytes() for name, file in environment.items()}
    authority = files.get("CLIENT_CA")
    return grpc.ssl_server_credentials([(files["KEY"], files["CERTIFICATE"])], authority, authority is not None)


def test_a_service_that_serves_is_healthy(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], start()) == 0
    assert capsys.readouterr().out == "SERVING\n"


def test_one_that_is_starting_or_draining_is_not(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], start(NOT_SERVING)) == 1
    assert capsys.readouterr().out == "NOT_SERVING\n"


def test_one_that_listens_everywhere_is_asked_on_loopback(start: Start) -> None:
    assert main([], start(host="0.0.0.0")) == 0


@pytest.mark.parametrize("host", ["[::]", "[::1]"])
def test_addresses_of_six(start: Start, host: str) -> None:
    assert main([], start(host=host)) == 0


def test_a_name_can_be_asked_for(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--service", "models/none"], start()) == 1
    assert capsys.readouterr().out.startswith("not serving: NOT_FOUND")


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--address", "127.0.0.1:1", "--timeout-seconds", "5"], {}) == 1
    assert capsys.readouterr().out.startswith("not serving: UNAVAILABLE")


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    server = grpc.server(ThreadPoolExecutor(1))  # takes connections, and never a call: it is not started
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    assert main(["--address", address, "--timeout-seconds", "0.2"], {}) == 1
    assert capsys.readouterr().out.startswith("not serving: ")


def test_a_wrong_setting_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], {"SEQ2SERVE_GRPC_ADDRESS": "50051"}) == 1
    assert capsys.readouterr().out == "not serving: grpc_address '50051': expected host:port with a port up to 65535\n"


@pytest.mark.parametrize("name", ["translate.example.com", "*.example.com", "10.0.0.7"])
def test_a_certificate_for_whatever_name_is_known_again(start: Start, tmp_path: Path, name: str) -> None:
    environment = with_tls(tmp_path, name)
    assert main([], environment | start(credentials=credentials_of(environment))) == 0


def test_another_certificate_is_not(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    served, expected = with_tls(tmp_path / "here", "a.example.com"), with_tls(tmp_path / "there", "a.example.com")
    assert main([], expected | start(credentials=credentials_of(served))) == 1
    assert "certificate verify failed" in capsys.readouterr().out


def test_a_plaintext_service_is_not_taken_for_one_with_tls(start: Start, tmp_path: Path) -> None:
    assert main([], with_tls(tmp_path, "a.example.com") | start()) == 1


def test_a_certificate_that_cannot_be_read_is_named(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], start() | {"SEQ2SERVE_TLS_CERTIFICATE": str(tmp_path / "none.crt")}) == 1
    assert "No such file" in capsys.readouterr().out


def test_where_clients_need_a_certificate_one_is_shown(start: Start, tmp_path: Path) -> None:
    clients = trustme.CA()
    issued = clients.issue_cert("probe.internal")
    issued.private_key_pem.write_to_path(tmp_path / "probe.key")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "probe.crt")
    environment = with_tls(tmp_path, "a.example.com", client_authority=clients)
    environment |= start(credentials=credentials_of(environment))
    shown = ["--tls-certificate", str(tmp_path / "probe.crt"), "--tls-key", str(tmp_path / "probe.key")]
    assert main(shown, environment) == 0
    # The service's own is of another authority here.
    assert main([], environment) == 1
