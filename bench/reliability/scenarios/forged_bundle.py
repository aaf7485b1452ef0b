"""A bundle whose files are malformed and whose hashes are right: what ONNX Runtime and SentencePiece make of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.reliability.bundle_trial import FAILED, REFUSED, RIGHT, UNFORESEEN, WRONG
from bench.reliability.damage import forgeries
from bench.reliability.ground import Ground, Result
from bench.reliability.trials import TrialProcess, judge

NAME = "forged_bundle"
ALLOWED = (REFUSED, RIGHT, WRONG, FAILED, UNFORESEEN)
"""Whoever can write hashes can write another model. What must not happen: the process crashes or hangs."""


async def run(ground: Ground) -> Result:
    """All of them in a process that starts the server again and again."""
    damages = forgeries(ground.bundle, ground.amount(10, 64))
    with tempfile.TemporaryDirectory() as directory:
        trials = await TrialProcess(ground.bundle, Path(directory), ground.answers).try_all(damages)
    figures, faults = judge(trials, ALLOWED)
    return Result(NAME, figures, tuple(faults))
