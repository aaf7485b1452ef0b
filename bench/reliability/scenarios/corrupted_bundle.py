"""A bundle damaged in every region of every file: refused with a sentence, or served rightly where that is harmless."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.processes import REPOSITORY
from bench.reliability.bundle_trial import REFUSED, RIGHT
from bench.reliability.damage import MANIFEST, Damage, accidents
from bench.reliability.ground import Ground, Result
from bench.reliability.trials import TrialProcess, judge

NAME = "corrupted_bundle"
PLACES_PER_FILE = 24
LONG_PLACES_PER_FILE = 64
START_SECONDS = 60.0
REAL_STARTS = (
    Damage("encoder.onnx", offset=10**6),
    Damage("target.model", length=0),
    Damage("decoder.onnx", replaced_by=""),
    Damage(MANIFEST, length=1000),
)


async def run(ground: Ground) -> Result:
    """All damages in a process that starts the server again and again, and some by the command."""
    damages = accidents(ground.bundle, ground.amount(PLACES_PER_FILE, LONG_PLACES_PER_FILE), ground.amount(24, 256))
    with tempfile.TemporaryDirectory() as directory:
        trials = await TrialProcess(ground.bundle, Path(directory), ground.answers).try_all(damages)
    figures, faults = judge([trial for trial in trials if trial.damage.file != MANIFEST], {REFUSED})
    of_manifest, more = judge([trial for trial in trials if trial.damage.file == MANIFEST], {REFUSED, RIGHT})
    faults += more
    for damage in REAL_STARTS:
        faults += await asyncio.to_thread(_start, ground.bundle, damage)
    figures = f"files: {figures}; manifest: {of_manifest}; {len(REAL_STARTS)} real starts"
    return Result(NAME, figures, tuple(faults))


def _start(bundle: Path, damage: Damage) -> list[str]:
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "copy"
        shutil.copytree(bundle, copy)
        damage.apply(bundle, copy)
        command = [sys.executable, "-m", "service", "--models", str(copy), "--grpc-address", "127.0.0.1:0"]
        command += ["--http-address", "127.0.0.1:0"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=START_SECONDS, check=False, cwd=REPOSITORY
            )
        except subprocess.TimeoutExpired:
            return [f"start with {damage}: hangs or serves"]
    return refusal_faults(f"start with {damage}", done.returncode, done.stderr)


def refusal_faults(what: str, code: int, output: str) -> list[str]:
    """A refusal is exit code 2 and one sentence."""
    last = output.strip().splitlines()[-1:] or [""]
    if code == 2 and last[0].startswith("error: ") and "Traceback" not in output:
        return []
    return [f"{what}: exit code {code}, {output[-300:]!r}"]
