"""python -m bench: our engine and server against CTranslate2 and PyTorch, side by side in one run.

All have the same weights and the same number of threads. CTranslate2 runs in each of the ways in which it can use them,
one batch with all threads and one batch for each thread, and is compared at its fastest. See bench/README.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from bench import engine_suite, served_suite
from bench.subjects import Subject, random_base, trained
from service.bundle.runtime import Runtime

SUITES = ("engine", "served")


def main() -> None:
    """Measure, print tables, and write the same figures as JSON."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    figures: dict[str, Any] = {"machine": _machine(options.threads), "ratios": {}}
    with tempfile.TemporaryDirectory() as directory:
        subject = random_base(Path(directory) / "base")
        if options.checkpoint is not None:
            subject = trained(options.checkpoint, Path(directory) / "trained")
        figures["model"] = subject.name
        for suite in SUITES if options.suite is None else (options.suite,):
            run = _engine if suite == "engine" else _served
            figures[suite], ratios = run(subject, options)
            figures["ratios"] |= ratios
    print("\nratios, ours / CTranslate2 at its fastest, int8:")
    for name, value in figures["ratios"].items():
        print(f"  {name:28} {value:.2f}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def _engine(subject: Subject, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, float]]:
    runtime = Runtime.start("cpu", options.threads)
    everybody = engine_suite.contestants(subject, options.precisions, runtime, with_pytorch=not options.no_pytorch)
    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    for case in engine_suite.CASES:
        compared = engine_suite.compare(subject, case, everybody, options.rounds)
        print(f"\n{subject.name}, {case.name}: target tokens per second, median (least to most) of {options.rounds}")
        for name, rates in compared.rates.items():
            print(f"  {name:36} {compared.median(name):8.0f} ({min(rates):.0f} to {max(rates):.0f})", flush=True)
        figures[case.name] = {"rates": compared.rates, "ratios": {}}
        for precision in options.precisions:
            opponent = compared.best_opponent(precision)
            values = compared.ratios(f"seq2serve {precision}", opponent)
            figures[case.name]["ratios"][precision] = {"opponent": opponent, "values": values}
            median = statistics.median(values)
            print(f"  {precision}: {median:.2f} ({min(values):.2f} to {max(values):.2f}) against {opponent}")
            if precision == "int8":
                ratios[case.name] = median
    return figures, ratios


def _served(subject: Subject, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, float]]:
    return asyncio.run(served_suite.run(subject, options.threads, options.rounds))


def _machine(threads: int) -> dict[str, Any]:
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    packages = {name: version(name) for name in ("onnxruntime", "ctranslate2", "torch", "numpy", "grpcio")}
    return {"cpu": cpu, "threads": threads, "python": platform.python_version(), "packages": packages}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--suite", choices=SUITES, help="default: both")
    parser.add_argument("--checkpoint", type=Path, help="default: Transformer base with random weights")
    parser.add_argument("--precisions", nargs="+", choices=["int8", "float32"], default=["int8", "float32"])
    parser.add_argument("--no-pytorch", action="store_true", help="leave PyTorch out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser


if __name__ == "__main__":
    main()
