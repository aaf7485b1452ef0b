"""The clients file: who is let in, how clients prove who they are, and what each may use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec

from service.api.access.permissions import Permission
from service.errors import SettingsError

MAX_BYTES = 2**20

# Messages name keys and what was expected, never a value: a token could have been pasted into the wrong place.
_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{64}\Z")]
_PermissionName = Annotated[
    str, msgspec.Meta(pattern=rf"^({'|'.join(permission.value for permission in Permission)})\Z")
]
_CertificateName = Annotated[str, msgspec.Meta(min_length=1)]
_Limit = Annotated[int, msgspec.Meta(ge=1, le=10**12)]


@dataclass(frozen=True)
class Client:
    """One that may ask; without limits where they are None."""

    name: str
    permissions: frozenset[Permission]
    token_hashes: tuple[bytes, ...] = field(default=(), repr=False)
    """SHA-256 of its bearer tokens."""
    certificate_names: tuple[bytes, ...] = ()
    """Subject alternative names or common names of its certificates, UTF-8."""
    max_concurrent_requests: int | None = None
    max_source_tokens_per_minute: int | None = None


class _ClientTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    permissions: tuple[_PermissionName, ...]
    token_sha256: tuple[_Sha256, ...] = ()
    certificate_names: tuple[_CertificateName, ...] = ()
    max_concurrent_requests: _Limit | None = None
    max_source_tokens_per_minute: _Limit | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    # Decoded one by one: msgspec does not name the key of a dictionary in its messages.
    clients: dict[str, Any] = {}


def is_client_name(name: str) -> bool:
    """Whether a client may be called that: up to 64 letters, digits, dots, underscores and hyphens."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) is not None


def read_clients(path: Path) -> tuple[Client, ...]:
    """The clients of a file; a file without any lets nobody in.

    Raises:
        SettingsError: names the file, and the client and the key where it is about one.
    """
    try:
        tables = msgspec.toml.decode(_read(path), type=_File).clients
        clients = tuple(_client(name, table) for name, table in tables.items())
        _forbid_sharing("token_sha256", ((client.name, client.token_hashes) for client in clients))
        _forbid_sharing("certificate_names", ((client.name, client.certificate_names) for client in clients))
    except msgspec.ValidationError as error:
        raise SettingsError(f"clients {path}: {_plainly(error)}") from None
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"clients {path}: not TOML: {error}") from None
    except SettingsError as error:
        raise SettingsError(f"clients {path}: {error}") from None
    return clients


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(error.strerror) from None
    if len(content) > MAX_BYTES:
        raise SettingsError(f"larger than {MAX_BYTES} bytes")
    return content


def _client(name: str, content: Any) -> Client:
    if not is_client_name(name):
        raise SettingsError(
            f"client {name!r}: expected a name of up to 64 letters, digits, '.', '_' and '-', a letter or digit first"
        )
    try:
        table = msgspec.convert(content, _ClientTable)
    except msgspec.ValidationError as error:
        raise SettingsError(f"client {name!r}: {_plainly(error)}") from None
    if not table.token_sha256 and not table.certificate_names:
        raise SettingsError(f"client {name!r}: has neither token_sha256 nor certificate_names")
    return Client(
        name=name,
        permissions=frozenset(Permission(permission) for permission in table.permissions),
        token_hashes=tuple(bytes.fromhex(digits) for digits in table.token_sha256),
        certificate_names=tuple(text.encode() for text in table.certificate_names),
        max_concurrent_requests=table.max_concurrent_requests,
        max_source_tokens_per_minute=table.max_source_tokens_per_minute,
    )


def _forbid_sharing(key: str, credentials: Iterable[tuple[str, tuple[bytes, ...]]]) -> None:
    owners: dict[bytes, str] = {}
    for name, values in credentials:
        for index, value in enumerate(values):
            owner = owners.setdefault(value, name)
            if owner != name:
                raise SettingsError(f"client {name!r}: {key}[{index}]: client {owner!r} has the same")


def _plainly(error: msgspec.ValidationError) -> str:
    """The key first: `permissions[0]: Expected …` for msgspec's "Expected … - at `$.permissions[0]`"."""
    what, _, key = str(error).partition(" - at `$.")
    return f"{key.removesuffix('`')}: {what}" if key else what
