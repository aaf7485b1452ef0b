"""The one door: every RPC is admitted here, or refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from service.api.access.authentication import KnownClients, has_certificate
from service.api.access.clients_file import Client, read_clients
from service.api.access.permissions import Permission, is_open, sufficient_permissions
from service.api.access.quota import Quota
from service.api.access.reloaded import Reloaded
from service.errors import PermissionDeniedError, SettingsError, UnauthenticatedError
from service.settings import Settings


class Admission:
    """Of one RPC. A context manager: its slot is taken already, and given back when it is left."""

    def __init__(self, client: str, quota: Quota) -> None:
        self.client = client
        """The name in the clients file; empty: anonymous."""
        self._quota = quota
        self._is_over = False

    def __enter__(self) -> Admission:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_over:
            self._is_over = True
            self._quota.leave()

    def spend(self, num_source_tokens: int) -> None:
        """Count what the RPC used; from any thread."""
        self._quota.spend(num_source_tokens)

    async def wait(self) -> None:
        """Until the client may use more: before each item of a long stream."""
        await self._quota.wait()


class Access:
    """Knows the clients, what they may do, and what they have used."""

    def __init__(
        self,
        known: Reloaded[KnownClients] | None,
        anonymous: frozenset[Permission],
        clock: Callable[[], float] = time.monotonic,
        needs_certificate: bool = False,
    ) -> None:
        """What decides.

        Args:
            known: the clients, where there is a list of them.
            anonymous: what everybody may do where there is none.
            clock: of the quotas.
            needs_certificate: whether everybody must come with a certificate where there is none.
        """
        self._known = known
        self._needs_certificate = needs_certificate
        self._anonymous = Client("", anonymous)
        self._clock = clock
        # A client that was taken out of the file keeps its quota: its RPCs may still run when it comes back.
        self._quotas: dict[str, Quota] = {}

    @classmethod
    def of(cls, settings: Settings, clock: Callable[[], float] = time.monotonic) -> Access:
        """As the settings say; the clients file is read again when it changes.

        Raises:
            SettingsError: clients or anonymous_permissions cannot be understood.
        """
        anonymous = _permissions("anonymous_permissions", settings.anonymous_permissions)
        if not settings.clients:
            return cls(None, anonymous, clock, needs_certificate=bool(settings.tls_client_ca))
        path = Path(settings.clients)
        return cls(Reloaded(lambda: KnownClients(read_clients(path)), [path], clock), anonymous, clock)

    def admit(
        self, method: str, metadata: Sequence[tuple[str, str | bytes]], auth_context: Mapping[str, Iterable[bytes]]
    ) -> Admission:
        """Let an RPC in, by its full method name, what it was sent with, and what is known of its connection.

        Raises:
            UnauthenticatedError: nobody knows who asks.
            PermissionDeniedError: the client may not call this method.
            QuotaExceededError: it has used what it may use for now.
        """
        if is_open(method):
            client, quota = "", Quota()
        else:
            who = self._who(metadata, auth_context)
            _check_permission(who, method)
            client, quota = who.name, self._quota_of(who)
        quota.enter()
        return Admission(client, quota)

    def _who(self, metadata: Sequence[tuple[str, str | bytes]], auth_context: Mapping[str, Iterable[bytes]]) -> Client:
        if self._known is not None:
            return self._known.get().who(metadata, auth_context)
        if self._needs_certificate and not has_certificate(auth_context):
            # gRPC's port lets nobody in without one; the HTTP port, which has no TLS, would.
            raise UnauthenticatedError(
                "this server lets in who has a client certificate, and this connection cannot show one: call by gRPC, "
                "or have it started with a clients file, whose tokens are good here"
            )
        return self._anonymous

    def _quota_of(self, client: Client) -> Quota:
        limits = (client.max_concurrent_requests, client.max_source_tokens_per_minute)
        if client.name not in self._quotas:
            self._quotas[client.name] = Quota(*limits, self._clock)
        quota = self._quotas[client.name]
        quota.change_limits(*limits)
        return quota


def _check_permission(client: Client, method: str) -> None:
    sufficient = sufficient_permissions(method)
    if client.permissions & sufficient:
        return
    who = f"client {client.name!r}" if client.name else "a client without a name"
    if not sufficient:
        raise PermissionDeniedError(f"{who} may not call this method; nobody may")
    missing = " or ".join(permission.value for permission in Permission if permission in sufficient)
    raise PermissionDeniedError(f"{who} lacks the permission {missing}")


def _permissions(setting: str, text: str) -> frozenset[Permission]:
    names = [name.strip() for name in text.split(",")] if text.strip() else []
    try:
        return frozenset(Permission(name) for name in names)
    except ValueError:
        expected = ", ".join(permission.value for permission in Permission)
        raise SettingsError(f"{setting} {text!r}: expected some of {expected}, separated by commas") from None
