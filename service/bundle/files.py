"""The bytes of a bundle's files: each file is read once, and what was read is what is checked and used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from service.errors import BundleError


def read_regular(directory: Path, name: str, sizes: range) -> bytes | None:
    """A regular file's content; None where its size, in bytes, is none of `sizes`: then it is not read.

    Raises:
        FileNotFoundError: there is none.
        BundleError: it is something else, leads out of the directory, or cannot be read.
    """
    path = directory / name
    try:
        real = path.resolve(strict=True)  # a volume's files may be links within the bundle
        if not real.is_relative_to(directory.resolve()):
            raise BundleError(f"{path} leads out of the bundle: copy the file itself")
        # Not to be held up by a FIFO that nobody writes to.
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # refuses a directory
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{path} is not a regular file")
            return file.read(sizes.stop) if status.st_size in sizes else None
    except FileNotFoundError:
        raise
    except (OSError, RuntimeError, MemoryError) as error:  # links in a circle are a RuntimeError before Python 3.13
        raise BundleError(f"{path} cannot be read: {error}") from None
