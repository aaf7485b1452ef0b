from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from training.__main__ import main
from training.checkpoint import Checkpoint
from training.process_group import ProcessGroup

OVERRIDES = {
    "model.dropout": "0.1",
    "model.attention_dropout": "0.1",
    "model.num_encoder_layers": "1",
    "model.num_decoder_layers": "1",
    "data.batch_tokens": "128",
    "trainer.gradient_accumulation": "4",
    "trainer.schedule": "inverse_sqrt",
    "trainer.warmup_steps": "10",
    "trainer.validate_every_steps": "1",
    "trainer.save_every_steps": "5",
    "trainer.clip_norm": "1.0",
}


def arguments(prepared: Path, run: Path, max_steps: int) -> list[str]:
    settings = OVERRIDES | {"trainer.max_steps": str(max_steps)}
    flags = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    data = ["--data", str(prepared), "--output", str(run), "--device", "cpu"]
    return ["train", str(prepared / "recipe.yaml"), *data, *flags]


def run_in_two(command: list[str]) -> str:
    """What `python -m training` prints on two processes; they leave no thread behind that could abort them."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, "-m", "tests.training.process_of_run", *command],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for rank in range(2):
        assert f"threads of process {rank}: []" in done.stdout
    return done.stdout


def curve(run: Path) -> list[float]:
    """The development loss after every step."""
    return [validation["loss"] for validation in Checkpoint.load(run / "averaged.pt").progress["validations"]]


def test_two_processes_follow_the_curve_of_one_and_take_turns_with_it(prepared: Path, tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    assert main(arguments(prepared, alone, 12)) == 0
    expected = curve(alone)
    assert len(expected) == 12
    assert expected[-1] < expected[0] - 0.3
    assert main(arguments(prepared, shared, 4)) == 0
    printed = run_in_two(arguments(prepared, shared, 8))
    assert printed.count("2 processes on cpu, resumed at step 4") == 1
    assert printed.count("development loss") == 5  # four steps and the average, from one process
    assert main(arguments(prepared, shared, 12)) == 0
    assert curve(shared) == pytest.approx(expected, rel=1e-4)
    tokens = {Checkpoint.load(run / "averaged.pt").progress["target_tokens"] for run in (alone, shared)}
    assert len(tokens) == 1


def test_processes_that_cannot_share_an_update_are_told(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ProcessGroup, "current", lambda: ProcessGroup(rank=0, size=3))
    assert main(arguments(prepared, tmp_path, 5)) == 2
    assert "trainer.gradient_accumulation 4 is no multiple of the number of processes, 3" in capsys.readouterr().err
