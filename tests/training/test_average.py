from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.export.recurrent import make_checkpoint
from training.__main__ import main
from training.checkpoint import Checkpoint


def test_the_mean_of_checkpoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoints = [make_checkpoint(scale) for scale in (1.0, 3.0)]
    other = make_checkpoint(readout="maxout")
    paths = [tmp_path / f"{number}.pt" for number in range(3)]
    for checkpoint, path in zip((*checkpoints, other), paths, strict=True):
        checkpoint.save(path)
    output = tmp_path / "mean.pt"
    assert main(["average", str(paths[0]), str(paths[1]), "--output", str(output)]) == 0
    mean = Checkpoint.load(output)
    for name, weight in mean.weights.items():
        expected = (checkpoints[0].weights[name] + checkpoints[1].weights[name]) / 2
        torch.testing.assert_close(weight, expected)
    assert mean.progress["averaged_checkpoints"] == 2
    assert main(["average", str(paths[0]), str(paths[2]), "--output", str(tmp_path / "none.pt")]) == 2
    assert "2.pt is not of the same model as" in capsys.readouterr().err
    assert not (tmp_path / "none.pt").exists()
