from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from msgspec import structs

from tests import synthetic
from training.__main__ import main
from training.checkpoint import Checkpoint
from training.data import read_pairs
from training.recipe import VocabularySettings, load_recipe
from training.vocabulary import Vocabulary

RECIPES = [f"transformer-{size}-wmt14-en-{code}" for size in ("base", "big") for code in ("de", "fr")]
SMALLER = {
    "vocabulary.size": 120,
    "data.batch_tokens": 256,
    "model.num_encoder_layers": 1,
    "model.num_decoder_layers": 1,
    "model.model_size": 32,
    "model.num_heads": 4,
    "model.feed_forward_size": 64,
    "trainer.max_steps": 4,
    "trainer.save_every_steps": 2,
    "trainer.validate_every_steps": 2,
    "trainer.log_every_steps": 2,
}


def write_compressed(path: Path, lines: list[str]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


@pytest.fixture
def gathered(tmp_path: Path) -> Path:
    """A directory as `mtdata get --merge --compress` leaves it, with the news tests beside it."""
    sources = synthetic.sentences(300, 1)
    write_compressed(tmp_path / "train.eng.gz", sources)
    write_compressed(tmp_path / "train.xxx.gz", [synthetic.translate(source) for source in sources])
    write_compressed(tmp_path / "train.meta.gz", ["Statmt-europarl-7"] * 200 + ["Statmt-commoncrawl-wmt13"] * 100)
    for name, seed in (("newstest2013", 2), ("newstest2014", 3)):
        sources = [*synthetic.sentences(20, seed), "red dog", "Red dog."]
        (tmp_path / f"{name}.eng").write_text("\n".join(sources) + "\n")
        (tmp_path / f"{name}.xxx").write_text("\n".join(sources) + "\n")  # left in English: still kept
    return tmp_path


@pytest.mark.parametrize(
    "name", [RECIPES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in RECIPES[1:-1]), RECIPES[-1]]
)
def test_from_downloaded_files_to_a_few_steps(gathered: Path, name: str) -> None:
    data, run = gathered / "data", gathered / "run"
    smaller = [word for key, value in SMALLER.items() for word in ("--set", f"{key}={value}")]
    files = {
        "--input": f"{gathered}/train.eng.gz,{gathered}/train.xxx.gz,{gathered}/train.meta.gz",
        "--development": f"{gathered}/newstest2013.eng,{gathered}/newstest2013.xxx",
        "--test": f"{gathered}/newstest2014.eng,{gathered}/newstest2014.xxx",
    }
    flags = [word for pair in files.items() for word in pair]
    assert main(["prepare", name, *flags, "--output", str(data)]) == 0
    assert main(["vocabulary", name, *smaller, "--data", str(data)]) == 0
    assert main(["train", name, *smaller, "--data", str(data), "--output", str(run), "--device", "cpu"]) == 0
    for split, seed in (("development", 2), ("test", 3)):
        kept = [source for source, _ in read_pairs(data / f"{split}.tsv")]
        assert kept == [*synthetic.sentences(20, seed), "red dog", "Red dog."]
    train = [source for source, _ in read_pairs(data / "train.tsv")]
    assert len(train) > len(set(train))  # as downloaded, duplicates and all
    assert not {"red dog", *synthetic.sentences(20, 2), *synthetic.sentences(20, 3)} & set(train)
    averaged = Checkpoint.load(run / "averaged.pt")
    assert averaged.progress["averaged_checkpoints"] == 2
    assert "Statmt-europarl-7" in averaged.progress["provenance"]["data"]


@pytest.mark.parametrize("name", RECIPES)
def test_settings_are_those_of_the_paper(name: str) -> None:
    recipe = load_recipe(name)
    is_big, is_french = "big" in name, name.endswith("fr")
    model, trainer = recipe.model, recipe.trainer
    assert recipe.data.batch_tokens * trainer.gradient_accumulation == 25_000
    assert trainer.learning_rate == pytest.approx((model.model_size * trainer.warmup_steps) ** -0.5, rel=1e-6)
    assert trainer.max_steps == (300_000 if is_big else 100_000)
    assert trainer.keep_checkpoints == (20 if is_big else 5)
    assert model.dropout == (0.3 if is_big and not is_french else 0.1)
    assert recipe.vocabulary.size == (32_000 if is_french else 37_000)
    assert recipe.name == name


def test_a_vocabulary_may_learn_from_a_sample() -> None:
    sentences = synthetic.sentences(2000, 4)
    settings = VocabularySettings(size=60, byte_fallback=False, kind="bpe", max_sentences=150)
    sampled = Vocabulary.train(sentences, settings).model
    assert sampled == Vocabulary.train(sentences, settings).model
    assert sampled != Vocabulary.train(sentences, structs.replace(settings, max_sentences=0)).model
