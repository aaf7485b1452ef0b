"""python -m bench.scale_out: how throughput grows with replicas behind the real Envoy.

Each replica has one thread and the same share of one core, held by the kernel, as in a container with a limit: a
machine that has fewer cores than replicas, Envoy and the load generator need can only be asked that way. The load keeps
all replicas busy; arrangements take turns in every round. See docs/deploy/envoy.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
from dataclasses import asdict
from pathlib import Path

from bench import sentences
from bench.scale_out.arrangement import Arrangement, Measured, running
from tests.deploy.replica import BUNDLED_MODEL

NUM_SENTENCES = 1000
OTHER_PROCESSES = 2
"""Envoy and the load generator, which want a core each."""


def main() -> None:
    """Measure, and print a table."""
    options = _parser().parse_args()
    share = options.share or _default_share(options.replicas)
    texts = sentences.sentences(NUM_SENTENCES)
    print(
        f"{os.cpu_count()} cores; each replica: 1 thread, {share:g} of a core, {options.model.name}, "
        f"{options.rows} rows; {options.rounds} rounds of {options.seconds:g} s",
        flush=True,
    )
    with running(options.model, options.replicas, share, options.rows) as arrangements:
        rounds = asyncio.run(_measure(arrangements, texts, options.rounds, options.seconds))
    print("\n".join(table(rounds)))
    if options.json is not None:
        figures = {name: [asdict(one) for one in measured] for name, measured in rounds.items()}
        options.json.write_text(json.dumps({"share": share, "rounds": figures}, indent=2) + "\n")


async def _measure(
    arrangements: list[Arrangement], texts: list[str], num_rounds: int, seconds: float
) -> dict[str, list[Measured]]:
    rounds: dict[str, list[Measured]] = {arrangement.name: [] for arrangement in arrangements}
    for _ in range(num_rounds):
        for arrangement in arrangements:
            rounds[arrangement.name].append(await arrangement.measure(texts, seconds))
    return rounds


def table(rounds: dict[str, list[Measured]]) -> list[str]:
    """Markdown; ratios are to the first arrangement in the same round."""
    lines = [
        "| | sentences/s | ratio, median (least to most) | p95 ms | processor ms per sentence: replicas | Envoy "
        "| client | idle |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    base = next(iter(rounds.values()))
    for name, measured in rounds.items():
        ratios = [
            one.sentences_per_second / first.sentences_per_second for one, first in zip(measured, base, strict=True)
        ]
        columns = [
            f"{statistics.median(one.sentences_per_second for one in measured):.1f}",
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            f"{1000 * statistics.median(one.p95_seconds for one in measured):.0f}",
            *(
                f"{statistics.median(getattr(one, part) for one in measured):.2f}"
                for part in ("replica_milliseconds", "envoy_milliseconds", "client_milliseconds")
            ),
            f"{statistics.median(one.idle_share for one in measured):.0%}",
        ]
        lines.append(f"| {name} | {' | '.join(columns)} |")
    return lines


def _default_share(num_replicas: int) -> float:
    has_enough = (os.cpu_count() or 1) >= num_replicas + OTHER_PROCESSES
    return 1.0 if has_enough else 0.25


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale_out", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=BUNDLED_MODEL, help="a bundle (default: the bundled en-ko)")
    parser.add_argument("--replicas", type=int, default=3, help="at most (default: %(default)s)")
    parser.add_argument(
        "--share",
        type=float,
        help="of a core, for each replica (default: 1 where there are enough cores, else 0.25; below 1 needs root)",
    )
    parser.add_argument("--rows", type=int, default=16, help="of each replica (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="of each arrangement in a round (default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, help="file for all figures")
    return parser


if __name__ == "__main__":
    main()
