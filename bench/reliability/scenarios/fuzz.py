"""Fuzzing of every RPC: bench.fuzzing, held to the same ground as the other scenarios."""

from __future__ import annotations

from importlib.util import find_spec

from bench.reliability.ground import Ground, Result

NAME = "fuzz"


async def run(ground: Ground) -> Result:  # noqa: ARG001
    """To be wired to bench.fuzzing.campaign.Campaign."""
    found = find_spec("bench.fuzzing")
    return Result(NAME, "", ("bench.fuzzing is not there" if found is None else "bench.fuzzing is not wired up",))
