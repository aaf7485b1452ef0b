"""Where a bundle comes from, and how well it does what the trained model does."""

from __future__ import annotations

from typing import Any

import msgspec

from service.bundle.section import NonNegative, Section


class Parity(Section, frozen=True):
    """How far ONNX Runtime was from PyTorch when the bundle was written."""

    num_sentences: NonNegative
    """Sentences decoded with both, in ragged batches."""
    identical_translations: NonNegative
    """How many came out token for token the same, step by step."""
    num_beams: NonNegative
    """Sentences decoded with both by beam search."""
    identical_beams: NonNegative
    """How many had the same best translation, or in lower precision one whose tokens PyTorch finds as likely."""
    max_log_prob_difference: float
    """Largest difference of a token's log-probability under teacher forcing, in nats."""
    max_attention_difference: float
    """Largest difference of an attention weight."""
    reference: str
    """What PyTorch ran: the float model, or its quantised emulation."""
    mean_quantization_difference: float | None = None
    """Mean difference of a token's log-probability from the float32 model, in nats; None for float32."""


class Training(Section, frozen=True):
    """Where the weights come from."""

    recipe: dict[str, Any]
    data: str
    data_sha256: str
    commit: str
    steps: NonNegative
    target_tokens: NonNegative
    hours: float
    initialized_from: str = ""
    """The model whose weights it began with, and how long that was trained; empty: random weights."""
    scores: dict[str, Any] = msgspec.field(default_factory=dict)
    """BLEU and chrF by test set, with sacrebleu's signatures."""
