from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from service.api.access.clients_file import MAX_BYTES, Client, read_clients
from service.api.access.permissions import Permission
from service.errors import SettingsError

HASH = sha256(b"a token").hexdigest()
OTHER_HASH = sha256(b"another token").hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "clients.toml"


def complaint(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        read_clients(path)
    assert str(caught.value).startswith(f"clients {path}: ")
    return str(caught.value).removeprefix(f"clients {path}: ")


def test_a_client_is_read_with_everything_it_can_have(path: Path) -> None:
    path.write_text(f"""
        [clients.website]
        token_sha256 = ["{HASH}", "{OTHER_HASH.upper()}"]
        certificate_names = ["website.internal", "wébsite"]
        permissions = ["translate", "read_models"]
        max_concurrent_requests = 8
        max_source_tokens_per_minute = 60000
    """)
    assert read_clients(path) == (
        Client(
            name="website",
            permissions=frozenset({Permission.TRANSLATE, Permission.READ_MODELS}),
            token_hashes=(bytes.fromhex(HASH), bytes.fromhex(OTHER_HASH)),
            certificate_names=(b"website.internal", "wébsite".encode()),
            max_concurrent_requests=8,
            max_source_tokens_per_minute=60000,
        ),
    )


def test_limits_and_one_of_the_credentials_are_optional(path: Path) -> None:
    path.write_text('[clients."a.b"]\ncertificate_names = ["x"]\npermissions = []')
    assert read_clients(path) == (Client("a.b", frozenset(), certificate_names=(b"x",)),)


@pytest.mark.parametrize("content", ["", "# nobody\n", "[clients]\n"])
def test_a_file_without_clients_lets_nobody_in(path: Path, content: str) -> None:
    path.write_text(content)
    assert read_clients(path) == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('token_sha256 = ["abc"]', "token_sha256[0]: Expected `str` matching regex '^[0-9A-Fa-f]{64}"),
        (f'token_sha256 = ["{HASH}", "{HASH}0"]', "token_sha256[1]: Expected `str` matching"),
        (f'token_sha256 = ["{HASH}\\n"]', "token_sha256[0]: Expected `str` matching"),
        (f'token_sha256 = "{HASH}"', "token_sha256: Expected `array`"),
        ("token_sha256 = []", "has neither token_sha256 nor certificate_names"),
        ("", "has neither token_sha256 nor certificate_names"),
        ('certificate_names = [""]', "certificate_names[0]: Expected `str` of length >= 1"),
        ("max_concurrent_requests = 0", "max_concurrent_requests: Expected `int` >= 1"),
        ("max_concurrent_requests = true", "max_concurrent_requests: Expected `int"),
        ("max_source_tokens_per_minute = -1", "max_source_tokens_per_minute: Expected `int` >= 1"),
        ("max_source_tokens_per_minute = 1.5", "max_source_tokens_per_minute: Expected `int"),
        ("max_source_tokens_per_minute = 10000000000000", "max_source_tokens_per_minute: Expected `int` <= 1"),
        ('token = "a token"', "Object contains unknown field `token`"),
    ],
)
def test_wrong_values_name_client_and_key(path: Path, line: str, message: str) -> None:
    path.write_text(f"[clients.website]\npermissions = []\n{line}")
    assert complaint(path).startswith(f"client 'website': {message}")


def test_an_unknown_permission_is_refused_with_those_that_there_are(path: Path) -> None:
    path.write_text(f'[clients.website]\ntoken_sha256 = ["{HASH}"]\npermissions = ["translate", "fly"]')
    message = complaint(path)
    assert message.startswith("client 'website': permissions[1]: Expected")
    assert "translate|read_models|administer_models" in message


def test_permissions_are_not_optional(path: Path) -> None:
    path.write_text(f'[clients.website]\ntoken_sha256 = ["{HASH}"]')
    assert complaint(path) == "client 'website': Object missing required field `permissions`"


@pytest.mark.parametrize(
    ("key", "value"), [("token_sha256", HASH), ("token_sha256", HASH.upper()), ("certificate_names", "name")]
)
def test_a_credential_is_of_one_client_only(path: Path, key: str, value: str) -> None:
    own = HASH if key == "token_sha256" else "name"
    path.write_text(f"""
        [clients.first]
        {key} = ["{own}"]
        permissions = []
        [clients.second]
        {key} = ["{OTHER_HASH}", "{value}"]
        permissions = []
    """)
    assert complaint(path) == f"client 'second': {key}[1]: client 'first' has the same"


@pytest.mark.parametrize("name", ["-a", ".a", "a b", "a" * 65, "é", "", "a/b", "a\\n"])
def test_names_of_clients_are_plain(path: Path, name: str) -> None:
    path.write_text(f'[clients."{name}"]\ntoken_sha256 = ["{HASH}"]\npermissions = []')
    assert "expected a name of up to 64 letters" in complaint(path)


@pytest.mark.parametrize("where", ["token_sha256 = ['{}']", "permissions = ['{}']", "max_concurrent_requests = '{}'"])
def test_a_token_in_the_wrong_place_is_not_printed(path: Path, where: str) -> None:
    path.write_text("[clients.website]\n" + where.format("secret-token"))
    assert "secret-token" not in complaint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[clients", "not TOML: "),
        (b"[clients.a]\n[clients.a]\n", "not TOML: "),
        (b"\xff", "not TOML: "),
        (b"x = " + b"[" * 100_000, "not TOML: "),
        (b"[client.website]", "Object contains unknown field `client`"),
        (b"clients = 3", "clients: Expected `object`"),
        (b"[clients]\nwebsite = 3", "client 'website': Expected `object`"),
        (b"#" * (MAX_BYTES + 1), "larger than 1048576 bytes"),
    ],
)
def test_what_is_not_a_clients_file_is_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    assert complaint(path).startswith(message)


def test_a_file_may_be_one_mebibyte(path: Path) -> None:
    path.write_bytes(b"#" * MAX_BYTES)
    assert read_clients(path) == ()


def test_a_file_that_cannot_be_read_is_refused(path: Path, tmp_path: Path) -> None:
    assert complaint(path) == "No such file or directory"
    assert complaint(tmp_path) == "Is a directory"


def test_hashes_are_not_shown() -> None:
    assert "token_hashes" not in repr(Client("website", frozenset(), token_hashes=(b"hash",)))
