"""Several models that translate together.

B batch, S source length, T target length, D sum of the widths of the members' states, V vocabulary size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from training.seq2seq import Seq2Seq


class Ensemble(Seq2Seq[tuple[Any, ...]]):
    """Models of the same vocabularies; a token's probability is the mean of theirs (Sutskever et al. 2014, 3.6).

    A mean of probabilities needs no renormalisation, and the members may be of different families. An ensemble
    translates and is exported; its members are trained apart.
    """

    def __init__(self, members: Sequence[Seq2Seq[Any]]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.widths = [member.output.in_features for member in members]

    @property
    def models(self) -> list[Seq2Seq[Any]]:
        """The members, in their order."""
        return [cast("Seq2Seq[Any]", member) for member in self.members]

    def forward(self, source_ids: Tensor, source_lengths: Tensor, target_ids: Tensor) -> Tensor:
        """See `Seq2Seq`; the states of all members side by side."""
        return torch.cat([model(source_ids, source_lengths, target_ids) for model in self.models], dim=-1)

    def start(self, source_ids: Tensor, source_lengths: Tensor) -> tuple[Any, ...]:
        """See `Seq2Seq`; the state of each member."""
        return tuple(model.start(source_ids, source_lengths) for model in self.models)

    def step(self, token_ids: Tensor, state: tuple[Any, ...]) -> Tensor:
        """See `Seq2Seq`."""
        states = [model.step(token_ids, own) for model, own in zip(self.models, state, strict=True)]
        return torch.cat(states, dim=-1)

    def logits(self, states: Tensor) -> Tensor:
        """See `Seq2Seq`: log-probabilities are logits of themselves."""
        return self.log_probs(states)

    def log_probs(self, states: Tensor) -> Tensor:
        """See `Seq2Seq`."""
        parts = torch.split(states, self.widths, dim=-1)
        return mean_log_probs([model.log_probs(part) for model, part in zip(self.models, parts, strict=True)])


def mean_log_probs(log_probs: Sequence[Tensor]) -> Tensor:
    """Logarithm of the mean of probabilities: tensors of one shape, in nats, -> the same shape."""
    return torch.stack(list(log_probs)).logsumexp(dim=0) - math.log(len(log_probs))
