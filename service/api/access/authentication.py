"""Who asks, by a bearer token or by the certificate of the connection."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence

from service.api.access.clients_file import Client
from service.errors import UnauthenticatedError

MAX_TOKEN_CHARACTERS = 512
# The characters that RFC 6750 gives bearer tokens.
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE | re.ASCII)
_NAMES = ("x509_common_name", "x509_subject_alternative_name")


def has_certificate(auth_context: Mapping[str, Iterable[bytes]]) -> bool:
    """Whether the connection has shown a client certificate."""
    return any(key.startswith("x509_") for key in auth_context)


class KnownClients:
    """The clients of the clients file, found by what they show."""

    def __init__(self, clients: Iterable[Client]) -> None:
        clients = tuple(clients)
        self._by_name = {client.name: client for client in clients}
        self._by_hash = [(known, client) for client in clients for known in client.token_hashes]
        self._by_certificate_name = {name: client for client in clients for name in client.certificate_names}

    def who(self, metadata: Sequence[tuple[str, str | bytes]], auth_context: Mapping[str, Iterable[bytes]]) -> Client:
        """The client that sent an RPC. A token decides; a certificate beside it may name that client or nobody.

        Raises:
            UnauthenticatedError: it shows nothing, or something that is not a client's; does not tell who is known.
        """
        token, named = _token_of(metadata), self._named(auth_context)
        if token is not None:
            client = self._of_token(token)
            if named - {client.name}:
                raise UnauthenticatedError("the token and the client certificate are not of the same client")
            return client
        if not has_certificate(auth_context):
            raise UnauthenticatedError("give a token, as authorization: Bearer TOKEN, or a client certificate")
        if len(named) != 1:
            raise UnauthenticatedError("the client certificate does not name one client that is known")
        return self._by_name[named.pop()]

    def _of_token(self, token: str) -> Client:
        given = hashlib.sha256(token.encode()).digest()
        found = None
        # All of them, always: how long this takes does not tell which one fits.
        for known, client in self._by_hash:
            if hmac.compare_digest(given, known):
                found = client
        if found is None:
            raise UnauthenticatedError("the token is not known")
        return found

    def _named(self, auth_context: Mapping[str, Iterable[bytes]]) -> set[str]:
        """Names of the clients that the connection's certificate is for."""
        names = {name for key in _NAMES for name in auth_context.get(key, ())}
        return {client.name for name in names if (client := self._by_certificate_name.get(name)) is not None}


def _token_of(metadata: Sequence[tuple[str, str | bytes]]) -> str | None:
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        return None
    if len(values) > 1:
        raise UnauthenticatedError("authorization: given more than once")
    match = _BEARER.fullmatch(values[0]) if isinstance(values[0], str) else None
    if match is None:
        raise UnauthenticatedError("authorization: expected Bearer TOKEN")
    if len(match[1]) > MAX_TOKEN_CHARACTERS:
        raise UnauthenticatedError(f"authorization: the token is longer than {MAX_TOKEN_CHARACTERS} characters")
    return match[1]
