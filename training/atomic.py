"""Files and directories that appear whole or not at all, whenever the process is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of `path` once it is complete and on the disk."""
    temporary = partial_of(path)
    with temporary.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync(path.parent)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """An empty directory to fill with files, which becomes `path` once they are complete and on the disk."""
    temporary = partial_of(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    yield temporary
    for file in temporary.iterdir():
        _sync(file)
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


@contextmanager
def scratch_directory(path: Path) -> Iterator[Path]:
    """An empty directory for the length of the block; what a killed process left there is deleted first."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Held by one process of the machine at a time; the kernel frees it when its holder dies."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def partial_of(path: Path) -> Path:
    """Where `path` is written before it is complete."""
    return path.with_name(f".{path.name}.partial")


def remove_partial_files(directory: Path) -> None:
    """Delete what killed processes were writing; call where no other process writes."""
    for stale in directory.glob(".*.partial"):
        stale.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
