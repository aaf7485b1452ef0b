"""The certificate of the gRPC port, and the authorities whose client certificates it asks for."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc

from service.api.access.reloaded import Reloaded
from service.errors import SettingsError
from service.settings import Settings

_MISMATCHES = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
"""What OpenSSL says where a key is of another certificate; the last where it is of another kind, such as RSA."""


def server_credentials(
    settings: Settings, clock: Callable[[], float] = time.monotonic
) -> grpc.ServerCredentials | None:
    """Credentials for one port; new files are taken over for new connections. None: the port has no TLS.

    Raises:
        SettingsError: a file is missing or of no use, or one setting lacks another; names the setting and the file.
    """
    files = _files_of(settings)
    if files is None:
        return None
    certificates = _Certificates(Reloaded(files.read, files.paths, clock))
    # None from the fetcher keeps what there is; the stubs do not know that.
    return grpc.dynamic_ssl_server_credentials(
        certificates.initial,
        certificates.fetch,  # type: ignore[arg-type]
        require_client_authentication=files.client_ca is not None,
    )


@dataclass(frozen=True)
class _Contents:
    """PEM, checked."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """For gRPC, which takes each such object once."""
        return grpc.ssl_server_certificate_configuration([(self.key, self.certificate)], self.client_ca)


@dataclass(frozen=True)
class _Files:
    certificate: Path
    key: Path
    client_ca: Path | None

    @property
    def paths(self) -> list[Path]:
        return [path for path in (self.certificate, self.key, self.client_ca) if path]

    def read(self) -> _Contents:
        """What the files hold.

        Raises:
            SettingsError: they cannot be served with.
        """
        contents = self._read_unchecked()
        _check_certificates("tls_certificate", self.certificate)
        _check_key(self.certificate, self.key)
        if self.client_ca:
            _check_certificates("tls_client_ca", self.client_ca)
        # ssl reads the files itself: this makes sure that what it found good is what gRPC is given.
        if self._read_unchecked() != contents:
            raise SettingsError(f"tls_certificate {self.certificate}, tls_key {self.key}: changed while they were read")
        return contents

    def _read_unchecked(self) -> _Contents:
        return _Contents(
            certificate=_read("tls_certificate", self.certificate),
            key=_read("tls_key", self.key),
            client_ca=_read("tls_client_ca", self.client_ca) if self.client_ca else None,
        )


class _Certificates:
    """Hands gRPC what it does not have yet. gRPC calls from its own threads."""

    def __init__(self, contents: Reloaded[_Contents]) -> None:
        self._contents = contents
        self._lock = threading.Lock()
        self._given = contents.get()
        self.initial = self._given.configuration()

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """At every handshake."""
        with self._lock:
            contents = self._contents.get()
            if contents == self._given:
                return None
            self._given = contents
            return contents.configuration()


def _files_of(settings: Settings) -> _Files | None:
    if settings.tls_key and not settings.tls_certificate:
        raise SettingsError(f"tls_key {settings.tls_key}: needs tls_certificate as well")
    if settings.tls_client_ca and not settings.tls_certificate:
        raise SettingsError(f"tls_client_ca {settings.tls_client_ca}: needs tls_certificate and tls_key as well")
    if not settings.tls_certificate:
        return None
    if not settings.tls_key:
        raise SettingsError(f"tls_certificate {settings.tls_certificate}: needs tls_key as well")
    return _Files(
        certificate=Path(settings.tls_certificate),
        key=Path(settings.tls_key),
        client_ca=Path(settings.tls_client_ca) if settings.tls_client_ca else None,
    )


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{setting} {path}: {error.strerror}") from None


def _check_certificates(setting: str, path: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except OSError:  # ssl.SSLError is one
        raise SettingsError(f"{setting} {path}: holds no PEM certificate") from None


def _check_key(certificate: Path, key: Path) -> None:
    def refuse() -> str:
        raise SettingsError(f"tls_key {key}: is encrypted; give it without a passphrase")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=refuse)
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            raise SettingsError(f"tls_key {key}: does not belong to tls_certificate {certificate}") from None
        if error.reason:
            raise SettingsError(f"tls_certificate {certificate}, tls_key {key}: {error.reason}") from None
        raise SettingsError(f"tls_key {key}: holds no PEM private key") from None
    except OSError as error:
        raise SettingsError(f"tls_certificate {certificate}, tls_key {key}: {error.strerror}") from None
