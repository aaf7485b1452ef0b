"""Pairs that wait on the disk until it is known which of them stay."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.atomic import new_file
from training.readers import Pair


class Candidates:
    """Cleaned pairs of one split in a file, and in memory 8 bytes for each: a hash of what makes it a duplicate."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._keys = array("Q")

    def __enter__(self) -> Candidates:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._keys)

    def append(self, pair: Pair, key: str) -> None:
        """Add a pair; those with the same key are duplicates.

        That any two of 36 million different keys share a hash has odds of 1 to 28,000.
        """
        self._file.write(f"{pair.source}\t{pair.target}\t{pair.origin}\n")
        self._keys.append(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big"))

    def keys(self) -> NDArray[np.uint64]:
        """(N,) hashes in the order of the pairs."""
        return np.array(self._keys, dtype=np.uint64)

    def write(self, path: Path, is_kept: NDArray[np.bool_]) -> Counter[str]:
        """Write the pairs that stay, source, target and origin separated by tabs; returns how many by origin."""
        self._file.close()
        origins: Counter[str] = Counter()
        with self._path.open("rb") as lines, new_file(path) as file:
            for line, stays in zip(lines, is_kept, strict=True):
                if stays:
                    file.write(line)
                    origins[line[line.rindex(b"\t") + 1 : -1].decode()] += 1
        return origins


def first_of_each(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """(N,) -> (N,), true where a key occurs for the first time."""
    is_first = np.zeros(len(keys), dtype=np.bool_)
    is_first[np.unique(keys, return_index=True)[1]] = True
    return is_first
