"""Reading files of packages."""

from __future__ import annotations

import gzip
from pathlib import Path

MAX_FILE_BYTES = 64 * 2**20


def read(path: Path) -> bytes:
    """The content of a file, unpacked if its name ends in .gz.

    Raises:
        ValueError: it is larger than MAX_FILE_BYTES.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{path} is larger than {MAX_FILE_BYTES} bytes")
    return content


def only(directory: Path, pattern: str) -> Path:
    """The first path below a directory that matches.

    Raises:
        ValueError: there is none.
    """
    found = sorted(directory.glob(pattern))
    if not found:
        raise ValueError(f"nothing matches {pattern}: the package is laid out in another way now")
    return found[0]
