"""The models that are measured: exported for our engine, converted for CTranslate2, and as they are in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bench.sentences import sentences
from export.writer import ExportOptions, export
from training.checkpoint import Checkpoint
from training.model import build_model
from training.model_settings import TransformerSettings
from training.recipe import DataSettings, Recipe
from training.vocabulary import END_ID, Vocabulary, VocabularySettings

VOCABULARY_SIZE = 16_000
FIXED_TOKENS = 32
"""Target tokens of every translation of a model with random weights, which would not end by itself."""


@dataclass(frozen=True)
class Subject:
    """One model in every form."""

    name: str
    checkpoint: Checkpoint
    directory: Path
    num_target_tokens: int | None
    """Of every translation; None: as the model ends it."""

    def bundle(self, precision: str, num_sentences: int = 64) -> Path:
        """Our bundle of that precision; it is calibrated, if int8, and checked on so many sentences."""
        path = self.directory / f"bundle-{precision}"
        if not path.exists():
            texts = tuple(sentences(num_sentences))
            options = ExportOptions(precision=precision, sentences=texts)  # type: ignore[arg-type]
            export(self.checkpoint, path, options)
        return path

    def ctranslate2(self) -> Path:
        """CTranslate2's model; the precision is chosen when it is opened."""
        from bench.ctranslate2_model import convert  # it is not everywhere that our models are measured

        path = self.directory / "ctranslate2"
        if not path.exists():
            num_source, num_target = len(self.checkpoint.source_vocabulary), len(self.checkpoint.target_vocabulary)
            convert(self.checkpoint.build_model(), path, num_source, num_target)
        return path

    def sources(self, number: int) -> list[list[int]]:
        """Real English sentences as the model reads them, ids with end of sentence."""
        longest = self.checkpoint.recipe.data.max_source_tokens - 1
        encoded = self.checkpoint.source_vocabulary.encode(sentences(number))
        return [[*ids[:longest], END_ID] for ids in encoded]


def random_base(directory: Path) -> Subject:
    """Transformer base (Vaswani et al. 2017, table 3) with random weights."""
    # With tied embeddings a model of random weights repeats its input, and its hypotheses never change places.
    return random_transformer(directory, "base", TransformerSettings(tie_embeddings=False), VOCABULARY_SIZE)


def random_transformer(directory: Path, name: str, model: TransformerSettings, vocabulary_size: int) -> Subject:
    """A Transformer with random weights, which reads and writes up to 128 tokens."""
    recipe = Recipe(
        name=name,
        source_language="en",
        target_language="xx",
        data=DataSettings(max_source_tokens=128, max_target_tokens=128),
        model=model,
    )
    torch.manual_seed(0)
    settings = VocabularySettings(size=vocabulary_size, kind="bpe", byte_fallback=False)
    vocabulary = Vocabulary.train([*sentences(1500), *_words(16_000)], settings)
    weights = build_model(recipe, vocabulary, vocabulary).state_dict()
    checkpoint = Checkpoint(
        recipe, vocabulary, vocabulary, weights, {"step": 0, "target_tokens": 0, "seconds": 0.0}, {}
    )
    return Subject(name, checkpoint, directory, FIXED_TOKENS)


def trained(path: Path, directory: Path) -> Subject:
    """A checkpoint of `python -m training train`."""
    checkpoint = Checkpoint.load(path)
    return Subject(checkpoint.recipe.name, checkpoint, directory, None)


def _words(number: int) -> Sequence[str]:
    """Made-up words, so that the vocabulary reaches its size."""
    generator = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return ["".join(generator.choice(letters, generator.integers(3, 9))) for _ in range(number)]
