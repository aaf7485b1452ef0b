"""Whether memory is flat: resident sets over time, their slope, and how sure it is."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

SAMPLE_SECONDS = 1.0
SHARE_JUDGED = 2 / 3
"""Of the samples, the last ones: pools and caches fill up before."""
NUM_BLOCKS = 20
"""Samples next to each other are alike; means of blocks are less so, and the error is estimated from those."""
MAX_MEBIBYTES_PER_HOUR = 10.0
MIN_JUDGED_HOURS = 1 / 6
"""In less, an hour's growth cannot be told: a queue that is long for a moment is all that is seen."""
MAX_GROWTH_MEBIBYTES = 32.0
"""In all, where less was looked at."""
STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Slope:
    """A least-squares line, in MiB per hour."""

    value: float
    standard_error: float
    hours: float
    """How long was looked at."""

    @property
    def is_flat(self) -> bool:
        """Not significantly above what is allowed."""
        is_short = self.hours < MIN_JUDGED_HOURS
        allowed = MAX_GROWTH_MEBIBYTES / self.hours if is_short else MAX_MEBIBYTES_PER_HOUR
        return self.value - STANDARD_ERRORS * self.standard_error <= allowed

    def __str__(self) -> str:
        return f"{self.value:+.1f} ± {self.standard_error:.1f} MiB/h over {self.hours * 60:.1f} minutes"


@dataclass
class MemoryRecord:
    """A resident set, sampled every second."""

    seconds: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)

    async def watch(self, resident_bytes: Callable[[], int]) -> None:
        """Sample until cancelled."""
        started = time.monotonic()
        with suppress(asyncio.CancelledError):
            while True:
                self.seconds.append(time.monotonic() - started)
                self.mebibytes.append(resident_bytes() / 2**20)
                await asyncio.sleep(SAMPLE_SECONDS)

    @property
    def slope(self) -> Slope:
        """Of the part that is judged."""
        begin = round(len(self.seconds) * (1 - SHARE_JUDGED))
        return slope_of(self.seconds[begin:], self.mebibytes[begin:])


def slope_of(seconds: Sequence[float], mebibytes: Sequence[float]) -> Slope:
    """Least squares through the means of blocks.

    Raises:
        ValueError: fewer than three samples.
    """
    if len(seconds) < 3:
        raise ValueError(f"{len(seconds)} samples: a slope and its error need 3")
    number = min(NUM_BLOCKS, len(seconds))
    hours = np.array([block.mean() for block in np.array_split(np.array(seconds) / 3600, number)])
    sizes = np.array([block.mean() for block in np.array_split(np.array(mebibytes), number)])
    centred = hours - hours.mean()
    spread = float(centred @ centred)
    value = float(centred @ sizes) / spread
    rest = sizes - sizes.mean() - value * centred
    error = math.sqrt(float(rest @ rest) / (number - 2) / spread)
    return Slope(value, error, (seconds[-1] - seconds[0]) / 3600)
