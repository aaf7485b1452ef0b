"""What both toolkits train: one model's weights and settings, and the same padded batches, in two files."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from bench.sentences import sentences
from training.checkpoint import Checkpoint
from training.data import Batch, BatchStream, ParallelData
from training.model import build_model
from training.model_settings import TransformerSettings
from training.recipe import DataSettings, Recipe, TrainerSettings
from training.vocabulary import END_ID, Vocabulary

NUM_SENTENCES = 1500
BASE = TransformerSettings()
SMALL = TransformerSettings(
    num_encoder_layers=4, num_decoder_layers=2, model_size=256, feed_forward_size=1024, num_heads=4
)


@dataclass(frozen=True)
class Case:
    """One comparison."""

    name: str
    model: TransformerSettings
    precision: Literal["float32", "bfloat16"]
    batch_tokens: int
    """Target tokens in a batch, padding included."""
    updates: int
    """In each round: few, so that what else runs on the machine slows both sides alike."""

    @property
    def recipe(self) -> Recipe:
        """What our trainer is given; the rate of learning stays far from where training could diverge."""
        return Recipe(
            name=self.name,
            source_language="en",
            target_language="en",
            data=DataSettings(batch_tokens=self.batch_tokens, max_source_tokens=128, max_target_tokens=128),
            model=self.model,
            trainer=TrainerSettings(
                warmup_steps=1, learning_rate=1e-4, adam_epsilon=1e-8, precision=self.precision
            ),  # JoeyNMT's settings have no epsilon: PyTorch's default
        )


CASES = (
    Case("base_float32", BASE, "float32", 1024, 1),
    Case("small_float32", SMALL, "float32", 2048, 2),
    Case("base_bfloat16", BASE, "bfloat16", 1024, 2),
    Case("small_bfloat16", SMALL, "bfloat16", 2048, 3),
)


@dataclass(frozen=True)
class Subject:
    """A case with its files."""

    case: Case
    checkpoint: Path
    """Recipe, vocabularies and random weights, as `Checkpoint` writes them."""
    batches: Path
    """A list of dictionaries of tensors, with the names of `Batch`."""
    tokens: list[int]
    """Real target tokens of each batch."""


def write(case: Case, vocabulary: Vocabulary, num_batches: int, directory: Path) -> Subject:
    """Draw weights and batches and write both files."""
    torch.manual_seed(case.recipe.seed)
    weights = build_model(case.recipe, vocabulary, vocabulary).state_dict()
    stream = BatchStream([parallel(vocabulary, case.recipe.data)], case.recipe.data, case.recipe.seed)
    batches = list(itertools.islice(stream, num_batches))
    subject = Subject(
        case, directory / "checkpoint.pt", directory / "batches.pt", [batch.num_target_tokens for batch in batches]
    )
    Checkpoint(case.recipe, vocabulary, vocabulary, weights, {}, {}).save(subject.checkpoint)
    torch.save([asdict(batch) for batch in batches], subject.batches)
    return subject


def read_batches(path: Path) -> list[Batch]:
    """The batches that `write` wrote."""
    return [Batch(**tensors) for tensors in torch.load(path, weights_only=True)]


def parallel(vocabulary: Vocabulary, settings: DataSettings) -> ParallelData:
    """Real English sentences, each with the next longer one for a translation: lengths like those of parallel text."""
    encoded = sorted(vocabulary.encode(sentences(NUM_SENTENCES)), key=len)
    fitting = [ids for ids in encoded if 0 < len(ids) < min(settings.max_source_tokens, settings.max_target_tokens)]
    return ParallelData([[*ids, END_ID] for ids in fitting[:-1]], fitting[1:])
