"""Cross-entropy with label smoothing (Szegedy et al. 2016; section 5.4 of Vaswani et al. 2017)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from training.data import Batch
from training.seq2seq import Seq2Seq
from training.vocabulary import PAD_ID


def sequence_loss(model: Seq2Seq[Any], batch: Batch, label_smoothing: float) -> Tensor:
    """The summed loss over the real target tokens of a batch, in nats; a scalar.

    Padding is dropped before the output projection, the most expensive product of a small model.
    """
    states = model(batch.source, batch.source_lengths, batch.target_input)  # (B, T, D)
    is_real = batch.target_output != PAD_ID
    logits = model.logits(states[is_real])  # (N, V)
    return F.cross_entropy(
        logits.float(), batch.target_output[is_real], reduction="sum", label_smoothing=label_smoothing
    )


class SequenceLoss(nn.Module):
    """`sequence_loss` of a model, as a module, so that gradients can be averaged over processes."""

    def __init__(self, model: Seq2Seq[Any]) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, label_smoothing: float) -> Tensor:
        """The summed loss of a batch in nats; a scalar."""
        return sequence_loss(self.model, batch, label_smoothing)
