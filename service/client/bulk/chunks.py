"""Texts in portions of one request, several requests at a time, results in the order of the texts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

MAX_CHUNK_BYTES = 2**20
"""A message may have 4 MiB."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Chunk:
    """The texts of one request."""

    first: int
    """Place of the first in the input, from 0."""
    texts: tuple[str, ...]


def in_chunks(texts: Iterable[str], max_texts: int, first: int = 0) -> Iterator[Chunk]:
    """Portions of at most `max_texts` texts and, but for a single text, a MiB; `first`: place of the first text."""
    waiting: list[str] = []
    num_bytes = 0
    for text in texts:
        size = len(text.encode())
        if waiting and (len(waiting) == max_texts or num_bytes + size > MAX_CHUNK_BYTES):
            yield Chunk(first, tuple(waiting))
            first += len(waiting)
            waiting, num_bytes = [], 0
        waiting.append(text)
        num_bytes += size
    if waiting:
        yield Chunk(first, tuple(waiting))


def in_order(
    chunks: Iterable[Chunk], translate: Callable[[Chunk], Result], num_requests: int
) -> Generator[tuple[Chunk, Result]]:
    """Run `translate` on `num_requests` chunks at a time; results in the order of the chunks.

    As many chunks again wait for their turn, so that no request is held up by the one whose result comes next.
    """
    pool = ThreadPoolExecutor(num_requests, thread_name_prefix="bulk")
    under_way: deque[tuple[Chunk, Future[Result]]] = deque()
    try:
        for chunk in chunks:
            under_way.append((chunk, pool.submit(translate, chunk)))
            if len(under_way) == 2 * num_requests:
                done, future = under_way.popleft()
                yield done, future.result()
        while under_way:
            done, future = under_way.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
