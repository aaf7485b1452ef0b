"""One source language and two targets, translated word by word: only the tag tells which words."""

from __future__ import annotations

import random
from pathlib import Path

from tests import synthetic

WORDS = {
    "xx": synthetic.TARGET_WORDS,
    "yy": "tano vesi suro miko lapu neri kota foru hemi jalo zuki pora wela geno ribo duke".split(),
}

RECIPE = """
name: multilingual
language_pairs: [en-xx, en-yy]
seed: 5
prepare: {development_origins: [held-out]}
vocabulary: {size: 150, character_coverage: 1.0, byte_fallback: false, kind: bpe}
data: {batch_tokens: 768, max_source_tokens: 32, max_target_tokens: 32}
model:
  num_encoder_layers: 1
  num_decoder_layers: 1
  model_size: 64
  feed_forward_size: 128
  num_heads: 4
  dropout: 0.0
trainer:
  max_steps: 400
  warmup_steps: 60
  schedule: linear
  learning_rate: 5.0e-3
  label_smoothing: 0.0
  log_every_steps: 200
  validate_every_steps: 400
  save_every_steps: 400
  keep_checkpoints: 1
"""


def sentences(number: int, seed: int) -> list[str]:
    """Sentences of one to six words."""
    generator = random.Random(seed)
    return [" ".join(generator.choices(synthetic.SOURCE_WORDS, k=generator.randint(1, 6))) for _ in range(number)]


def translate(source: str, language: str) -> str:
    """Word by word."""
    words = dict(zip(synthetic.SOURCE_WORDS, WORDS[language], strict=True))
    return " ".join(words[word] for word in source.split())


def write_tsv(path: Path, language: str, number: int) -> None:
    """Training and held-out pairs with their origins."""
    with path.open("w", encoding="utf-8") as file:
        for seed, origin, count in ((1, "main", number), (2, "held-out", 60)):
            for source in sentences(count, seed):
                file.write(f"{source}\t{translate(source, language)}\t{origin}\n")
