"""What training makes small: the captions' cross-entropy, and what is asked of attention (Xu et al. 2015, equation 14).

B captions, T target length, S cells of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from training.captioning.data import Batch
from training.captioning.model import Captioner
from training.captioning.settings import AttentionSettings
from training.loss import projected_cross_entropy
from training.objective import CROSS_ENTROPY, Objective, weighted_means
from training.vocabulary import PAD_ID

SMALLEST_ATTENTION = 1e-6
Value = TypeVar("Value")


@dataclass(frozen=True)
class CaptionLoss:
    """Sums, in nats but for `unevenness`."""

    captions: Tensor
    """Cross-entropy of the target tokens."""
    unevenness: Tensor
    """Of each caption the mean over cells of (1 - attention over its words)²."""
    astray: Tensor
    """-log of what tokens with a meaning pay to the cells of what they mean."""
    num_tokens: int
    num_captions: int
    num_guided: int

    @property
    def sums(self) -> dict[str, Tensor]:
        """By term of `CaptionObjective`."""
        return _by_term(self.captions, self.unevenness, self.astray)

    def total(self, settings: AttentionSettings) -> Tensor:
        """Means, weighted: what is differentiated where an update has this one batch."""
        counts = _by_term(self.num_tokens, self.num_captions, self.num_guided)
        return weighted_means(self.sums, counts, _weights(settings))


def caption_loss(model: Captioner, batch: Batch, label_smoothing: float) -> CaptionLoss:
    """Of one batch under teacher forcing."""
    lengths = model.lengths(batch.features)
    readouts, attention = model.attend_and_tell(batch.features, lengths, batch.target_input)
    is_real = batch.target_output != PAD_ID  # (B, T)
    cross_entropy = projected_cross_entropy(
        readouts[is_real], model.output.weight, model.output.bias, batch.target_output[is_real], label_smoothing
    )
    over_words = (attention * is_real[..., None]).sum(dim=1)  # (B, S)
    unevenness = (1 - over_words).square().mean(dim=1).sum()
    paid = (attention * batch.looked_at).sum(dim=-1)[batch.is_guided]
    astray = -torch.log(paid.clamp(min=SMALLEST_ATTENTION)).sum()
    return CaptionLoss(cross_entropy, unevenness, astray, batch.num_target_tokens, batch.num_captions, batch.num_guided)


class CaptionObjective(Objective[Batch]):
    """`caption_loss` of a model."""

    def __init__(self, model: Captioner, settings: AttentionSettings) -> None:
        super().__init__()
        self.model = model
        self.weights = _weights(settings)

    def forward(self, batch: Batch, label_smoothing: float) -> dict[str, Tensor]:
        """See `Objective`."""
        return caption_loss(self.model, batch, label_smoothing).sums

    def counts(self, batch: Batch) -> dict[str, int]:
        """See `Objective`."""
        return _by_term(batch.num_target_tokens, batch.num_captions, batch.num_guided)


def _weights(settings: AttentionSettings) -> dict[str, float]:
    return _by_term(1.0, settings.doubly_stochastic, settings.guidance)


def _by_term(captions: Value, unevenness: Value, astray: Value) -> dict[str, Value]:
    return {CROSS_ENTROPY: captions, "unevenness": unevenness, "astray": astray}
