"""What training makes small: the captions' cross-entropy, and what is asked of attention (Xu et al. 2015, equation 14).

B captions, T target length, S cells of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.captioning.data import Batch
from training.captioning.model import Captioner
from training.captioning.settings import AttentionSettings
from training.loss import projected_cross_entropy
from training.vocabulary import PAD_ID

SMALLEST_ATTENTION = 1e-6


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

    def total(self, settings: AttentionSettings) -> Tensor:
        """Means, weighted; what is differentiated."""
        return (
            self.captions / self.num_tokens
            + settings.doubly_stochastic * self.unevenness / self.num_captions
            + settings.guidance * self.astray / max(1, self.num_guided)
        )


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
    is_guided = batch.looked_at.any(dim=-1) & is_real
    paid = (attention * batch.looked_at).sum(dim=-1)[is_guided]
    astray = -torch.log(paid.clamp(min=SMALLEST_ATTENTION)).sum()
    return CaptionLoss(cross_entropy, unevenness, astray, int(is_real.sum()), len(attention), int(is_guided.sum()))
