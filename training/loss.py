"""Cross-entropy with label smoothing (Szegedy et al. 2016; section 5.4 of Vaswani et al. 2017).

N real target tokens, D model size, V vocabulary size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from training.data import PackedBatch, TextBatch
from training.objective import CROSS_ENTROPY, Objective
from training.seq2seq import Seq2Seq
from training.vocabulary import PAD_ID

CHUNK_LOGITS, DEVICE_CHUNK_LOGITS = 2**21, 2**27
"""Logits computed at a time: few enough for a processor's cache; enough to keep a GPU busy."""


def sequence_loss(model: Seq2Seq[Any], batch: TextBatch, label_smoothing: float) -> Tensor:
    """The summed loss over the real target tokens of a batch, in nats; a scalar.

    Padding is dropped before the output projection, the most expensive product of a small model.
    """
    if isinstance(batch, PackedBatch):
        states = model(batch.source, batch.source_packing, batch.target_input, batch.target_packing)[0]  # (N, D)
        targets = batch.target_output[0]
    else:
        padded = model(batch.source, batch.source_lengths, batch.target_input)  # (B, T, D)
        is_real = batch.target_output != PAD_ID
        states, targets = padded[is_real], batch.target_output[is_real]
    return projected_cross_entropy(states, model.output.weight, model.output.bias, targets, label_smoothing)


class SequenceLoss(Objective[TextBatch]):
    """`sequence_loss` of a model."""

    def __init__(self, model: Seq2Seq[Any]) -> None:
        super().__init__()
        self.model = model
        self.weights = {CROSS_ENTROPY: 1.0}

    def forward(self, batch: TextBatch, label_smoothing: float) -> dict[str, Tensor]:
        """See `Objective`."""
        return {CROSS_ENTROPY: sequence_loss(self.model, batch, label_smoothing)}

    def counts(self, batch: TextBatch) -> dict[str, int]:
        """See `Objective`."""
        return {CROSS_ENTROPY: batch.num_target_tokens}


def projected_cross_entropy(
    states: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, label_smoothing: float
) -> Tensor:
    """The summed cross-entropy of `softmax(states @ weight.T + bias)`, without all of its logits at once.

    A chunk of tokens at a time goes through the projection, the softmax and, where gradients are wanted, straight back.
    Under autocast the products are in its type, all else in float32.

    Args:
        states: (N, D).
        weight: (V, D).
        bias: (V,) or None.
        targets: (N,) ids.
        label_smoothing: share of the probability that is spread evenly over the vocabulary.

    Returns:
        A scalar, in nats. It can be differentiated once.
    """
    total: Tensor = _ProjectedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        states, weight, bias, targets, label_smoothing, torch.is_grad_enabled()
    )
    return total


class _ProjectedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        smoothing: float,
        with_gradients: bool,
    ) -> Tensor:
        device = states.device.type
        is_mixed = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if is_mixed else states.dtype
        rows = max(1, (CHUNK_LOGITS if device == "cpu" else DEVICE_CHUNK_LOGITS) // len(weight))
        total = torch.zeros((), device=states.device)
        gradients = _Gradients(states, weight, bias) if with_gradients else None
        with torch.autocast(device, enabled=False):
            low = weight.to(dtype)
            for start in range(0, len(states), rows):
                chunk, ids = states[start : start + rows].to(dtype), targets[start : start + rows, None]
                logits = F.linear(chunk, low, None if bias is None else bias.to(dtype)).float()
                probabilities = logits.softmax(dim=-1)
                # The logarithm of the softmax's denominator; the largest probability is never too small for it.
                normaliser = logits.amax(dim=-1) - probabilities.amax(dim=-1).log()
                right = logits.gather(1, ids)[:, 0]
                total += (normaliser - (1 - smoothing) * right - smoothing * logits.mean(dim=-1)).sum()
                if gradients is not None:
                    errors = probabilities.sub_(smoothing / len(weight)) if smoothing else probabilities
                    errors.scatter_add_(1, ids, errors.new_full(ids.shape, smoothing - 1))
                    gradients.add(start, errors.to(dtype), chunk, low)
        if gradients is not None:
            ctx.gradients = gradients
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        found: _Gradients = ctx.gradients
        bias = None if found.bias is None else found.bias * gradient
        return found.states * gradient, found.weight * gradient, bias, None, None, None


class _Gradients:
    """Of the summed loss, chunk by chunk: `states` (N, D), `weight` (V, D), `bias` (V,)."""

    def __init__(self, states: Tensor, weight: Tensor, bias: Tensor | None) -> None:
        self.states = torch.empty_like(states)
        self.weight = torch.zeros_like(weight)
        self.bias = None if bias is None else torch.zeros_like(bias)

    def add(self, start: int, errors: Tensor, states: Tensor, weight: Tensor) -> None:
        """The chunk of tokens from `start` on: `errors` (n, V) is the gradient of its logits."""
        self.states[start : start + len(errors)] = errors @ weight
        if errors.dtype == self.weight.dtype:
            self.weight.addmm_(errors.T, states)
        else:
            self.weight += errors.T @ states
        if self.bias is not None:
            self.bias += errors.sum(dim=0, dtype=self.bias.dtype)
