"""Fuzzing of every RPC and of both ports: bench.fuzzing, held to the same ground as the other scenarios."""

from __future__ import annotations

from importlib.util import find_spec

from bench.reliability.ground import Ground, Result
from bench.reliability.tally import Tally

NAME = "fuzz"
NUM_INPUTS = 5000
LONG_NUM_INPUTS = 100_000


async def run(ground: Ground) -> Result:
    """A campaign against a service that others use meanwhile."""
    if find_spec("bench.fuzzing") is None:
        return Result(NAME, "", ("bench.fuzzing is not there",))
    from bench.fuzzing.campaign import Campaign

    tally = Tally()
    async with ground.service(tally) as service, ground.bystanders(service.address, number=1) as others:
        number = ground.amount(NUM_INPUTS, LONG_NUM_INPUTS)
        found = await Campaign(service.address, service.http_address, ground.seed, number).run()
    if not found.memory.is_bounded:
        tally.fault(f"memory grows: {found.memory}")
    figures = (
        f"{found.num_inputs} inputs, {len(found.violations)} violations; {found.memory}; others: {others.figures()}"
    )
    return Result(NAME, figures, (*map(str, found.violations), *tally.faults, *others.faults))
