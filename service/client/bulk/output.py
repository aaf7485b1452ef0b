"""The output: grows beside its place in whole rows, and moves there when it is complete."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import lzma
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from service.client.bulk.chunks import Chunk
from service.client.bulk.journal import Counts, Journal
from service.client.bulk.outcome import Outcome, RowFormat

SECONDS_BETWEEN_COMMITS = 1.0

# Files put one after another unpack as one.
_PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress}


class Output:
    """OUTPUT.partial while it grows, OUTPUT.json beside it; use it as a context manager.

    What the journal counts is on the disk; anything after it is cut off by the next run. Killed at any moment, a run
    loses what it did since the last commit, a second or a request before.
    """

    def __init__(self, path: Path, input_path: Path, settings: dict[str, Any]) -> None:
        """Begin, or go on with what an earlier run left.

        Raises:
            ValueError: another process is at it, or what is there was made otherwise; the message says what to do.
        """
        self.path = path
        self._partial = path.with_name(f"{path.name}.partial")
        self._journal_path = path.with_name(f"{path.name}.json")
        self._pack = _PACKERS.get(path.suffix, bytes)
        self._digest = hashlib.sha256()
        self._rows: list[str] = []
        self._last_commit = time.monotonic()
        earlier = Journal.load(self._journal_path)
        if earlier is None and path.exists():
            raise ValueError(f"{path} exists: remove it, or choose another output")
        self._file: BinaryIO | None = None
        self._journal = earlier or Journal(input=str(input_path), settings=settings)
        self._check(settings)
        if not path.exists():
            self._file = self._open_partial()

    @property
    def counts(self) -> Counts:
        """Of what is done, earlier runs included."""
        return self._journal.counts

    @property
    def is_complete(self) -> bool:
        """Whether an earlier run finished it."""
        return self._file is None

    def remaining(self, texts: Iterable[str]) -> Iterator[str]:
        """The texts that are not done yet.

        Raises:
            ValueError: those that are done are not the ones that were translated.
        """
        rest = iter(texts)
        for _ in range(self.counts.texts):
            self._digest.update(next(rest, "\0").encode() + b"\n")
        if self.counts.texts and self._digest.hexdigest() != self._journal.input_sha256:
            raise ValueError(f"{self._journal.input} was changed since {self.path} was begun: {self._how_to_begin()}")
        for text in rest:
            if self.is_complete:
                raise ValueError(f"{self._journal.input} has grown since {self.path} was made: {self._how_to_begin()}")
            yield text

    def add(self, chunk: Chunk, outcomes: Sequence[Outcome], row_format: RowFormat) -> None:
        """Write the rows of a chunk, which follows the one before."""
        counts = self.counts
        for text, outcome in zip(chunk.texts, outcomes, strict=True):
            rows = list(row_format.rows(text, outcome))
            self._rows += rows
            self._digest.update(text.encode() + b"\n")
            counts.texts += 1
            counts.rows += len(rows)
            counts.dropped += len(outcome.found) - len(rows)
            reason = outcome.found[0].reason
            counts.reasons[reason] = counts.reasons.get(reason, 0) + 1
            counts.source_tokens += outcome.num_source_tokens
            counts.target_tokens += outcome.num_target_tokens
        if time.monotonic() - self._last_commit >= SECONDS_BETWEEN_COMMITS:
            self._commit()

    def finish(self) -> None:
        """Put the complete output in its place."""
        if self._file is not None:
            self._journal.is_complete = True
            self._commit()
            self._partial.replace(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _commit(self) -> None:
        assert self._file is not None
        self._file.write(self._pack("".join(self._rows).encode()))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._rows.clear()
        now = time.monotonic()
        self.counts.seconds = round(self.counts.seconds + now - self._last_commit, 3)
        self._last_commit = now
        self._journal.output_bytes = self._file.tell()
        self._journal.input_sha256 = self._digest.hexdigest()
        self._journal.save(self._journal_path)

    def _check(self, settings: dict[str, Any]) -> None:
        begun_with = self._journal.settings
        for name in settings.keys() | begun_with.keys():
            if settings.get(name) != begun_with.get(name):
                raise ValueError(
                    f"{self.path} was begun with {name} {begun_with.get(name)!r}, now {settings.get(name)!r}: "
                    f"go on as before, or {self._how_to_begin()}"
                )

    def _open_partial(self) -> BinaryIO:
        file = self._partial.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise ValueError(f"{self._partial}: another process is writing it") from None
        if os.fstat(file.fileno()).st_size < self._journal.output_bytes:
            file.close()
            raise ValueError(f"{self._partial} is shorter than {self._journal_path} says: {self._how_to_begin()}")
        file.truncate(self._journal.output_bytes)
        return file

    def _how_to_begin(self) -> str:
        made = self.path if self.path.exists() else self._partial
        return f"to begin anew remove {self._journal_path} and {made}"
