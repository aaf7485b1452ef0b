"""python -m bench.gpu: what only a machine with a GPU can show; see bench/README.md, "On a GPU".

Each part stands alone: one that fails is reported and the others go on. The exit code is 1 if one failed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.gpu.machine import Machine
from bench.gpu.models import Models
from bench.gpu.report import CheckFailedError, Skipped

PARTS = ("exactness", "quality", "steps", "launches", "throughput", "served", "memory")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for, print tables, write the same figures as JSON."""
    options = _parser().parse_args(arguments)
    machine = Machine(options.device, options.tiny)
    figures: dict[str, Any] = {"machine": machine.describe()}
    print(figures["machine"])
    with tempfile.TemporaryDirectory() as temporary:
        models = Models(machine, options.work or Path(temporary), options.checkpoint)
        names = ("training",) if options.training else options.parts
        for name in names:
            figures[name] = _run(name, partial(_measure, name, machine, models, options))
            if options.json is not None:
                options.json.write_text(json.dumps(figures, indent=2, default=str) + "\n")
    failed = [name for name in names if "failed" in figures[name]]
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nno part failed")
    return 1 if failed else 0


def _run(name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A part's figures, or what became of it."""
    print(f"\n== {name}", flush=True)
    started = time.perf_counter()
    try:
        found = measure()
    except Skipped as reason:
        found = {"skipped": str(reason)}
        print(f"  not measured: {reason}")
    except CheckFailedError as failure:
        found = failure.figures | {"failed": str(failure)}
        print(f"  FAILED: {failure}")
    except Exception as error:  # whatever it is, the other parts can still be measured
        found = {"failed": f"{type(error).__name__}: {error}"}
        traceback.print_exc(file=sys.stdout)
    return found | {"seconds": round(time.perf_counter() - started, 1)}


def _measure(name: str, machine: Machine, models: Models, options: argparse.Namespace) -> dict[str, Any]:
    """Run one part. What it imports may be missing without harm to the others."""
    measure = getattr(importlib.import_module(f"bench.gpu.{name}"), name)
    if name == "training":
        return measure(machine, options.batch_tokens)
    further = {"exactness": [options.sentences], "quality": [options.test]}.get(name, [])
    return measure(machine, models, *further)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--training", action="store_true", help="measure training, and nothing else")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small models, few repeats: to try the suite itself")
    parser.add_argument("--sentences", type=int, default=200, help="of exactness")
    parser.add_argument("--checkpoint", type=Path, help="a trained model, beside random weights, for exactness")
    parser.add_argument(
        "--test", type=Path, nargs=2, metavar=("SOURCE", "REFERENCE"), help="held-out text, for quality"
    )
    parser.add_argument("--batch-tokens", type=int, nargs="+", default=[25_000, 50_000], help="of training")
    parser.add_argument("--work", type=Path, help="folder that keeps exported bundles for the next command")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
