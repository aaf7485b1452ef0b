"""The models that are measured: exported for our engine, converted for CTranslate2, and as they are in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bench.ctranslate2_model import convert
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

    def bundle(self, precision: str) -> Path:
        """Our bundle of that precision."""
        path = self.directory / f"bundle-{precision}"
        if not path.exists():
            options = ExportOptions(precision=precision, sentences=tuple(sentences(64)))  # type: ignore[arg-type]
            export(self.checkpoint, path, options)
        return path

    def ctranslate2(self) -> Path:
        """CTranslate2's model; the precision is chosen when it is opened."""
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
    recipe = Recipe(
        name="base",
        source_language="en",
        target_language="xx",
        data=DataSettings(max_source_tokens=128, max_target_tokens=128),
        # With tied embeddings a model of random weights repeats its input, and its hypotheses never change places.
        model=TransformerSettings(tie_embeddings=False),
    )
    torch.manual_seed(0)
    settings = VocabularySettings(size=VOCABULARY_SIZE, kind="bpe", byte_fallback=False)
    vocabulary = Vocabulary.train([*sentences(1500), *_words(16_000)], settings)
    weights = build_model(recipe, vocabulary, vocabulary).state_dict()
    checkpoint = Checkpoint(
        recipe, vocabulary, vocabulary, weights, {"step": 0, "target_tokens": 0, "seconds": 0.0}, {}
    )
    return Subject("base", checkpoint, directory, FIXED_TOKENS)


def trained(path: Path, directory: Path) -> Subject:
    """A checkpoint of `python -m training train`."""
    checkpoint = Checkpoint.load(path)
    return Subject(checkpoint.recipe.name, checkpoint, directory, None)


def _words(number: int) -> Sequence[str]:
    """Made-up words, so that the vocabulary reaches its size."""
    generator = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return ["".join(generator.choice(letters, generator.integers(3, 9))) for _ in range(number)]
