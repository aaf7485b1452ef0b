"""A converted model as CTranslate2 runs it; torch is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ctranslate2


def tokens(ids: Sequence[int] | range) -> list[str]:
    """Ids as the converted model names them."""
    return [str(token) for token in ids]


def open_translator(directory: Path, precision: str, threads: int, workers: int = 1) -> ctranslate2.Translator:
    """The converted model.

    Args:
        directory: that `bench.ctranslate2_model.convert` wrote.
        precision: it computes in `float32` or `int8`.
        threads: of each worker.
        workers: batches translated at a time.
    """
    return ctranslate2.Translator(
        str(directory), compute_type=precision, inter_threads=workers, intra_threads=threads, max_queued_batches=-1
    )
