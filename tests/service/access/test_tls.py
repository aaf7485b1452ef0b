from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from service.api.access.access import Access
from service.api.access.tls import server_credentials
from service.errors import SettingsError
from service.settings import Settings
from tests.service.access.clock import Clock
from tests.service.access.door import ask, connect, refusal, serving

HOST = "127.0.0.1"
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def roots_of(authority: trustme.CA) -> bytes:
    return authority.cert_pem.bytes()


def settings_in(directory: Path, with_client_ca: bool = False, **more: str) -> Settings:
    paths = {"tls_certificate": str(directory / "server.crt"), "tls_key": str(directory / "server.key")}
    if with_client_ca:
        paths["tls_client_ca"] = str(directory / "ca.crt")
    return Settings(**(paths | more))  # type: ignore[arg-type]


def write(directory: Path, authority: trustme.CA) -> None:
    """A certificate for the server, its key, and its authority as that of clients."""
    issued = authority.issue_cert(HOST)
    (directory / "server.crt").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    (directory / "server.key").write_bytes(issued.private_key_pem.bytes())
    (directory / "ca.crt").write_bytes(authority.cert_pem.bytes())


def client_of(
    address: str, server: trustme.CA, client: trustme.CA, *names: str, common_name: str | None = None
) -> grpc.aio.Channel:
    issued = client.issue_cert(*names, common_name=common_name)
    return connect(address, roots_of(server), issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes())


def credentials_of(settings: Settings, clock: Clock) -> grpc.ServerCredentials:
    credentials = server_credentials(settings, clock)
    assert credentials is not None
    return credentials


def complaint(settings: Settings) -> str:
    with pytest.raises(SettingsError) as caught:
        server_credentials(settings)
    return str(caught.value)


def test_without_settings_there_is_no_tls() -> None:
    assert server_credentials(Settings()) is None


async def test_who_trusts_the_authority_gets_an_answer(
    tmp_path: Path, authority: trustme.CA, stranger: trustme.CA, clock: Clock
) -> None:
    write(tmp_path, authority)
    async with serving(credentials_of(settings_in(tmp_path), clock)) as address:
        async with connect(address, roots_of(authority)) as channel:
            assert await ask(channel) == ""
        async with connect(address, roots_of(stranger)) as channel:
            assert (await refusal(channel))[0] is UNAVAILABLE
        async with grpc.aio.insecure_channel(address) as channel:
            assert (await refusal(channel))[0] is UNAVAILABLE


async def test_new_files_are_for_new_connections_and_old_ones_go_on(
    tmp_path: Path, authority: trustme.CA, stranger: trustme.CA, clock: Clock
) -> None:
    write(tmp_path, authority)
    async with (
        serving(credentials_of(settings_in(tmp_path), clock)) as address,
        connect(address, roots_of(authority)) as existing,
    ):
        await ask(existing)
        for now, before in ((stranger, authority), (authority, stranger)):
            write(tmp_path, now)
            clock.now += 1
            await ask(existing)
            for _ in range(2):
                async with connect(address, roots_of(now)) as new:
                    await ask(new)
            async with connect(address, roots_of(before)) as new:
                assert (await refusal(new))[0] is UNAVAILABLE


def test_grpc_is_given_what_it_does_not_have_and_that_once(
    tmp_path: Path, authority: trustme.CA, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, authority)
    given: list[Any] = []
    monkeypatch.setattr(grpc, "dynamic_ssl_server_credentials", lambda *arguments, **_: given.extend(arguments))
    server_credentials(settings_in(tmp_path), clock)
    initial, fetch = given
    assert fetch() is None
    write(tmp_path, authority)
    clock.now += 1
    new = fetch()
    assert isinstance(new, grpc.ServerCertificateConfiguration)
    assert new is not initial
    assert fetch() is None
    clock.now += 1
    assert fetch() is None


async def test_a_certificate_without_its_key_is_not_taken_over(
    tmp_path: Path, authority: trustme.CA, stranger: trustme.CA, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, authority)
    other = tmp_path / "other"
    other.mkdir()
    write(other, stranger)
    async with serving(credentials_of(settings_in(tmp_path), clock)) as address:
        (other / "server.crt").replace(tmp_path / "server.crt")
        clock.now += 1
        for _ in range(2):
            async with connect(address, roots_of(authority)) as channel:
                await ask(channel)
        assert len(caplog.records) == 1
        assert "does not belong to tls_certificate" in caplog.text
        (other / "server.key").replace(tmp_path / "server.key")
        clock.now += 1
        async with connect(address, roots_of(stranger)) as channel:
            await ask(channel)


async def test_certificates_of_clients_are_required_where_their_authority_is_given(
    tmp_path: Path, authority: trustme.CA, stranger: trustme.CA, clock: Clock
) -> None:
    write(tmp_path, authority)
    async with serving(credentials_of(settings_in(tmp_path, with_client_ca=True), clock)) as address:
        async with client_of(address, authority, authority, "website.internal") as channel:
            await ask(channel)
        async with client_of(address, authority, stranger, "website.internal") as channel:
            assert (await refusal(channel))[0] is UNAVAILABLE
        async with connect(address, roots_of(authority)) as channel:
            assert (await refusal(channel))[0] is UNAVAILABLE


async def test_the_authority_of_clients_is_read_again_too(
    tmp_path: Path, authority: trustme.CA, stranger: trustme.CA, clock: Clock
) -> None:
    write(tmp_path, authority)
    async with serving(credentials_of(settings_in(tmp_path, with_client_ca=True), clock)) as address:
        (tmp_path / "ca.crt").write_bytes(roots_of(stranger))
        clock.now += 1
        async with client_of(address, authority, stranger, "website.internal") as channel:
            await ask(channel)
        async with client_of(address, authority, authority, "website.internal") as channel:
            assert (await refusal(channel))[0] is UNAVAILABLE


async def test_clients_are_known_by_token_and_by_certificate_until_they_are_revoked(
    tmp_path: Path, authority: trustme.CA, clock: Clock
) -> None:
    write(tmp_path, authority)
    clients = tmp_path / "clients.toml"
    editor = f'[clients.editor]\ntoken_sha256 = ["{sha256(b"secret").hexdigest()}"]\npermissions = ["translate"]\n'
    reader = '[clients.reader]\ncertificate_names = ["reader"]\npermissions = ["read_models"]\n'
    clients.write_text(
        '[clients.website]\ncertificate_names = ["website.internal", "website"]\npermissions = ["translate"]\n'
        + editor
        + reader
    )
    settings = settings_in(tmp_path, with_client_ca=True, clients=str(clients))
    access = Access.of(settings, clock)
    async with serving(credentials_of(settings, clock), access) as address:
        async with client_of(address, authority, authority, "x", common_name="website") as channel:
            assert await ask(channel) == "website"
        async with client_of(address, authority, authority, "reader") as channel:
            status = (grpc.StatusCode.PERMISSION_DENIED, "client 'reader' lacks the permission translate")
            assert await refusal(channel) == status
        async with client_of(address, authority, authority, "website.internal") as channel:
            assert await ask(channel) == "website"
            assert (await refusal(channel, "secret"))[0] is grpc.StatusCode.UNAUTHENTICATED
            clients.write_text(editor)
            clock.now += 1
            assert (await refusal(channel))[0] is grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_is_enough_over_tls_without_client_certificates(
    tmp_path: Path, authority: trustme.CA, clock: Clock
) -> None:
    write(tmp_path, authority)
    clients = tmp_path / "clients.toml"
    clients.write_text(
        f'[clients.editor]\ntoken_sha256 = ["{sha256(b"secret").hexdigest()}"]\npermissions = ["translate"]\n'
        "max_concurrent_requests = 1\nmax_source_tokens_per_minute = 60\n"
    )
    settings = settings_in(tmp_path, clients=str(clients))
    access = Access.of(settings, clock)
    async with (
        serving(credentials_of(settings, clock), access) as address,
        connect(address, roots_of(authority)) as channel,
    ):
        assert await ask(channel, "secret") == "editor"
        assert await ask(channel, "secret") == "editor"
        assert (await refusal(channel, "guess"))[0] is grpc.StatusCode.UNAUTHENTICATED
        assert (await refusal(channel))[0] is grpc.StatusCode.UNAUTHENTICATED
        with access.admit(
            "/seq2serve.v1.TranslationService/Score", [("authorization", "Bearer secret")], {}
        ) as admission:
            assert (await refusal(channel, "secret"))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
            admission.spend(61)
        assert (await refusal(channel, "secret"))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        clock.now += 2
        assert await ask(channel, "secret") == "editor"


def test_a_certificate_and_its_key_go_together(tmp_path: Path, authority: trustme.CA) -> None:
    write(tmp_path, authority)
    certificate, key, ca = (str(tmp_path / name) for name in ("server.crt", "server.key", "ca.crt"))
    assert complaint(Settings(tls_certificate=certificate)) == f"tls_certificate {certificate}: needs tls_key as well"
    assert complaint(Settings(tls_key=key)) == f"tls_key {key}: needs tls_certificate as well"
    message = f"tls_client_ca {ca}: needs tls_certificate and tls_key as well"
    assert complaint(Settings(tls_client_ca=ca)) == message


@pytest.mark.parametrize(
    ("setting", "file"), [("tls_certificate", "server.crt"), ("tls_key", "server.key"), ("tls_client_ca", "ca.crt")]
)
def test_missing_files_and_files_that_are_not_pem_are_named(
    tmp_path: Path, authority: trustme.CA, setting: str, file: str
) -> None:
    write(tmp_path, authority)
    path = tmp_path / file
    path.unlink()
    settings = settings_in(tmp_path, with_client_ca=True)
    assert complaint(settings) == f"{setting} {path}: No such file or directory"
    path.mkdir()
    assert complaint(settings) == f"{setting} {path}: Is a directory"
    path.rmdir()
    what = "private key" if setting == "tls_key" else "certificate"
    label = "PRIVATE KEY" if setting == "tls_key" else "CERTIFICATE"
    for content in ("", "junk", f"-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n"):
        path.write_text(content)
        assert complaint(settings) == f"{setting} {path}: holds no PEM {what}"


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, authority: trustme.CA) -> None:
    write(tmp_path, authority)
    (tmp_path / "server.key").write_bytes(authority.issue_cert(HOST).private_key_pem.bytes())
    settings = settings_in(tmp_path)
    message = f"tls_key {settings.tls_key}: does not belong to tls_certificate {settings.tls_certificate}"
    assert complaint(settings) == message
    rsa = authority.issue_cert(HOST, key_type=trustme.KeyType.RSA)
    (tmp_path / "server.key").write_bytes(rsa.private_key_pem.bytes())
    assert complaint(settings) == message


def test_an_encrypted_key_is_refused(tmp_path: Path, authority: trustme.CA) -> None:
    write(tmp_path, authority)
    path = tmp_path / "server.key"
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    assert complaint(settings_in(tmp_path)) == f"tls_key {path}: is encrypted; give it without a passphrase"


def test_files_that_change_while_they_are_checked_are_not_used(
    tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, authority)
    monkeypatch.setattr("service.api.access.tls._check_key", lambda *_: write(tmp_path, authority))
    assert complaint(settings_in(tmp_path)).endswith("changed while they were read")
