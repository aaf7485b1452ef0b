"""Our engine as it runs on a device, and requests for it. How it is made for a device is decided here alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.gpu.machine import Machine
from service.bundle.bundle import Bundle
from service.bundle.runtime import Runtime
from service.engine.engine import Engine
from service.engine.placed import place_bundle
from service.engine.scheduler import Scheduler
from service.request import DecodingOptions, FailedEvent, FinishedEvent, Request, Translation

MAX_ENCODER_TOKENS = 2048
MAX_ARRIVALS = 3
BYSTANDER_SHARE, CANCELLED_SHARE = 0.2, 0.1


def open_bundle(directory: Path, machine: Machine, has_graphs: bool = True) -> Bundle:
    """A bundle on the machine's device, its steps replayed as CUDA graphs or launched kernel by kernel."""
    return Bundle.load(directory, Runtime.start(machine.device, has_cuda_graphs=has_graphs))


class PlacedEngine:
    """The engine that serves, with what it stands on at hand. One thread makes it and steps it."""

    def __init__(self, bundle: Bundle, num_rows: int) -> None:
        self.runner, self.cache = place_bundle(bundle, num_rows)
        self.runner.warm_up()
        self.engine = Engine(self.runner, self.cache, Scheduler(10**6, MAX_ENCODER_TOKENS))
        self._num_submitted = 0
        self._filled: list[int] = []

    def submit(self, job: Job) -> int:
        """Queue it; its number."""
        self._num_submitted += 1
        self.engine.submit(Request(self._num_submitted, job.source, job.decoding, 0.0))
        return self._num_submitted

    def step(self) -> list[FinishedEvent]:
        """What is done after one more step.

        Raises:
            Exception: what failed in the model.
        """
        finished = []
        for event in self.engine.step():
            if isinstance(event, FailedEvent):
                raise event.error
            if isinstance(event, FinishedEvent):
                finished.append(event)
        return finished

    def fill(self, jobs: Sequence[Job], position: int) -> None:
        """Put jobs of one row each into rows, in place of the last ones; step until all have come to that position."""
        for request_id in self._filled:
            self.engine.cancel(request_id)
        self._filled = [self.submit(job) for job in jobs]
        while self.cache.num_rows < len(jobs) or self.cache.positions[: len(jobs)].min() < position:
            self.step()


@dataclass(frozen=True)
class Job:
    """What is asked of the engine."""

    source: tuple[int, ...]
    decoding: DecodingOptions


def translate(engine: PlacedEngine, jobs: Sequence[Job], under_way: int) -> list[Translation]:
    """The best translation of each; so many are under way at a time, in order."""
    found: dict[int, Translation] = {}
    waiting = iter(enumerate(jobs))
    indices: dict[int, int] = {}
    num_left = len(jobs)
    while num_left:
        while len(indices) < under_way and (pair := next(waiting, None)) is not None:
            index, job = pair
            indices[engine.submit(job)] = index
        for event in engine.step():
            found[indices.pop(event.request_id)] = event.translations[0]
            num_left -= 1
    return [found[index] for index in range(len(jobs))]


def translate_at_random(engine: PlacedEngine, jobs: Sequence[Job], seed: int = 0) -> list[Translation]:
    """In random order, up to three arriving before each step, among others that are cancelled on their way."""
    generator = np.random.default_rng(seed)
    waiting = generator.permutation(len(jobs)).tolist()
    indices: dict[int, int] = {}
    bystanders: list[int] = []
    found: dict[int, Translation] = {}
    while len(found) < len(jobs):
        for _ in range(min(len(waiting), int(generator.integers(MAX_ARRIVALS + 1)))):
            index = waiting.pop()
            indices[engine.submit(jobs[index])] = index
            if generator.random() < BYSTANDER_SHARE:
                bystanders.append(engine.submit(jobs[int(generator.integers(len(jobs)))]))
        if bystanders and generator.random() < CANCELLED_SHARE:
            engine.engine.cancel(bystanders.pop(int(generator.integers(len(bystanders)))))
        for event in engine.step():
            if event.request_id in indices:
                found[indices[event.request_id]] = event.translations[0]
    for request_id in bystanders:
        engine.engine.cancel(request_id)
    engine.engine.check_integrity()
    return [found[index] for index in range(len(jobs))]
