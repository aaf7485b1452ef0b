"""A converted model as CTranslate2 runs it. Never imports torch, so that a server can."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import ctranslate2


def tokens(ids: Iterable[int]) -> list[str]:
    """Ids as the converted model names them."""
    return [str(token) for token in ids]


def open_translator(directory: Path, precision: str, num_threads: int) -> ctranslate2.Translator:
    """The converted model, computing in `float32` or `int8`."""
    return ctranslate2.Translator(
        str(directory), compute_type=precision, inter_threads=1, intra_threads=num_threads, max_queued_batches=-1
    )
