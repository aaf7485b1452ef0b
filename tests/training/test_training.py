from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from training.__main__ import main
from training.checkpoint import Checkpoint, average
from training.checkpoint_files import step_checkpoints
from training.data import BatchStream, ParallelData, read_pairs
from training.errors import TrainingError
from training.loss import sequence_loss
from training.model import build_model
from training.prepare import split_of
from training.recipe import DataSettings, PrepareSettings, load_recipe
from training.trainer import Trainer
from training.vocabulary import END_ID, PAD_ID, Vocabulary

CPU = torch.device("cpu")
OVERRIDES = (
    "trainer.max_steps=12",
    "trainer.save_every_steps=6",
    "trainer.validate_every_steps=6",
    "trainer.log_every_steps=3",
    "trainer.keep_checkpoints=2",
    "model.dropout=0.1",
    "model.num_encoder_layers=1",
    "model.num_decoder_layers=1",
    "data.batch_tokens=128",
)


def make_trainer(prepared: Path, directory: Path, *overrides: str) -> Trainer:
    recipe = load_recipe(str(prepared / "recipe.yaml"), (*OVERRIDES, *overrides))
    vocabulary = Vocabulary.load(prepared / "source.model")
    data = [
        ParallelData.read(prepared / name, vocabulary, vocabulary, recipe.data)
        for name in ("train.tsv", "development.tsv")
    ]
    return Trainer(recipe, vocabulary, vocabulary, [data[0]], data[1], directory, CPU)


def losses(trainer: Trainer, number: int) -> list[float]:
    batches = iter(trainer.stream)
    return [trainer.train_step(batches)[0] for _ in range(number)]


def test_a_resumed_run_has_the_losses_of_an_uninterrupted_one(prepared: Path, tmp_path: Path) -> None:
    straight = make_trainer(prepared, tmp_path / "straight")
    expected = losses(straight, 40)  # more than one epoch
    assert straight.stream.epoch > 0
    for stop_at in (7, 31):
        directory = tmp_path / f"stopped-{stop_at}"
        first = make_trainer(prepared, directory)
        assert losses(first, stop_at) == expected[:stop_at]
        first._save()
        second = make_trainer(prepared, directory)
        assert second.resume()
        assert second.step == stop_at
        assert losses(second, 40 - stop_at) == expected[stop_at:]


def test_accumulated_batches_equal_one_big_step(prepared: Path, tmp_path: Path) -> None:
    overrides = ("model.dropout=0.0", "trainer.gradient_accumulation=3", "trainer.clip_norm=0.0")
    trainer = make_trainer(prepared, tmp_path, *overrides)
    batches = [
        trainer.stream.versions[0].batch(i) for i in trainer.stream.versions[0].batches(trainer.recipe.data, seed=1)[:3]
    ]
    num_tokens = sum(batch.num_target_tokens for batch in batches)
    total = sum(sequence_loss(trainer.model, batch, 0.0) for batch in batches)
    (total / num_tokens).backward()  # type: ignore[union-attr]
    expected = [parameter.grad.clone() for parameter in trainer.model.parameters() if parameter.grad is not None]
    seen: list[torch.Tensor] = []

    def remember(*_: object) -> None:
        seen.extend(parameter.grad.clone() for parameter in trainer.model.parameters() if parameter.grad is not None)

    trainer.optimizer.zero_grad()
    trainer.optimizer.register_step_pre_hook(remember)
    trainer.train_step(iter(batches))
    for ours, theirs in zip(seen, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)


def test_a_run_keeps_averages_and_reports(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = make_trainer(prepared, tmp_path)
    path = trainer.run()
    kept = step_checkpoints(tmp_path)
    assert [file.name for file in kept] == ["step-6.pt", "step-12.pt"]
    first, second, averaged = (Checkpoint.load(file) for file in (*kept, path))
    for name, weight in averaged.weights.items():
        torch.testing.assert_close(weight, (first.weights[name] + second.weights[name]) / 2)
    assert averaged.progress["averaged_checkpoints"] == 2
    assert [entry["step"] for entry in averaged.progress["validations"]] == [6, 12]
    assert averaged.progress["target_tokens"] > 500
    assert list((tmp_path / "tensorboard").iterdir())
    assert "development loss" in capsys.readouterr().out


def test_training_stops_when_patience_is_out(prepared: Path, tmp_path: Path) -> None:
    # So high a rate that the loss soon grows.
    trainer = make_trainer(
        prepared, tmp_path, "trainer.patience=1", "trainer.max_steps=600", "trainer.learning_rate=5.0e-1"
    )
    trainer.run()
    assert trainer.step < 600


def test_bfloat16_learns_too(prepared: Path, tmp_path: Path) -> None:
    trainer = make_trainer(prepared, tmp_path, "trainer.precision=bfloat16", "trainer.warmup_steps=10")
    batches = iter(trainer.stream)
    per_token = [total / count for total, count in (trainer.train_step(batches) for _ in range(30))]
    assert per_token[-1] < per_token[0] - 0.5
    assert all(parameter.dtype == torch.float32 for parameter in trainer.model.parameters())


def test_label_smoothing_of_a_uniform_model_is_the_log_of_the_vocabulary(prepared: Path) -> None:
    recipe = load_recipe(str(prepared / "recipe.yaml"))
    vocabulary = Vocabulary.load(prepared / "source.model")
    model = build_model(recipe, vocabulary, vocabulary)
    for parameter in model.output.parameters():
        parameter.data.zero_()
    data = ParallelData.read(prepared / "development.tsv", vocabulary, vocabulary, recipe.data)
    batch = data.batch(data.batches(recipe.data)[0])
    loss = sequence_loss(model, batch, label_smoothing=0.1) / batch.num_target_tokens
    assert loss.item() == pytest.approx(torch.tensor(float(len(vocabulary))).log().item(), rel=1e-5)


def test_batches_hold_every_example_once_within_the_budget() -> None:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 30, (500,), generator=generator).tolist()
    data = ParallelData(
        [[5] * length + [END_ID] for length in lengths], [[6] * (length // 2 + 1) for length in lengths]
    )
    settings = DataSettings(batch_tokens=200)
    batches = data.batches(settings, seed=3)
    assert sorted(int(index) for batch in batches for index in batch) == list(range(500))
    for indices in batches:
        batch = data.batch(indices)
        assert batch.source.numel() <= 200
        assert batch.target_input.numel() <= 200
        assert batch.source_lengths.tolist() == [(row != PAD_ID).sum().item() for row in batch.source]
    assert [b.tolist() for b in data.batches(settings, seed=3)] == [b.tolist() for b in batches]
    assert [b.tolist() for b in data.batches(settings, seed=4)] != [b.tolist() for b in batches]


def test_a_stream_resumes_in_the_middle_of_an_epoch() -> None:
    data = ParallelData([[5, END_ID]] * 30, [[6]] * 30)
    settings = DataSettings(batch_tokens=8)
    straight = BatchStream([data], settings, seed=1)
    batches = iter(straight)
    for _ in range(11):
        next(batches)
    resumed = BatchStream([data], settings, seed=1, epoch=straight.epoch, position=straight.position)
    ours, theirs = iter(resumed), batches
    for _ in range(10):
        assert torch.equal(next(ours).source, next(theirs).source)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.num_head=4", "unknown key 'num_head' in model; did you mean 'num_heads'?"),
        ("trainer.learning_rate=fast", "trainer.learning_rate"),
        ("model.num_heads=0", "model.num_heads"),
        ("model.num_heads=5", "model_size must be a multiple of num_heads"),
        ("trainer.schedule=cosine", "trainer.schedule"),
        ("nonsense=1", "unknown key 'nonsense' in the recipe"),
        ("seed", "--set takes section.key=value"),
    ],
)
def test_a_wrong_recipe_names_the_key(
    prepared: Path, override: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["prepare", str(prepared / "recipe.yaml"), "--set", override, "--output", "nowhere"]
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_missing_recipe_names_those_that_ship() -> None:
    with pytest.raises(TrainingError, match="en-ko-software"):
        load_recipe("no-such-recipe")


def test_damaged_checkpoints_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "bad.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        Checkpoint.load(path)
    with pytest.raises(TrainingError, match="no checkpoint at"):
        Checkpoint.load(tmp_path / "missing.pt")
    with pytest.raises(TrainingError, match="no checkpoints"):
        average([])


def test_splitting_goes_by_origin() -> None:
    settings = PrepareSettings(development_origins=("dev",), test_origins=("test",), development_share=0.5)
    assert split_of("dev", settings) == "development"
    assert split_of("test", settings) == "test"
    splits = [split_of(f"package-{index}", settings) for index in range(400)]
    assert 150 < splits.count("development") < 250
    assert splits == [split_of(f"package-{index}", settings) for index in range(400)]


def test_evaluating_translations_and_checkpoints(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(prepared / "development.tsv")
    (tmp_path / "same.txt").write_text("\n".join(target for _, target in read_pairs(Path(data))) + "\n")
    assert main(["evaluate", "--translations", str(tmp_path / "same.txt"), "--data", data]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert scores["bleu"] == pytest.approx(100)
    assert scores["chrf"] == pytest.approx(100)
    assert scores["num_sentences"] == len(read_pairs(Path(data)))
    assert "version:" in scores["chrf_signature"]
    make_trainer(prepared, tmp_path)._save()
    checkpoint = str(step_checkpoints(tmp_path)[0])
    assert main(["evaluate", checkpoint, "--data", data, "--limit", "5", "--output", str(tmp_path / "out.tsv")]) == 0
    assert json.loads(capsys.readouterr().out)["num_sentences"] == 5
    assert len((tmp_path / "out.tsv").read_text().splitlines()) == 5
    assert main(["evaluate", "--data", data]) == 2
    assert "either a checkpoint or --translations" in capsys.readouterr().err
