"""A language that a small model learns in a minute: every word has one translation, and the order is reversed.

Placeholders stay what they are.
"""

from __future__ import annotations

import random

SOURCE_WORDS = "red green blue cat dog bird eats sees likes big small old new house tree book".split()
TARGET_WORDS = "ruk gol bli katu hun vog mang dek lub mak lil pal nov dom arb liv".split()
PLACEHOLDERS = ("%s", "{name}", "<b>")
_TRANSLATION = dict(zip(SOURCE_WORDS + list(PLACEHOLDERS), TARGET_WORDS + list(PLACEHOLDERS), strict=True))

RECIPE = """
name: synthetic
source_language: en
target_language: xx
seed: 5
prepare: {development_origins: [held-out]}
vocabulary: {size: 120, character_coverage: 1.0, byte_fallback: false, kind: bpe}
protected_spans: {num_symbols: 3}
data: {batch_tokens: 1024, max_source_tokens: 32, max_target_tokens: 32}
model:
  num_encoder_layers: 2
  num_decoder_layers: 2
  model_size: 64
  feed_forward_size: 128
  num_heads: 4
  dropout: 0.0
trainer:
  max_steps: 700
  warmup_steps: 100
  schedule: linear
  learning_rate: 4.0e-3
  label_smoothing: 0.0
  log_every_steps: 100
  validate_every_steps: 350
  save_every_steps: 350
  keep_checkpoints: 1
"""


def translate(source: str) -> str:
    """What the language says."""
    return " ".join(_TRANSLATION[word] for word in reversed(source.split()))


def sentences(number: int, seed: int) -> list[str]:
    """Random sentences of one to eight words."""
    generator = random.Random(seed)
    return [" ".join(generator.choices(SOURCE_WORDS, k=generator.randint(1, 8))) for _ in range(number)]


def with_placeholders(sentence: str, seed: int) -> str:
    """The sentence, some of its words replaced by different placeholders."""
    generator = random.Random(seed)
    words = sentence.split()
    number = generator.randint(1, min(len(words), len(PLACEHOLDERS)))
    for place, placeholder in zip(generator.sample(range(len(words)), number), PLACEHOLDERS, strict=False):
        words[place] = placeholder
    return " ".join(words)


def write_tsv(path: str, number: int = 6000) -> None:
    """Training and held-out pairs with their origins; every fourth holds placeholders."""
    with open(path, "w", encoding="utf-8") as file:
        for seed, origin, count in ((1, "main", number), (2, "held-out", 100)):
            for index, plain in enumerate(sentences(count, seed)):
                source = with_placeholders(plain, index) if index % 4 == 0 else plain
                file.write(f"{source}\t{translate(source)}\t{origin}\n")
