"""What a run makes small: a weighted sum of means, each over things of its own (tokens, captions, …)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Generic

import torch
from torch import Tensor, nn

from training.stream import AnyBatch

CROSS_ENTROPY = "loss"
"""The term that every objective has: of the target tokens, in nats. It is what is logged and what chooses the best
checkpoint, under the name that it has in checkpoints."""


class Objective(nn.Module, ABC, Generic[AnyBatch]):
    """A module around the model, so that gradients can be averaged over processes.

    An update may have several batches, on several processes. A mean goes over all of them: sums and counts are apart.
    """

    weights: Mapping[str, float]
    """By term, its weight. `CROSS_ENTROPY` is among them."""

    @abstractmethod
    def forward(self, batch: AnyBatch, label_smoothing: float) -> dict[str, Tensor]:
        """Of each term the sum over a batch; scalars."""

    @abstractmethod
    def counts(self, batch: AnyBatch) -> dict[str, int]:
        """Of each term the number of things in a batch that its sum goes over."""

    def total_counts(self, batches: Iterable[AnyBatch]) -> dict[str, int]:
        """`counts` of several batches together."""
        found = [self.counts(batch) for batch in batches]
        return {name: sum(counts[name] for counts in found) for name in self.weights}


def weighted_means(
    sums: Mapping[str, Tensor], counts: Mapping[str, float], weights: Mapping[str, float], scale: float = 1.0
) -> Tensor:
    """The weighted sum of the means; a scalar. What nothing counts for adds nothing.

    Args:
        sums: by term.
        counts: by term; of a whole update where the sums are of a part of it.
        weights: by term.
        scale: of all means.
    """
    means = [weight * sums[name] * (scale / max(1, counts[name])) for name, weight in weights.items()]
    return torch.stack(means).sum()
