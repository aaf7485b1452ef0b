from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.training.test_processes import run_in_two
from training.__main__ import main
from training.captioning.checkpoint import CaptionCheckpoint
from training.captioning.examples import read_examples
from training.captioning.prepare import read_prepared
from training.checkpoint import Checkpoint
from training.errors import TrainingError


def test_stamps_and_scenes_are_prepared(caption_run: Path) -> None:
    examples = read_examples(caption_run.parent / "data")
    checkpoint = CaptionCheckpoint.load(caption_run / "averaged.pt")
    features = read_prepared(checkpoint.recipe, caption_run.parent / "data").features
    assert features.shape == (sum(example.num_views for example in examples), 6, 24)
    stamps = [example for example in examples if example.kind == "stamp"]
    assert {example.num_views for example in stamps if example.split == "train"} == {2}
    assert {example.num_views for example in stamps if example.split != "train"} == {1}
    assert [example.first_view for example in examples[1:]] == [
        example.first_view + example.num_views for example in examples[:-1]
    ]
    assert "48 scenes of the project's own making" in checkpoint.progress["provenance"]["data"]


def test_features_go_on_where_a_killed_run_stopped(caption_run: Path) -> None:
    data = caption_run.parent / "data"
    [path] = data.glob("features-*.f16")
    whole = path.read_bytes()
    path.rename(data / f".{path.name}.partial")
    with (data / f".{path.name}.partial").open("r+b") as file:
        file.truncate(len(whole) // 2 + 7)  # in the middle of a picture, and of a stamp's views
    arguments = [
        "--stamps",
        str(caption_run.parent / "stamps"),
        "--encoder-weights",
        str(caption_run.parent / "published.pth"),
    ]
    assert main(["caption-prepare", str(caption_run.parent / "recipe.yaml"), "--output", str(data), *arguments]) == 0
    found = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.float16).float()
    expected = torch.frombuffer(bytearray(whole), dtype=torch.float16).float()
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=2e-2)  # in other batches


def test_a_resumed_run_is_an_uninterrupted_one(caption_run: Path, tmp_path: Path) -> None:
    recipe, data = str(caption_run.parent / "recipe.yaml"), str(caption_run.parent / "data")
    train = ["caption-train", recipe, "--data", data, "--output", str(tmp_path)]
    schedule = ["--set", "trainer.max_steps=12"]
    assert main([*train, *schedule]) == 0
    (tmp_path / "averaged.pt").unlink()
    assert main(train) == 0
    found, expected = (CaptionCheckpoint.load(path / "step-24.pt") for path in (tmp_path, caption_run))
    assert found.progress["target_tokens"] == expected.progress["target_tokens"]
    for name, weight in expected.weights.items():
        torch.testing.assert_close(found.weights[name], weight)


def test_two_processes_follow_the_curve_of_one(caption_run: Path, tmp_path: Path) -> None:
    recipe, data = str(caption_run.parent / "recipe.yaml"), str(caption_run.parent / "data")
    settings = ["--set", "trainer.gradient_accumulation=2", "--set", "trainer.validate_every_steps=4"]
    train = ["caption-train", recipe, "--data", data, *settings, "--set", "trainer.max_steps=12", "--output"]
    assert main([*train, str(tmp_path / "alone")]) == 0
    assert run_in_two([*train, str(tmp_path / "shared")]).count("67 pictures, from the beginning") == 1
    alone, shared = (CaptionCheckpoint.load(tmp_path / run / "averaged.pt").progress for run in ("alone", "shared"))
    assert alone["target_tokens"] == shared["target_tokens"]
    assert len(alone["validations"]) == 3
    for expected, found in zip(alone["validations"], shared["validations"], strict=True):
        assert found == pytest.approx(expected, rel=1e-4)


def test_captions_cannot_be_compiled(caption_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, data = str(caption_run.parent / "recipe.yaml"), str(caption_run.parent / "data")
    compiled = ["--output", str(tmp_path), "--set", "trainer.compile=true"]
    assert main(["caption-train", recipe, "--data", data, *compiled]) == 2
    assert "trainer.compile" in capsys.readouterr().err


def test_evaluation_tells_kinds_and_languages_apart(
    caption_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, scores, told = str(caption_run.parent / "data"), tmp_path / "scores.json", tmp_path / "told.tsv"
    arguments = ["--data", data, "--json", str(scores), "--examples", str(told)]
    assert main(["caption-evaluate", str(caption_run / "averaged.pt"), *arguments]) == 0
    found = json.loads(scores.read_text())
    assert {"scenes, en", "scenes, new colours, ko", "scenes, new relations, en", "stamps, trained on, ko"} <= set(
        found
    )
    assert all(score["num_sentences"] == 6 for name, score in found.items() if name.startswith("scenes"))
    assert "nouns point" in capsys.readouterr().out
    lines = [line.split("\t") for line in told.read_text().splitlines()]
    scenes = [line for line in lines if line[:2] == ["scenes", "en"]]
    assert len(scenes) == 6
    assert all(line[4].endswith(".") for line in scenes)  # what would have been right


def test_checkpoints_of_other_kinds_are_told_apart(caption_run: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not a checkpoint of format 1"):
        Checkpoint.load(caption_run / "averaged.pt")
    torch.save({"format": 1}, tmp_path / "text.pt")
    with pytest.raises(TrainingError, match="not a checkpoint of captions"):
        CaptionCheckpoint.load(tmp_path / "text.pt")
    recipe, data = str(caption_run.parent / "recipe.yaml"), str(caption_run.parent / "data")
    other = ["caption-train", recipe, "--data", data, "--output", str(caption_run), "--set", "decoder.hidden_size=40"]
    assert main(other) == 2
    assert main([*other[:-1], "picture.height=32"]) == 2
