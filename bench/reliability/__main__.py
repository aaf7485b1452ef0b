"""python -m bench.reliability: make everything go wrong, and see that nothing is lost and nothing is wrong.

Prints a table in Markdown. Exit codes: 0 all is well; 1 something was lost, wrong, or should not have happened.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from bench.reliability import soak
from bench.reliability.answers import Answers
from bench.reliability.ground import Ground, Result
from bench.reliability.questions import all_questions
from bench.reliability.scenarios import (
    cancelled_streams,
    corrupted_bundle,
    deadline_storm,
    forged_bundle,
    full_disk,
    full_queue,
    fuzz,
    half_open,
    killed_clients,
    killed_service,
    model_swap,
    slow_readers,
    terminated,
)

SCENARIOS = (
    *(fuzz, slow_readers, half_open, killed_clients, full_queue, cancelled_streams, deadline_storm),
    *(corrupted_bundle, forged_bundle, full_disk, terminated, killed_service, model_swap),
)
SHORT_SOAK_MINUTES, LONG_SOAK_MINUTES = 1.5, 30.0
MAX_FAULTS_SHOWN = 10

Run = Callable[[Ground], Awaitable[Result]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios; the exit code."""
    options = _parser().parse_args(arguments)
    minutes = options.soak_minutes or (LONG_SOAK_MINUTES if options.long else SHORT_SOAK_MINUTES)
    runs: dict[str, Run] = {scenario.NAME: scenario.run for scenario in SCENARIOS}
    runs[soak.NAME] = partial(soak.run, minutes=minutes)
    names = options.scenarios or list(runs)
    if unknown := set(names) - set(runs):
        print(f"error: no scenario {', '.join(sorted(unknown))}; known: {', '.join(runs)}", file=sys.stderr)
        return 2
    results = asyncio.run(_run_all({name: runs[name] for name in names}, options.models, options.long))
    table = table_of(results)
    print(table)
    if options.output is not None:
        options.output.write_text(table)
    return 0 if all(result.passed for result, _ in results) else 1


async def _run_all(runs: dict[str, Run], bundle: Path, is_long: bool) -> list[tuple[Result, float]]:
    """Each result with its seconds."""
    ground = Ground(bundle, await Answers.compute(bundle, all_questions()), is_long)
    results: list[tuple[Result, float]] = []
    for name, run in runs.items():
        started = time.monotonic()
        result = await attempt(name, run, ground)
        results.append((result, time.monotonic() - started))
        print(f"{name}: {'passed' if result.passed else 'FAILED'}, {results[-1][1]:.0f} s", file=sys.stderr, flush=True)
        for fault in result.faults[:MAX_FAULTS_SHOWN]:
            print(f"  {fault}", file=sys.stderr, flush=True)
    return results


async def attempt(name: str, run: Run, ground: Ground) -> Result:
    """A scenario that itself fails is a fault; the others go on."""
    try:
        return await run(ground)
    except Exception as error:  # such as a service that died: that is what is looked for
        traceback.print_exc()
        return Result(name, "", (f"the scenario failed: {error!r}",))


def table_of(results: Sequence[tuple[Result, float]]) -> str:
    """In Markdown; the faults of those that failed below it."""
    lines = ["| scenario | passed | figures | seconds |", "|---|---|---|---:|"]
    for result, seconds in results:
        verdict = "yes" if result.passed else f"**no**, {len(result.faults)} faults"
        lines.append(f"| {result.name} | {verdict} | {result.figures} | {seconds:.0f} |")
    for result, _ in results:
        if not result.passed:
            shown = [" ".join(fault.split()) for fault in result.faults[:MAX_FAULTS_SHOWN]]
            lines += ["", f"{result.name}:", "", *(f"- {fault}" for fault in shown)]
    return "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.reliability", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenarios", type=lambda text: text.split(","), help="names, by commas; default: all")
    parser.add_argument(
        "--models", type=Path, default=Path("models/en-ko-software"), help="a bundle (default: %(default)s)"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="under 10 minutes (default)")
    length.add_argument("--long", action="store_true", help="more of everything")
    parser.add_argument(
        "--soak-minutes", type=float, help=f"default: {SHORT_SOAK_MINUTES:g}; long {LONG_SOAK_MINUTES:g}"
    )
    parser.add_argument("--output", type=Path, help="write the table to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
