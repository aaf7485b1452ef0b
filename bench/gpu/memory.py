"""Device memory before, during and after many requests of mixed lengths and beams."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.gpu.engines import Job, PlacedEngine, open_bundle
from bench.gpu.machine import Machine
from bench.gpu.models import Models
from bench.gpu.report import CheckFailedError
from bench.subjects import FIXED_TOKENS, Subject
from service.request import DecodingOptions

NUM_REQUESTS, TINY_REQUESTS = 10_000, 60
MAX_ROWS = 256
MAX_GROWTH_BYTES = 16 * 2**20
"""Over the second half. What grows for ever grows by more; allocators move by less."""


def memory(machine: Machine, models: Models) -> dict[str, Any]:
    """Base, 256 rows, a queue that is never empty.

    Raises:
        CheckFailedError: the second half took more memory than the first.
    """
    num_requests = TINY_REQUESTS if machine.is_tiny else NUM_REQUESTS
    before = machine.used_bytes()
    subject = models.random("base")
    engine = PlacedEngine(open_bundle(models.bundle(subject), machine), MAX_ROWS)
    samples = [machine.used_bytes()]
    waiting, num_done = iter(jobs(subject, num_requests)), 0
    while num_done < num_requests:
        while engine.engine.num_waiting < MAX_ROWS and (job := next(waiting, None)) is not None:
            engine.submit(job)
        num_done += len(engine.step())
        if num_done >= len(samples) * num_requests / 100:
            samples.append(machine.used_bytes())
    after = machine.used_bytes()
    growth = after - samples[len(samples) // 2]
    figures = {"before": before, "samples": samples, "after": after, "growth_of_second_half": growth}
    for name, value in (("before", before), ("loaded", samples[0]), ("most", max(samples)), ("after", after)):
        print(f"  {name:8} {value / 2**20:10.1f} MiB")
    print(f"  growth over the second half of {num_requests} requests: {growth / 2**20:+.1f} MiB")
    if growth > MAX_GROWTH_BYTES:
        raise CheckFailedError(f"memory grew by {growth / 2**20:.1f} MiB over the second half", figures)
    return figures


def jobs(subject: Subject, number: int) -> list[Job]:
    """Sources of 1 to 100 tokens, targets of 1 to 32, greedy or with two to eight hypotheses."""
    generator = np.random.default_rng(0)
    size = len(subject.checkpoint.source_vocabulary)
    found = []
    for _ in range(number):
        source = tuple(generator.integers(4, size, generator.integers(1, 101)).tolist())
        beam_size = int(generator.choice([1, 1, 1, 2, 4, 8]))
        found.append(Job(source, DecodingOptions(int(generator.integers(1, FIXED_TOKENS + 1)), beam_size=beam_size)))
    return found
