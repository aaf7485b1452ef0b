"""What clients show to a service, and what they ask it to show, over real connections."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from service.client import Client, Credentials
from service.client.catalogs.remote import RemoteTranslator
from tests.service.credentials.echo import Files, Serve


def use(address: str, credentials: Credentials | None) -> None:
    """Every kind of call."""
    with Client(address, credentials=credentials) as client:
        assert client.translate("a") == "A"
        assert "".join(client.stream("ab")) == "AB"
        assert list(client.translate_all(["a", "b"])) == ["A", "B"]
    chosen = {"model": "", "source_language": "", "target_language": ""}
    with RemoteTranslator(address, **chosen, timeout_seconds=10, credentials=credentials) as translate:
        assert translate.model(1) == "echo"
        assert translate(["a"], {}, 1)[0].candidates[0].text == "A"


def test_without_credentials(serve: Serve) -> None:
    echo, address = serve()
    use(address, None)
    use(address, Credentials())
    assert set(echo.tokens) == {None}


def test_tls_with_a_ca_file(serve: Serve, issued: Files) -> None:
    echo, address = serve(issued.credentials(False))
    use(address, Credentials(tls=True, ca_file=issued.ca))
    assert echo.tokens == [None] * 5
    assert echo.peers == [None] * 5


def test_tls_with_the_systems_authorities(serve: Serve, issued: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)
    _, address = serve(issued.credentials(False))
    with Client(address, credentials=Credentials(tls=True)) as client, pytest.raises(grpc.RpcError) as refused:
        client.translate("a")
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    monkeypatch.setenv("SSL_CERT_FILE", str(issued.ca))
    use(address, Credentials(tls=True))


def test_a_service_of_another_authority_is_not_believed(serve: Serve, issued: Files, tmp_path: Path) -> None:
    echo, address = serve(issued.credentials(False))
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    credentials = Credentials(tls=True, ca_file=tmp_path / "other.pem", token="secret")
    with Client(address, credentials=credentials) as client, pytest.raises(grpc.RpcError) as refused:
        client.translate("a")
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert echo.tokens == []


def test_client_certificates(serve: Serve, issued: Files) -> None:
    echo, address = serve(issued.credentials(True))
    shown = Credentials(tls=True, ca_file=issued.ca, certificate_file=issued.certificate, key_file=issued.key)
    use(address, shown)
    assert echo.peers == [[b"reader.example"]] * 5
    with (
        Client(address, credentials=Credentials(tls=True, ca_file=issued.ca)) as client,
        pytest.raises(grpc.RpcError) as refused,
    ):
        client.translate("a")
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_token_over_tls_and_to_this_machine(serve: Serve, issued: Files) -> None:
    echo, address = serve(issued.credentials(False))
    use(address, Credentials(tls=True, ca_file=issued.ca, token="secret"))
    assert echo.tokens == ["Bearer secret"] * 5
    echo, address = serve()
    use(address, Credentials(token="secret"))
    assert echo.tokens == ["Bearer secret"] * 5


def test_a_token_to_this_machine_takes_no_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    _, address = serve()
    use(address, Credentials(token="secret"))


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1:50051", "service.example:50051", "localhost.example:50051", "127.0.0.1.example:1", "::1:443",
     "dns:///localhost:1", "127.0.0.1:1,10.0.0.1:1", "dns://10.0.0.1/127.0.0.1:1"],
)  # fmt: skip
def test_a_token_goes_to_no_other_machine_in_plaintext(address: str) -> None:
    with pytest.raises(ValueError, match="over TLS only: give --tls"):
        Client(address, credentials=Credentials(token="secret"))


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.1:1", "127.8.8.8:1", "[::1]:1"])
def test_what_this_machine_is_called(address: str) -> None:
    Client(address, credentials=Credentials(token="secret")).close()


@pytest.mark.parametrize("is_tls", [True, False])
def test_credentials_change_nothing_about_retries(serve: Serve, issued: Files, is_tls: bool) -> None:
    echo, address = serve(issued.credentials(False) if is_tls else None)
    credentials = Credentials(tls=is_tls, ca_file=issued.ca if is_tls else None, token="secret")
    with Client(address, credentials=credentials) as client:
        echo.failures = [grpc.StatusCode.UNAVAILABLE] * 2
        assert client.translate("a") == "A"
        assert echo.tokens == ["Bearer secret"] * 3
        echo.failures = [grpc.StatusCode.UNAVAILABLE]
        with pytest.raises(grpc.RpcError) as away:  # what a stream of texts has sent is gone
            list(client.translate_all(["a"]))
        assert away.value.code() is grpc.StatusCode.UNAVAILABLE
        assert list(client.translate_all(["a"])) == ["A"]
        echo.failures = [grpc.StatusCode.UNAUTHENTICATED]
        with pytest.raises(grpc.RpcError) as refused:
            client.translate("a")
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert len(echo.tokens) == 6


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="certificates without tls"):
        Credentials(ca_file=Path("ca.pem"))
    with pytest.raises(ValueError, match=r"key_file \(--tls-key\): one is of no use"):
        Credentials(tls=True, key_file=Path("key.pem"))
    with pytest.raises(ValueError, match=r"certificate_file \(--tls-certificate\) and"):
        Credentials(tls=True, certificate_file=Path("certificate.pem"))
    for token in ("", " ", "two words", "line\n", "naïve"):
        with pytest.raises(ValueError, match="visible ASCII") as refused:
            Credentials(token=token)
        assert not token.strip() or token not in str(refused.value)
    assert "secret" not in repr(Credentials(token="secret"))


def test_files_that_cannot_be_used_are_named(issued: Files, tmp_path: Path) -> None:
    def refusal(**files: Path) -> str:
        with pytest.raises(ValueError, match="--tls") as refused:
            Client(credentials=Credentials(tls=True, **files))
        return str(refused.value)

    none, garbage, locked = (tmp_path / name for name in ("none.pem", "garbage.pem", "locked.pem"))
    garbage.write_text("garbage")
    locked.write_bytes(encrypted(issued.key.read_bytes()))
    assert refusal(ca_file=none) == f"ca_file (--tls-ca) {none}: No such file or directory"
    assert f"ca_file (--tls-ca) {garbage}: " in refusal(ca_file=garbage)
    assert f"key_file (--tls-key) {none}: No such" in refusal(certificate_file=issued.certificate, key_file=none)
    assert f"(--tls-certificate) {none}: No such" in refusal(certificate_file=none, key_file=issued.key)
    for wrong in (garbage, locked):
        assert f"key_file (--tls-key) {wrong}: " in refusal(certificate_file=issued.certificate, key_file=wrong)
    trustme.CA().issue_cert("x").private_key_pem.write_to_path(tmp_path / "other.pem")
    other = tmp_path / "other.pem"
    assert "mismatch" in refusal(certificate_file=issued.certificate, key_file=other)


def encrypted(key: bytes) -> bytes:
    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
