from __future__ import annotations

import pytest

from service.api.access.listening import check_plaintext
from service.errors import SettingsError
from service.settings import Settings

LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "localhost", "LOCALHOST", "unix:/run/x.sock", "unix-abstract:x"]
NOT_LOOPBACK = ["0.0.0.0", "::", "", "*", "10.0.0.1", "192.168.0.1", "fe80::1", "example.com", "localhost.example.com",
                "127.0.0.1.example.com", "127.1", "unix", "128.0.0.1"]  # fmt: skip


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_may_be_plaintext(host: str) -> None:
    check_plaintext("grpc_address", host, False, Settings())


@pytest.mark.parametrize("host", NOT_LOOPBACK)
def test_what_others_can_reach_may_not_be_plaintext(host: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check_plaintext("grpc_address", host, False, Settings())
    assert str(caught.value).startswith(f"grpc_address {host!r}: ")


@pytest.mark.parametrize("host", NOT_LOOPBACK)
def test_tls_or_a_trusted_network_may_be_anywhere(host: str) -> None:
    check_plaintext("grpc_address", host, True, Settings())
    check_plaintext("grpc_address", host, False, Settings(plaintext="on-trusted-network"))


def test_the_message_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match="give tls_certificate and tls_key, listen on 127.0.0.1, or.*plaintext"):
        check_plaintext("grpc_address", "0.0.0.0", False, Settings())


def test_the_http_port_is_not_told_to_use_tls() -> None:
    with pytest.raises(SettingsError, match="http_address '0.0.0.0': .*listen on 127.0.0.1") as caught:
        check_plaintext("http_address", "0.0.0.0", False, Settings())
    assert "tls_certificate" not in str(caught.value)
