"""An ensemble, taken apart: the graphs of its members side by side, and the state of all of them.

B batch, n rows, S source length, V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from torch import Tensor, nn

from export.ensemble_explain import EnsembleExplain
from export.exportable import Exportable
from export.top_k import top_k
from service.bundle.state_spec import StateArray
from training.ensemble import mean_log_probs


def take_apart_ensemble(members: Sequence[Exportable]) -> Exportable:
    """The graphs of models that translate together; names of their state begin with `member_0_`, `member_1_` …"""
    state = tuple(
        msgspec.structs.replace(array, name=f"member_{index}_{array.name}")
        for index, member in enumerate(members)
        for array in member.state
    )
    explain = EnsembleExplain([member.explain for member in members])
    return Exportable("ensemble", EncoderGraph(members), DecoderGraph(members), explain, state)


class EncoderGraph(nn.Module):
    """Source ids and lengths to what all members keep of the source."""

    def __init__(self, members: Sequence[Exportable]) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(member.encoder for member in members)

    def forward(self, source_ids: Tensor, source_lengths: Tensor) -> tuple[Tensor, ...]:
        """(B, S) and (B,) -> the state arrays that come from the encoder, member after member."""
        return tuple(array for encoder in self.encoders for array in encoder(source_ids, source_lengths))


class DecoderGraph(nn.Module):
    """One step of all members for n rows."""

    def __init__(self, members: Sequence[Exportable]) -> None:
        super().__init__()
        self.decoders = nn.ModuleList(member.decoder for member in members)
        self.num_arrays = [len(member.state) for member in members]
        self.num_updated = [_num_updated(member.state) for member in members]

    def forward(
        self, token_ids: Tensor, positions: Tensor, source_lengths: Tensor, num_candidates: Tensor, state: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """See `Exportable`; a token's probability is the mean of the members'."""
        log_probs: list[Tensor] = []
        updated: list[Tensor] = []
        written: list[Tensor] = []
        begin = 0
        for decoder, num_arrays, num_updated in zip(self.decoders, self.num_arrays, self.num_updated, strict=True):
            own = state[begin : begin + num_arrays]
            begin += num_arrays
            _, _, member_log_probs, *arrays = decoder(token_ids, positions, source_lengths, num_candidates, own)
            log_probs.append(member_log_probs)  # (n, V)
            updated += arrays[:num_updated]
            written += arrays[num_updated:]
        mean = mean_log_probs(log_probs)
        top_log_probs, top_ids = top_k(mean, num_candidates)
        return top_ids, top_log_probs, mean, *updated, *written


def _num_updated(state: tuple[StateArray, ...]) -> int:
    return sum(bool(array.outputs) for array in state)
