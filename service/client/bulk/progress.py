"""How far a run is, on standard error, and what it did."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from service.client.bulk.journal import Counts
from service.client.bulk.outcome import CUT_OFF, END

TERMINAL_SECONDS, FILE_SECONDS = 0.5, 30.0


class Progress:
    """Tells now and then: often to a terminal, seldom to a file."""

    def __init__(self, counts: Counts, output: TextIO = sys.stderr) -> None:
        """`counts`: those of earlier runs are not part of the speed."""
        self._output = output
        self._is_terminal = output.isatty()
        self._started = self._told = time.monotonic()
        self._num_texts, self._num_tokens = counts.texts, counts.target_tokens

    def tell(self, counts: Counts, share_read: float) -> None:
        """Tell where it is time to."""
        now = time.monotonic()
        if now - self._told < (TERMINAL_SECONDS if self._is_terminal else FILE_SECONDS):
            return
        self._told = now
        seconds = now - self._started
        texts_per_second = (counts.texts - self._num_texts) / seconds
        tokens_per_second = (counts.target_tokens - self._num_tokens) / seconds
        line = (
            f"{share_read:4.0%} read, {counts.texts:,} texts, {texts_per_second:.1f} texts/s, "
            f"{tokens_per_second:.0f} target tokens/s, {num_refused(counts):,} refused"
        )
        print(line, end="\r" if self._is_terminal else "\n", file=self._output, flush=True)

    def end(self) -> None:
        """Leave the line."""
        if self._is_terminal:
            print(file=self._output)


def num_refused(counts: Counts) -> int:
    """Texts without a translation."""
    return sum(number for reason, number in counts.reasons.items() if reason not in (END, CUT_OFF))


def summary(counts: Counts) -> str:
    """All of it in a line or two."""
    speed = counts.target_tokens / counts.seconds if counts.seconds else 0.0
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(counts.reasons.items()))
    return (
        f"{counts.texts:,} texts ({reasons or 'none'}), {counts.rows:,} rows, {counts.dropped:,} left out, "
        f"{num_refused(counts):,} refused; {counts.source_tokens:,} source and {counts.target_tokens:,} target tokens "
        f"in {counts.seconds:.1f} s: {speed:.0f} target tokens/s"
    )
