from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training.__main__ import main
from training.checkpoint import Checkpoint
from training.checkpoint_files import step_checkpoints

SAVE_EVERY = 3
SETTINGS = {
    "trainer.max_steps": 24,
    "trainer.schedule": "inverse_sqrt",
    "trainer.save_every_steps": SAVE_EVERY,
    "trainer.validate_every_steps": 1,
    "trainer.keep_checkpoints": 2,
    "model.dropout": 0.1,
    "model.num_encoder_layers": 1,
    "model.num_decoder_layers": 1,
}


class Run:
    """`python -m training train` in a process of its own; what it prints is in a file."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self.log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", "training", *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )

    def last_step(self) -> int:
        steps = re.findall(r"step (\d+): development", self.log.read_text())
        return int(steps[-1]) if steps else 0

    def wait_for(self, step: int) -> None:
        while self.last_step() < step:
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def newest_step(run: Path) -> int:
    """Of the checkpoints, all of which must load."""
    for path in run.glob("*.pt"):
        Checkpoint.load(path)
    found = step_checkpoints(run)
    return Checkpoint.load(found[-1]).progress["step"] if found else 0


def test_a_killed_run_loses_no_more_than_the_steps_since_its_last_checkpoint(prepared: Path, tmp_path: Path) -> None:
    data, run, log = tmp_path / "data", tmp_path / "run", tmp_path / "log"
    shutil.copytree(prepared, data, ignore=shutil.ignore_patterns("encoded"))
    flags = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    common = ["train", str(data / "recipe.yaml"), "--data", str(data), "--device", "cpu", *flags]
    moments = random.Random(1)
    newest = 0
    for earliest in (0, 5, 12):
        training = Run([*common, "--output", str(run)], log)
        training.wait_for(earliest)
        time.sleep(moments.uniform(0, 0.3 if earliest else 2.0))
        training.kill()
        assert f"resumed at step {newest}" in log.read_text() or not newest
        newest = newest_step(run)
        assert training.last_step() - newest <= SAVE_EVERY
    (run / ".step-25.pt.partial").write_bytes(b"half a checkpoint")
    training = Run([*common, "--output", str(run)], log)
    assert training.process.wait(timeout=200) == 0, log.read_text()
    assert f"resumed at step {newest}" in log.read_text()
    assert not list(run.glob(".*.partial"))
    assert main([*common, "--output", str(tmp_path / "straight")]) == 0
    killed, straight = (Checkpoint.load(path / "averaged.pt") for path in (run, tmp_path / "straight"))
    losses = [validation["loss"] for validation in straight.progress["validations"]]
    assert [validation["loss"] for validation in killed.progress["validations"]] == pytest.approx(losses, rel=1e-4)
    assert len(losses) == 24
