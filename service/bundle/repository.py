"""The directory of bundles that a service is started with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from service.bundle.manifest import FILE_NAME, Manifest, load_manifest
from service.errors import BundleError

Signature: TypeAlias = frozenset[tuple[str, int, int, int]]
"""Name, size, time of change and inode of a directory's files: differs when any of them was written."""
Snapshot: TypeAlias = Mapping[str, Signature]
"""By directory name."""


@dataclass(frozen=True)
class Repository:
    """A bundle, or a directory with bundles directly below it. Blocks: call it off the event loop."""

    directory: Path
    is_bundle: bool
    """Whether the directory is one bundle itself."""

    @classmethod
    def find(cls, directory: Path) -> Repository:
        """What is at `directory`.

        Raises:
            BundleError: no directory is.
        """
        if not directory.is_dir():
            raise BundleError(f"{directory} is not a directory: --models takes a bundle or a directory of bundles")
        return cls(directory, (directory / FILE_NAME).exists())

    def place(self, name: str) -> Path:
        """Where the bundle of that directory name is, or would be."""
        return self.directory if self.is_bundle else self.directory / name

    def has(self, name: str) -> bool:
        """Whether there is such a directory."""
        return (name == self._own_name or not self.is_bundle) and self.place(name).is_dir()

    def scan(self) -> Snapshot:
        """The signatures of all directories that are or may become bundles; hidden ones are none.

        Raises:
            BundleError: the directory cannot be read.
        """
        if self.is_bundle:
            return {self._own_name: _signature(self.directory)}
        try:
            with os.scandir(self.directory) as entries:
                names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
        except OSError as error:
            raise BundleError(f"{self.directory} cannot be read: {error}") from None
        return {name: _signature(self.directory / name) for name in sorted(names)}

    def manifests(self, snapshot: Snapshot) -> dict[str, Manifest]:
        """Those of all bundles, by directory name, in the order of the models' names; at least one.

        Raises:
            BundleError: there is none, one is not fit to be served, or two have the same name.
        """
        found = {name: load_manifest(self.place(name)) for name in snapshot if holds_manifest(snapshot[name])}
        if not found:
            raise BundleError(
                f"{self.directory} holds no bundle: write one with python -m export CHECKPOINT {self.directory}/NAME"
            )
        names = [manifest.name for manifest in found.values()]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise BundleError(
                f"{self.directory}: more than one bundle is called {', '.join(repeated)}: export with --name"
            )
        return dict(sorted(found.items(), key=lambda item: item[1].name))

    @property
    def _own_name(self) -> str:
        return Path(os.path.abspath(self.directory)).name


def holds_manifest(signature: Signature) -> bool:
    """Whether there is a manifest, and so a bundle."""
    return any(name == FILE_NAME for name, *_ in signature)


def _signature(directory: Path) -> Signature:
    try:
        with os.scandir(directory) as entries:
            return frozenset(_describe(entries))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:  # a directory that cannot be read is there all the same
        return frozenset({(FILE_NAME, error.errno or 0, 0, 0)})


def _describe(entries: Iterator[os.DirEntry[str]]) -> Iterator[tuple[str, int, int, int]]:
    for entry in entries:
        try:
            status = entry.stat()
        except OSError:  # a link to nothing or in a circle, or gone since
            status = entry.stat(follow_symlinks=False)
        yield entry.name, status.st_size, status.st_mtime_ns, status.st_ino
