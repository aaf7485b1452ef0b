"""Chromium's locales."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

from training.corpus.formats.files import read


def read_pak(path: Path) -> dict[str, str]:
    """Strings by id of a Chromium locale: little-endian header, (id, offset) table, then UTF-8 text.

    Raises:
        ValueError: another version of the format.
    """
    content = read(path)
    version, encoding, num_resources, _ = struct.unpack_from("<IB3xHH", content, 0)
    if version != 5 or encoding != 1:
        raise ValueError(f"{path}: pak version {version} with encoding {encoding}, expected 5 with UTF-8")
    table = [struct.unpack_from("<HI", content, 12 + 6 * index) for index in range(num_resources + 1)]
    strings = {}
    for (resource, begin), (_, end) in itertools.pairwise(table):
        strings[str(resource)] = content[begin:end].decode("utf-8", errors="replace")
    return strings
