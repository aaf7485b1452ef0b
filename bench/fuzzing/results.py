"""What a campaign found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np

MAX_SLOPE = 8.0
"""Most memory that may be added, in MiB for every 10,000 inputs, once half of them are over."""
MIN_JUDGED_INPUTS = 50_000
"""Below that memory still grows, by a few MiB at a time, to what the largest requests together need."""


@dataclass(frozen=True)
class Violation:
    """Something that must not be; seed and index repeat it."""

    seed: int
    index: int
    what: str
    """The RPC, or the port and the attack."""
    problem: str

    def __str__(self) -> str:
        return f"--seed {self.seed} --only {self.index}  {self.what}: {self.problem}"


@dataclass(frozen=True)
class Memory:
    """Resident memory of the server over a campaign."""

    samples: tuple[tuple[int, float], ...]
    """Inputs so far, and bytes."""

    @property
    def slope(self) -> float:
        """MiB for every 10,000 inputs, least squares over the second half; 0 for less than 3 samples."""
        later = [sample for sample in self.samples if 2 * sample[0] >= self.samples[-1][0]]
        if len(later) < 3:
            return 0.0
        inputs, sizes = np.array(later).T
        return float(np.polyfit(inputs / 10_000, sizes / 2**20, deg=1)[0])

    @property
    def is_bounded(self) -> bool:
        """Whether the slope is within its limit, or too little was sent to know."""
        return not self.samples or self.samples[-1][0] < MIN_JUDGED_INPUTS or self.slope <= MAX_SLOPE

    def __str__(self) -> str:
        if not self.samples:
            return "memory: not sampled"
        first, last = (sample[1] / 2**20 for sample in (self.samples[0], self.samples[-1]))
        peak = max(size for _, size in self.samples) / 2**20
        return (
            f"memory: {first:.0f} MiB at the beginning, {last:.0f} at the end, {peak:.0f} at most; "
            f"{self.slope:+.2f} MiB for every 10,000 inputs in the second half (limit {MAX_SLOPE:g})"
        )


@dataclass(frozen=True)
class CampaignResult:
    """What a campaign found."""

    seed: int
    num_inputs: int
    """Sent; fewer than asked for where the campaign broke off."""
    statuses: Mapping[str, Mapping[str, int]]
    """How often each RPC or attack ended how."""
    violations: tuple[Violation, ...]
    memory: Memory
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.violations and self.memory.is_bounded

    def __str__(self) -> str:
        lines = [f"{self.num_inputs} inputs, seed {self.seed}, {self.seconds:.0f} s"]
        for what, counts in sorted(self.statuses.items()):
            told = ", ".join(f"{status} {number}" for status, number in sorted(counts.items()))
            lines.append(f"  {what:48} {told}")
        lines.append(str(self.memory))
        lines.append(f"violations: {len(self.violations)}")
        in_order = sorted(self.violations, key=lambda one: (one.what, one.problem, one.index))
        for _, alike in groupby(in_order, key=lambda one: (one.what, one.problem)):
            first, *others = alike
            lines.append(f"  {first}" + (f" (and {len(others)} more)" if others else ""))
        return "\n".join(lines)
