"""What a family of models gives export: three graphs and the state that passes between them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from service.bundle.state_spec import StateArray


@dataclass(frozen=True)
class Exportable:
    """A model taken apart for ONNX.

    encoder: (source_ids, source_lengths) -> the state arrays that come from the encoder, in the order of `state`.
    decoder: (token_ids, positions, source_lengths, num_candidates, [state…]) -> candidate_ids, candidate_log_probs,
        log_probs, then the updated state arrays, in the order of `state`, then those that are written apart.
    explain: (source_ids, source_lengths, target_ids) -> token log-probabilities and three stacks of attention maps.
    """

    architecture: str
    encoder: nn.Module
    decoder: nn.Module
    explain: nn.Module
    state: tuple[StateArray, ...]
