"""The decoder of "Show, Attend and Tell" (Xu et al. 2015): Bahdanau's, with a gate on what it sees.

B batch, T target length, S cells of the grid, E embedding size, H hidden size, M size of the memory, R size of the
readout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.model_settings import RnnSettings
from training.recurrent_decoder import BahdanauDecoder, RecurrentState


class GatedDecoder(BahdanauDecoder):
    """State and last word say where to look; a gate says how much of it matters for the next word (section 4.2.1).

    The paper asks by the state alone, which has not read the last word yet: of two things that a caption may begin
    with, it could not tell which one has been named. The readout sees state, last word and context: equation 7.
    """

    def __init__(self, settings: RnnSettings, memory_size: int) -> None:
        super().__init__(settings, memory_size)
        self.query = nn.Linear(settings.embedding_size, settings.hidden_size, bias=False)
        self.gate = nn.Linear(settings.hidden_size, 1)

    def look(self, embedded: Tensor, state: RecurrentState) -> Tensor:
        """See `BahdanauDecoder`."""
        assert state.keys is not None
        assert state.memory is not None
        query = self.stack.top(state.hidden) + self.query(embedded)  # (B, H)
        context, state.weights = self.attention(query[:, None], state.keys, state.memory, state.lengths)
        gated: Tensor = torch.sigmoid(self.gate(query)) * context[:, 0]
        return gated

    def forward(self, embedded: Tensor, state: RecurrentState) -> Tensor:
        """(B, T, E) -> (B, T, R); leaves the weights of all steps, (B, T, S), in `state`."""
        features, weights = [], []
        for position in range(embedded.shape[1]):
            features.append(self.advance(embedded[:, position], state))
            assert state.weights is not None
            weights.append(state.weights)
        state.weights = torch.cat(weights, dim=1)
        return self.read(torch.stack(features, dim=1), state)
