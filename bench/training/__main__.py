"""python -m bench.training: updates of our trainer against JoeyNMT's, same model, same batches, in one run.

Each toolkit is a long-lived process with the same number of threads; they train in turn, a round of a few updates each,
and only one computes at a time. A round's ratio compares the two on the same batches. See bench/README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bench.processes import REPOSITORY
from bench.training.subject import CASES, Case, Subject, write
from bench.training.workers import Worker
from training.vocabulary import Vocabulary

NUM_BATCHES = 12
REST_SECONDS = 0.2
JOEYNMT = REPOSITORY / ".venv-joeynmt" / "bin" / "python"
VOCABULARY = REPOSITORY / "models" / "en-ko-software" / "source.model"


def main() -> None:
    """Measure, print a line for each case, and write the same figures as JSON."""
    options = _parser().parse_args()
    vocabulary = Vocabulary.load(VOCABULARY)
    figures: dict[str, Any] = {"threads": options.threads, "vocabulary": len(vocabulary), "torch": torch.__version__}
    for case in CASES:
        if case.name not in options.cases:
            continue
        with tempfile.TemporaryDirectory() as directory:
            subject = write(case, vocabulary, NUM_BATCHES, Path(directory))
            figures[case.name] = _compare(subject, options)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _compare(subject: Subject, options: argparse.Namespace) -> dict[str, list[float]]:
    ours = Worker(sys.executable, "bench.training.ours", subject, options.threads)
    theirs = Worker(options.joeynmt, "bench.training.joeynmt_worker", subject, options.threads)
    rates: dict[str, list[float]] = {"seq2serve": [], "joeynmt": [], "seq2serve, CPU": [], "joeynmt, CPU": []}
    with ours, theirs:
        _print_check(subject, ours, theirs)
        for round_number in range(-1, options.rounds):  # the first warms both up
            numbers = _numbers(subject.case, round_number)
            num_tokens = sum(subject.tokens[number] for number in numbers)
            for name, worker in (("seq2serve", ours), ("joeynmt", theirs)):
                time.sleep(REST_SECONDS)  # the other's threads stop spinning
                seconds, cpu_seconds = worker.train(numbers)
                if round_number >= 0:
                    rates[name].append(num_tokens / seconds)
                    rates[f"{name}, CPU"].append(num_tokens / cpu_seconds)
    return rates | _ratios(rates)


def _ratios(rates: dict[str, list[float]]) -> dict[str, list[float]]:
    """Print rates and ratios; return the ratios, round by round."""
    ratios = {}
    for clock, unit in (("", "second"), (", CPU", "second of the processor")):
        pairs = zip(rates[f"seq2serve{clock}"], rates[f"joeynmt{clock}"], strict=True)
        ratios[f"ratio{clock}"] = [ours / theirs for ours, theirs in pairs]
        print(f"  target tokens per {unit}: seq2serve {_spread(rates[f'seq2serve{clock}'], 0)}, ", end="")
        print(
            f"joeynmt {_spread(rates[f'joeynmt{clock}'], 0)}, ratio {_spread(ratios[f'ratio{clock}'], 2)}", flush=True
        )
    return ratios


def _numbers(case: Case, round_number: int) -> list[int]:
    """Which batches a round trains on; every batch has its turn."""
    first = (round_number + 1) * case.updates
    return [number % NUM_BATCHES for number in range(first, first + case.updates)]


def _print_check(subject: Subject, ours: Worker, theirs: Worker) -> None:
    """Evidence that it is one model.

    Raises:
        RuntimeError: it is not.
    """
    case = subject.case
    print(f"\n{case.name}: {case.updates} updates a round, {statistics.mean(subject.tokens):.0f} target tokens each")
    print(f"  first batch, no dropout: loss {ours.loss:.6f} and {theirs.loss:.6f} nats per token, ", end="")
    print(f"gradient norm {ours.gradient_norm:.6f} and {theirs.gradient_norm:.6f}", flush=True)
    if not (
        math.isclose(ours.loss, theirs.loss, rel_tol=1e-4)
        and math.isclose(ours.gradient_norm, theirs.gradient_norm, rel_tol=1e-3)
    ):
        raise RuntimeError(f"{case.name}: the two toolkits do not compute the same")


def _spread(values: Sequence[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _parser() -> argparse.ArgumentParser:
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--joeynmt", type=Path, default=JOEYNMT, help="Python of the environment with JoeyNMT")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser


if __name__ == "__main__":
    main()
