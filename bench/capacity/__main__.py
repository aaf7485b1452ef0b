"""python -m bench.capacity: how many replicas for so many sentences per second at a latency goal.

Starts from what one replica can do (python -m bench.capacity.measure writes that file). The model behind it, and what
it leaves out: docs/deploy/capacity.md, whose figures --page writes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import MISSING, fields
from pathlib import Path

from bench.capacity.curve import Curve, CurveError
from bench.capacity.page import PageError, refresh
from bench.capacity.plan import Demand, Plan, PlanError, plan

MEASURED = Path(__file__).parent / "one-core.json"
_EXAMPLE = {"sentences_per_second": 100.0, "goal_seconds": 0.5}


def main(arguments: list[str] | None = None) -> int:
    """Print a plan, or write the page's figures; 2 where there is no plan, with a sentence that says why."""
    options = vars(_parser().parse_args(arguments))
    path, page = options.pop("curve"), options.pop("page")
    try:
        curve = Curve.read(path)
        if page is not None:
            page.write_text(refresh(page.read_text(), curve))
        else:
            demand = Demand(**options)
            print(_told(demand, curve, plan(curve, demand)))
    except (CurveError, PageError, PlanError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _told(demand: Demand, curve: Curve, found: Plan) -> str:
    conditions = curve.conditions
    lines = [
        f"One replica ({conditions.replica_cores} core(s) of {conditions.processor}, {conditions.models}): "
        f"{found.safe_rate:.0f} of {curve.capacity:.0f} sentences/s with p{demand.percentile} <= "
        f"{1000 * demand.goal_seconds:.0f} ms, then {found.in_flight:.1f} in flight; an autoscaler's target, "
        f"with room for bursts and a lost zone: {found.target_in_flight:.1f}",
        f"Replicas: {found.replicas}, {found.replicas // demand.zones} in each of {demand.zones} zones; "
        f"{demand.lost_zones} may fail; {found.cells} cell(s)",
        f"Cores: {found.cores}; memory {found.memory_bytes / 2**30:.1f} GiB; "
        f"network {found.bits_per_second / 1e6:.2f} Mbit/s of sentences in the busiest minute",
        f"Load in the busiest hour, all zones there: {found.usual_load:.0%}",
        f"Core hours for a million sentences: {found.core_hours_per_million:.2f} with all of these all the time, "
        f"{found.least_core_hours_per_million:.2f} with no more than the load needs",
    ]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--curve", type=Path, default=MEASURED, help="what was measured (default: %(default)s)")
    parser.add_argument("--page", type=Path, help="write the figures of this page anew, and plan nothing")
    for field in fields(Demand):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=int if field.type == "int" else float,
            default=_EXAMPLE.get(field.name) if field.default is MISSING else field.default,
            help="(default: %(default)s)",
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
