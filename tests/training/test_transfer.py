from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.test_training import losses, make_trainer
from training.__main__ import main
from training.checkpoint import Checkpoint
from training.errors import TrainingError
from training.optimizer import MuonWithAdam
from training.transfer import transfer
from training.vocabulary import Vocabulary

MUON = ("trainer.optimizer=muon", "trainer.warmup_steps=5")


def test_muon_takes_the_matrices_of_layers_and_adam_the_rest(prepared: Path, tmp_path: Path) -> None:
    trainer = make_trainer(prepared, tmp_path, *MUON)
    optimizer = trainer.optimizer
    assert isinstance(optimizer, MuonWithAdam)
    names = {id(weight): name for name, weight in trainer.model.named_parameters()}
    muon, adam = (
        {names[id(weight)] for group in part.param_groups for weight in group["params"]}
        for part in optimizer.parts.values()
    )
    assert muon | adam == set(names.values())
    assert not muon & adam
    assert "encoder.layers.0.feed_forward.inner.weight" in muon
    assert {
        "encoder.embedding.tokens.weight",
        "encoder.layers.0.feed_forward.inner.bias",
        "encoder.norm.weight",
    } <= adam


def test_muon_is_refused_where_it_has_nothing_to_train(prepared: Path, tmp_path: Path) -> None:
    rnn = ("model={family: rnn, decoder: luong}", "trainer.optimizer=muon")
    with pytest.raises(TrainingError, match="use adam"):
        make_trainer(prepared, tmp_path, *rnn)


def test_another_optimizer_does_not_resume(prepared: Path, tmp_path: Path) -> None:
    make_trainer(prepared, tmp_path, *MUON, "trainer.max_steps=1").run()
    with pytest.raises(TrainingError, match=r"another trainer\.optimizer"):
        make_trainer(prepared, tmp_path).resume()


def test_muon_learns_by_the_schedule_and_resumes_with_the_same_losses(prepared: Path, tmp_path: Path) -> None:
    straight = make_trainer(prepared, tmp_path / "straight", *MUON)
    expected = losses(straight, 12)
    assert expected[-1] < expected[0]
    rates = {group["lr"] for group in straight.optimizer.param_groups}
    assert rates == {straight.schedule.get_last_lr()[0]}
    first = make_trainer(prepared, tmp_path / "stopped", *MUON)
    losses(first, 5)
    first._save()
    second = make_trainer(prepared, tmp_path / "stopped", *MUON)
    assert second.resume()
    assert losses(second, 7) == expected[5:]


def test_a_muon_update_is_orthogonal(prepared: Path, tmp_path: Path) -> None:
    trainer = make_trainer(prepared, tmp_path, "trainer.optimizer=muon", "trainer.warmup_steps=1")
    weight = dict(trainer.model.named_parameters())["encoder.layers.0.self_attention.output.weight"]
    before = weight.detach().clone()
    losses(trainer, 1)
    update = torch.linalg.svdvals(weight.detach() - before)
    assert update[16] > 0.7 * update[0]  # a batch this small has a gradient of low rank: the first ones count
    assert float(update[0]) < 2 * 0.2 * 64**0.5 * trainer.settings.learning_rate  # of the size of Adam's


def test_fine_tuning_keeps_pieces_and_learns_new_symbols(prepared: Path, tmp_path: Path) -> None:
    recipe, data = str(prepared / "recipe.yaml"), tmp_path / "data"
    trained = make_trainer(prepared, tmp_path / "trained")
    losses(trained, 3)
    trained._checkpoint(with_trainer=False).save(tmp_path / "trained.pt")
    prepare = ["prepare", recipe, "--input", str(prepared / "pairs.tsv"), "--output", str(data)]
    symbols = ["--set", "vocabulary.symbols=[⟦bt⟧]"]
    assert main(prepare) == 0
    assert main(["vocabulary", recipe, "--data", str(data), "--from", str(tmp_path / "trained.pt"), *symbols]) == 0
    old, new = (Vocabulary.load(directory / "source.model") for directory in (prepared, data))
    assert new.pieces() == [*old.pieces(), "⟦bt⟧"]
    assert new.encode(["⟦bt⟧ red cat"])[0][1:] == [len(old), *old.encode(["red cat"])[0]]
    (data / "recipe.yaml").write_text(Path(recipe).read_text())
    tuned = make_trainer(data, tmp_path / "tuned")
    tuned.initialize(Checkpoint.load(tmp_path / "trained.pt"))
    assert tuned.provenance["initialized_from"].startswith("synthetic after 3 steps")
    known, ours = trained.model.state_dict(), tuned.model.state_dict()
    for name, weight in ours.items():
        assert torch.equal(weight[: known[name].shape[0]], known[name]), name
    assert len(ours["output.weight"]) == len(old) + 1


def test_rows_go_to_their_pieces_in_another_vocabulary(prepared: Path, tmp_path: Path) -> None:
    trainer = make_trainer(prepared, tmp_path)
    checkpoint = trainer._checkpoint(with_trainer=False)
    checkpoint.weights = {name: weight.clone() for name, weight in checkpoint.weights.items()}
    other = make_trainer(prepared, tmp_path / "other", "seed=9")
    pieces = trainer.source_vocabulary.pieces()
    shuffled = _with_pieces(trainer.source_vocabulary, [*pieces[:4], *reversed(pieces[4:])])
    transfer(checkpoint, other.model, shuffled, shuffled)
    ours, theirs = other.model.state_dict()["output.weight"], checkpoint.weights["output.weight"]
    assert torch.equal(ours[4:], theirs[4:].flip(0))
    assert torch.equal(ours[:4], theirs[:4])


def test_another_model_or_no_common_piece_is_refused(prepared: Path, tmp_path: Path) -> None:
    trainer = make_trainer(prepared, tmp_path)
    checkpoint = trainer._checkpoint(with_trainer=False)
    with pytest.raises(TrainingError, match="other settings"):
        make_trainer(prepared, tmp_path / "wide", "model.feed_forward_size=64").initialize(checkpoint)
    pieces = trainer.source_vocabulary.pieces()
    strange = _with_pieces(trainer.source_vocabulary, [*pieces[:4], *(f"x{piece}x" for piece in pieces[4:])])
    with pytest.raises(TrainingError, match="no piece in common"):
        transfer(checkpoint, trainer.model, strange, strange)


def _with_pieces(vocabulary: Vocabulary, pieces: list[str]) -> Vocabulary:
    class Renamed(Vocabulary):
        def pieces(self) -> list[str]:
            return pieces

    return Renamed(vocabulary.model)
