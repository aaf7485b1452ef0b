"""Where ports may listen without TLS."""

from __future__ import annotations

import ipaddress

from service.errors import SettingsError
from service.settings import Settings


def check_plaintext(name: str, host: str, has_tls: bool, settings: Settings) -> None:
    """Refuse a port that others could reach and listen in on; `name` is the setting of its address.

    Raises:
        SettingsError: it has no TLS, does not listen on loopback, and nobody said that the network is trusted.
    """
    if has_tls or settings.plaintext == "on-trusted-network" or _is_loopback(host):
        return
    # The HTTP port cannot have TLS.
    tls = "give tls_certificate and tls_key, " if name == "grpc_address" else ""
    raise SettingsError(
        f"{name} {host!r}: other machines could read what is sent to this port; "
        f"{tls}listen on 127.0.0.1, or, where the network can be trusted, set plaintext to on-trusted-network"
    )


def _is_loopback(host: str) -> bool:
    if host.startswith(("unix:", "unix-abstract:")) or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name may stand for any address, and an empty one stands for all
