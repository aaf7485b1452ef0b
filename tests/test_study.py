from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
import yaml

from tests import synthetic
from training.__main__ import main
from training.checkpoint import Checkpoint
from training.errors import TrainingError
from training.study.settings import load_study
from training.study.training import read_log, train

SMALL_RNN = {"family": "rnn", "embedding_size": 16, "hidden_size": 16, "readout_size": 16}


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("study")
    recipe = yaml.safe_load(synthetic.RECIPE)
    model = recipe.pop("model") | {"model_size": 32, "feed_forward_size": 32}
    del recipe["name"]
    recipe["trainer"] |= {
        "max_steps": 12,
        "log_every_steps": 3,
        "validate_every_steps": 6,
        "save_every_steps": 6,
    }
    systems = [
        {"name": "without", "description": "A fixed vector.", "model": SMALL_RNN | {"decoder": "context"}},
        {"name": "with", "description": "Attention.", "model": model, "trainer": {"learning_rate": 1e-3}},
    ]
    synthetic.write_tsv(str(directory / "pairs.tsv"), number=300)
    with (directory / "pairs.tsv").open("a", encoding="utf-8") as file:
        for source in synthetic.sentences(60, seed=3):
            file.write(f"{source}\t{synthetic.translate(source)}\tunseen\n")
    recipe["prepare"]["test_origins"] = ["unseen"]
    (directory / "study.yaml").write_text(yaml.safe_dump({"name": "small", "recipe": recipe, "systems": systems}))
    return directory / "study.yaml"


@pytest.mark.timeout(600)  # ten processes, six of which load torch
def test_a_study_from_pairs_to_report(study_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output, report = tmp_path / "output", tmp_path / "report"
    arguments = ["study", str(study_file), "--output", str(output), "--report", str(report), "--device", "cpu"]
    assert main([*arguments, "--input", str(study_file.parent / "pairs.tsv")]) == 0
    assert capfd.readouterr().out.splitlines()[-1] == str(report / "README.md")
    with (report / "results.csv").open(newline="") as file:
        rows = {row["system"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["without", "with"]
    for name, row in rows.items():
        checkpoint = Checkpoint.load(output / name / "averaged.pt")
        assert int(row["parameters"]) == sum(p.numel() for p in checkpoint.build_model().parameters())
        assert int(row["target_tokens"]) == checkpoint.progress["target_tokens"]
        losses = [validation["loss"] for validation in checkpoint.progress["validations"]]
        assert float(row["development_loss"]) == pytest.approx(min(losses), abs=1e-4)
        assert float(row["served_tokens_per_second"]) > 0
        translated = (output / f"{name}.served").read_text().splitlines()
        with (output / name / "test.tsv").open() as file:
            assert [line.split("\t")[1] for line in file][: len(translated)] == translated
    text = (report / "README.md").read_text()
    for part in ("A fixed vector.", "nrefs:1", "| with |", "1–10", "loss-by-time.png"):
        assert part in text
    assert len(list(report.glob("*.png"))) == 3
    first = (output / "training.csv").read_text()
    train(load_study(str(study_file)), output / "data", output, torch.device("cpu"))  # everything is there
    assert (output / "training.csv").read_text() == first


def test_systems_train_in_turns_and_resume(study_file: Path, tmp_path: Path) -> None:
    study = load_study(str(study_file))
    data = tmp_path / "data"
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(study.recipe_of(study.systems[0]).to_dict()))
    assert main(["prepare", str(recipe), "--input", str(study_file.parent / "pairs.tsv"), "--output", str(data)]) == 0
    assert main(["vocabulary", str(recipe), "--data", str(data)]) == 0
    train(study, data, tmp_path / "whole", torch.device("cpu"))
    log = read_log(tmp_path / "whole" / "training.csv")
    assert [(row["system"], row["step"]) for row in log] == [
        (name, str(step)) for step in (3, 6, 9, 12) for name in ("without", "with")
    ]
    # Killed at step 9: what came after the checkpoint of step 6 is done again, and logged once.
    resumed = tmp_path / "resumed"
    train(load_study(str(study_file), ("trainer.max_steps=6",)), data, resumed, torch.device("cpu"))
    with (resumed / "training.csv").open("a") as file:
        file.write("without,9,1,1.0,9.9\n")
    train(study, data, resumed, torch.device("cpu"))
    again = read_log(resumed / "training.csv")
    assert [(row["system"], row["step"]) for row in again] == [(row["system"], row["step"]) for row in log]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"systems": []}, "systems"),
        ({"surprise": 1}, "surprise"),
        ({"systems": [{"name": "a", "description": "", "model": {"family": "cnn"}}]}, "cnn"),
        ({"systems": [{"name": "a", "description": "", "model": {"family": "rnn", "hidden": 3}}]}, "hidden"),
        ({"systems": [{"name": "a", "description": "", "model": {}}] * 2}, "same name"),
    ],
)
def test_a_wrong_study_is_named(study_file: Path, tmp_path: Path, change: dict[str, object], message: str) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(yaml.safe_dump(yaml.safe_load(study_file.read_text()) | change))
    with pytest.raises(TrainingError, match=message):
        load_study(str(wrong))
