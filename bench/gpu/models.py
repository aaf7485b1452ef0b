"""The models that are measured, kept in a folder so that one command after another finds them exported."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.gpu.machine import Machine
from bench.subjects import VOCABULARY_SIZE, Subject, random_transformer, trained
from training.model_settings import TransformerSettings

NUM_CHECKED = 2
"""Sentences on which export compares a bundle with PyTorch: on a CPU in float16, that takes its time for big."""
# With tied embeddings a model of random weights repeats its input, and its hypotheses never change places.
SIZES = {
    "base": TransformerSettings(tie_embeddings=False),
    "big": TransformerSettings(model_size=1024, feed_forward_size=4096, num_heads=16, tie_embeddings=False),
}
TINY = {
    "base": TransformerSettings(
        num_encoder_layers=1,
        num_decoder_layers=2,
        model_size=32,
        feed_forward_size=64,
        num_heads=4,
        tie_embeddings=False,
    ),
    "big": TransformerSettings(
        num_encoder_layers=1,
        num_decoder_layers=1,
        model_size=64,
        feed_forward_size=64,
        num_heads=4,
        tie_embeddings=False,
    ),
}
TINY_VOCABULARY_SIZE = 600


class Models:
    """Makes each model when it is first asked for."""

    def __init__(self, machine: Machine, directory: Path, checkpoint: Path | None = None) -> None:
        """`directory`: for bundles; `checkpoint`: of a trained model, if there is one."""
        self.machine, self.directory, self.checkpoint = machine, directory, checkpoint
        self._made: dict[str, Subject] = {}

    def random(self, name: str) -> Subject:
        """Transformer `base` or `big` (Vaswani et al. 2017, table 3) with random weights."""
        if name not in self._made:
            sizes, vocabulary_size = (TINY, TINY_VOCABULARY_SIZE) if self.machine.is_tiny else (SIZES, VOCABULARY_SIZE)
            directory = self.directory / ("tiny-" * self.machine.is_tiny + name)
            self._made[name] = random_transformer(directory, name, sizes[name], vocabulary_size)
        return self._made[name]

    def trained(self) -> Subject | None:
        """The checkpoint that was given."""
        if self.checkpoint is None:
            return None
        digest = hashlib.sha256(self.checkpoint.read_bytes()).hexdigest()
        return trained(self.checkpoint, self.directory / f"trained-{digest[:12]}")

    def bundle(self, subject: Subject, precision: str = "") -> Path:
        """A model as the engine reads it; the machine's precision where none is named."""
        return subject.bundle(precision or self.machine.precision, NUM_CHECKED)
