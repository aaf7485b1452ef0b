"""Engines without servers: latency of one sentence alone, and throughput over many."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from bench.contestants import Decode, Sources, ctranslate2, ours, pytorch
from bench.subjects import Subject
from service.bundle.runtime import Runtime

ROWS = (8, 32, 64)
BEAM_SIZE = 4
NUM_ALONE = 6
ENDING_TIMES = 6
REST_SECONDS = 0.05
"""Between two contestants, so that the threads of the one have stopped spinning when the other begins."""

Rates = dict[str, list[float]]


@dataclass(frozen=True)
class Case:
    """One workload."""

    name: str
    rows: int
    beam_size: int
    num_sentences: int


CASES = (
    Case("latency_1", 1, 1, NUM_ALONE),
    *(
        Case(f"throughput_{rows}_{name}", rows, beam_size, rows * (2 if beam_size == 1 else 1))
        for rows in ROWS
        for name, beam_size in (("greedy", 1), ("beam4", BEAM_SIZE))
    ),
)


@dataclass(frozen=True)
class Comparison:
    """Target tokens per second of every contestant, round by round."""

    case: Case
    rates: Rates

    def median(self, contestant: str) -> float:
        """Target tokens per second."""
        return statistics.median(self.rates[contestant])

    def best_opponent(self, precision: str) -> str:
        """The CTranslate2 configuration that is fastest here."""
        names = [name for name in self.rates if name.startswith("CTranslate2") and name.endswith(precision)]
        return max(names, key=self.median)

    def ratios(self, contestant: str, other: str) -> list[float]:
        """Speed of one over the other, round by round; for one sentence alone, the inverse: its latency over theirs."""
        pairs = zip(self.rates[contestant], self.rates[other], strict=True)
        return [b / a if self.case.rows == 1 else a / b for a, b in pairs]


def contestants(subject: Subject, precisions: list[str], runtime: Runtime, with_pytorch: bool) -> dict[str, Decode]:
    """Everybody who takes part, by name; all use `runtime.num_threads` threads."""
    threads = runtime.num_threads
    found: dict[str, Decode] = {}
    for precision in precisions:
        found[f"seq2serve {precision}"] = ours(subject, precision, runtime)
        for workers in sorted({1, threads}):
            name = f"CTranslate2 {workers} x {threads // workers} threads {precision}"
            found[name] = ctranslate2(subject, precision, threads // workers, workers)
        if threads > 1:
            found[f"CTranslate2 1 x 1 thread {precision}"] = ctranslate2(subject, precision, 1, 1)
    if with_pytorch:
        found["PyTorch float32"] = pytorch(subject)
    return found


def compare(subject: Subject, case: Case, everybody: dict[str, Decode], rounds: int) -> Comparison:
    """Run a workload with everybody in turn, `rounds` times after a warm-up."""
    # Where sentences end by themselves, enough of them that the last and longest, alone at the end, count for little.
    num_times = 1 if subject.num_target_tokens else ENDING_TIMES
    sources = subject.sources(case.num_sentences * num_times)
    rates: Rates = {name: [] for name in everybody if case.beam_size == 1 or not name.startswith("PyTorch")}
    for index in range(rounds + 1):
        for name in rates:
            rate = _rate(everybody[name], sources, case)
            if index:
                rates[name].append(rate)
    return Comparison(case, rates)


def _rate(decode: Decode, sources: Sources, case: Case) -> float:
    time.sleep(REST_SECONDS)
    started = time.perf_counter()
    if case.rows == 1:
        num_tokens = sum(decode([source], 1, case.beam_size) for source in sources)
    else:
        num_tokens = decode(sources, case.rows, case.beam_size)
    return num_tokens / (time.perf_counter() - started)
