"""A new version of a bundle put in the place of the one that is served: no request notices but by its answer."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from pathlib import Path

from bench.reliability.calls import Stub, connected
from bench.reliability.ground import Ground, Result
from bench.reliability.tally import Tally
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

NAME = "model_swap"
WATCH_SECONDS = 0.5
SWAP_SECONDS = 15.0


async def run(ground: Ground) -> Result:
    """Several versions after each other, all with the same weights, so that the right answers stay the same."""
    tally = Tally()
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        models = Path(directory) / "models"
        shutil.copytree(ground.bundle, models / ground.bundle.name)
        served = Ground(models, ground.answers, ground.is_long)
        async with (
            served.service(tally, "--watch-seconds", str(WATCH_SECONDS)) as service,
            served.bystanders(service.address, number=8) as others,
            connected(service.address) as stub,
        ):
            for number in range(ground.amount(3, 20)):
                version = f"swapped-{number}"
                _replace(models / ground.bundle.name, Path(directory), version)
                seconds.append(await _wait_for(stub, version, tally))
    figures = f"{len(seconds)} versions, served after {min(seconds):.2f} to {max(seconds):.2f} s; {others.figures()}"
    return Result(NAME, figures, (*tally.faults, *others.faults))


def _replace(place: Path, outside: Path, version: str) -> None:
    """Copy the bundle outside, give it a version, and rename it into place."""
    new, old = outside / f"{version}.tmp", outside / f"{version}.old"
    shutil.copytree(place, new)
    manifest = json.loads((new / "manifest.json").read_text())
    (new / "manifest.json").write_text(json.dumps({**manifest, "version": version}, indent=2))
    place.rename(old)
    new.rename(place)
    shutil.rmtree(old)


async def _wait_for(stub: Stub, version: str, tally: Tally) -> float:
    """How long it took until that version answered."""
    started = time.monotonic()
    while time.monotonic() < started + SWAP_SECONDS:
        response = await stub.Translate(pb.TranslateRequest(texts=["Save the file."]))
        if response.model_version == version:
            return time.monotonic() - started
        await asyncio.sleep(0.1)
    tally.fault(f"{version} does not answer {SWAP_SECONDS:g} s after it was put in place")
    return SWAP_SECONDS
