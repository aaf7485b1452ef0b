"""Debian packages, downloaded and unpacked without touching the machine's own package lists."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import TrainingError


@dataclass(frozen=True)
class Package:
    """A downloaded and unpacked package."""

    name: str
    version: str
    sha256: str
    num_bytes: int
    directory: Path
    """Where its files are."""


class Archive:
    """The archive that this machine's apt is set up for, with lists and downloads in a directory of our own."""

    def __init__(self, cache: Path, languages: Sequence[str]) -> None:
        """Fetch the package lists and the translated descriptions of `languages`.

        Raises:
            TrainingError: this is no Debian-like machine, or the archive does not answer.
        """
        for tool in ("apt-get", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise TrainingError(f"corpus needs {tool}: run it on Debian or Ubuntu, or in a container of it")
        self._cache = cache.resolve()
        self._lists = self._cache / "lists"
        for directory in (self._lists / "partial", self._cache / "archives" / "partial", self._cache / "debs"):
            directory.mkdir(parents=True, exist_ok=True)
        self._options = [
            f"-oDir::State::Lists={self._lists}",
            f"-oDir::Cache={self._cache}",
            "-oDir::Cache::pkgcache=",
            "-oDir::Cache::srcpkgcache=",
            f"-oAcquire::Languages={','.join(sorted({*languages, 'en'}))}",
            "-oAPT::Sandbox::User=",
        ]
        self._apt("update")

    def package(self, name: str) -> Package:
        """Download a package, unless the cache has this version, and unpack it.

        Raises:
            TrainingError: the archive has no such package, or the download failed.
        """
        directory = self._cache / "debs" / name
        directory.mkdir(exist_ok=True)
        self._apt("download", name, directory=directory)
        file = max(directory.glob("*.deb"), key=lambda path: path.stat().st_mtime)
        unpacked = directory / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        unpacked.mkdir()
        _run(["dpkg-deb", "-x", str(file), str(unpacked)])
        version = _run(["dpkg-deb", "--field", str(file), "Version"]).strip()
        return Package(name, version, _sha256(file), file.stat().st_size, unpacked)

    def descriptions(self, language: str) -> tuple[str, str, int]:
        """The translated package descriptions: their text, SHA-256 and size.

        Raises:
            TrainingError: the archive has none in that language.
        """
        files = sorted(self._lists.glob(f"*_i18n_Translation-{language}*"))
        if not files:
            raise TrainingError(f"the archive has no package descriptions in {language!r}")
        digest = hashlib.sha256()
        parts = []
        for file in files:
            # apt keeps lists packed in whatever way it is set up for, and unpacks them itself.
            parts.append(_run(["/usr/lib/apt/apt-helper", "cat-file", str(file)]))
            digest.update(parts[-1].encode())
        return "\n".join(parts), digest.hexdigest(), sum(file.stat().st_size for file in files)

    def _apt(self, *arguments: str, directory: Path | None = None) -> None:
        _run(["apt-get", "-q", *self._options, *arguments], directory)


def _run(command: list[str], directory: Path | None = None) -> str:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise TrainingError(f"{command[0]} {command[-1]} failed: {reason[0]}")
    return done.stdout


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
