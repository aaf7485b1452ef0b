"""What training, search and export ask of a model, whatever its family.

B batch, S source length, T target length, D width of a decoder state, V vocabulary size.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, TypeVar

from torch import Tensor, nn

State = TypeVar("State")


class Seq2Seq(nn.Module, Generic[State]):
    """An encoder-decoder. `State` is what a family carries from one decoding step to the next."""

    output: nn.Linear
    """Decoder states to logits over the target vocabulary."""

    @abstractmethod
    def forward(self, source_ids: Tensor, source_lengths: Tensor, target_ids: Tensor) -> Tensor:
        """Teacher forcing: (B, S), (B,), (B, T) with beginning of sentence first -> states (B, T, D)."""

    @abstractmethod
    def start(self, source_ids: Tensor, source_lengths: Tensor) -> State:
        """Encode (B, S) ids with (B,) lengths: the state before the first target token."""

    @abstractmethod
    def step(self, token_ids: Tensor, state: State) -> Tensor:
        """Read one target token of each row, (B,), into `state`; returns the states (B, D) that predict the next."""

    def logits(self, states: Tensor) -> Tensor:
        """(…, D) -> (…, V)."""
        output: Tensor = self.output(states)
        return output

    def log_probs(self, states: Tensor) -> Tensor:
        """(…, D) -> (…, V) log-probabilities, in nats, in float32; minus infinity for what is never produced."""
        return self.logits(states).float().log_softmax(dim=-1)
