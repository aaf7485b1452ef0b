"""Pairs that wait on the disk until it is known which of them stay."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.atomic import new_file
from training.readers import Pair


class Candidates:
    """Cleaned pairs of one split in a file, and in memory a byte for each, and 8 for each of its keys.

    A key is a hash of a text: the first is of what makes the pair a duplicate.
    """

    def __init__(self, path: Path, num_keys: int = 1) -> None:
        self._path = path
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._keys = [array("Q") for _ in range(num_keys)]
        self._groups = array("B")

    def __enter__(self) -> Candidates:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._groups)

    def append(self, pair: Pair, keys: Sequence[str], group: int = 0) -> None:
        """Add a pair of a group, below 256; pairs with the same first key are duplicates.

        That any two of 36 million different keys share a hash has odds of 1 to 28,000.
        """
        self._file.write(f"{pair.source}\t{pair.target}\t{pair.origin}\n")
        for hashes, key in zip(self._keys, keys, strict=True):
            hashes.append(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big"))
        self._groups.append(group)

    def keys(self) -> NDArray[np.uint64]:
        """(keys, N) hashes in the order of the pairs."""
        return np.array(self._keys, dtype=np.uint64)

    def groups(self) -> NDArray[np.uint8]:
        """(N,) groups in the order of the pairs."""
        return np.array(self._groups, dtype=np.uint8)

    def write(
        self, path: Path, copies: NDArray[np.int64] | NDArray[np.bool_], repeats: Mapping[str, int] | None = None
    ) -> Counter[str]:
        """Write pairs so many times each, source, target and origin separated by tabs.

        Further copies come after everything else, so that neighbours, which are read together, differ.

        Args:
            path: the file.
            copies: (N,) 0 or false leaves a pair out.
            repeats: by origin, how often each of these copies is written; once where it is not named.

        Returns:
            How many pairs are written, by origin; copies do not count.
        """
        self._file.close()
        origins: Counter[str] = Counter()
        factors = dict(repeats or {})
        with new_file(path) as file:
            for time in range(int(copies.max(initial=0)) * max(factors.values(), default=1)):
                with self._path.open("rb") as lines:
                    for line, number in zip(lines, copies.tolist(), strict=True):
                        origin = line[line.rindex(b"\t") + 1 : -1].decode()
                        if number * factors.get(origin, 1) > time:
                            file.write(line)
                            origins[origin] += not time
        return origins


def duplicate_key(text: str) -> str:
    """Equal for texts that differ in case, white space or a final mark only."""
    return "".join(text.casefold().split()).rstrip(".:…")


def first_of_each(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """(N,) -> (N,), true where a key occurs for the first time."""
    is_first = np.zeros(len(keys), dtype=np.bool_)
    is_first[np.unique(keys, return_index=True)[1]] = True
    return is_first
