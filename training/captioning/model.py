"""A captioner: a convolutional encoder, whose grid of features is the source, and a recurrent decoder over it.

B batch, T target length, S cells of the grid, C channels of the encoder, M size of the memory, R size of the readout.
"""

from __future__ import annotations

import msgspec
import torch
from torch import Tensor, nn

from training.captioning.decoder import GatedDecoder
from training.captioning.efficientnet import EfficientNetLite
from training.captioning.settings import CaptionRecipe
from training.recurrent_decoder import RecurrentState
from training.recurrent_encoder import EncodedSource
from training.rnn import InitialState
from training.seq2seq import Seq2Seq


class Grid(nn.Module):
    """Features to the memory that the decoder attends to, each cell with its place."""

    def __init__(self, num_cells: int, channels: int, memory_size: int) -> None:
        super().__init__()
        self.projection = nn.Linear(channels, memory_size)
        self.places = nn.Parameter(torch.empty(num_cells, memory_size))
        self.norm = nn.LayerNorm(memory_size)
        self.memory_size = memory_size
        nn.init.normal_(self.places, std=0.5)

    def forward(self, features: Tensor) -> Tensor:
        """(B, S, C) -> (B, S, M)."""
        memory: Tensor = self.norm(self.projection(features) + self.places)
        return memory


class Captioner(Seq2Seq[RecurrentState]):
    """The source of a caption is a picture's features, (B, S, C), which `encode` makes; lengths are S for all."""

    def __init__(self, recipe: CaptionRecipe, vocabulary_size: int) -> None:
        super().__init__()
        num_cells = recipe.picture.num_cells
        # All sources are equally long, which is what this setting says.
        settings = msgspec.structs.replace(recipe.decoder, padded_source_tokens=num_cells)
        self.settings = settings
        self.num_cells = num_cells
        self.convolutions = EfficientNetLite(recipe.encoder).requires_grad_(requires_grad=False)
        self.encoder = Grid(num_cells, self.convolutions.channels, settings.hidden_size)
        self.embedding = nn.Embedding(vocabulary_size, settings.embedding_size)
        nn.init.normal_(self.embedding.weight, std=settings.embedding_size**-0.5)
        self.dropout = nn.Dropout(settings.dropout)
        self.decoder = GatedDecoder(settings, settings.hidden_size)
        num_states = settings.num_decoder_layers * self.decoder.stack.num_states
        self.initial_state = InitialState(settings, settings.hidden_size, num_states)
        self.output = nn.Linear(settings.readout_size, vocabulary_size)
        if settings.tie_embeddings:
            self.output.weight = self.embedding.weight

    def train(self, mode: bool = True) -> Captioner:
        """As of any module, but for the convolutions, which are not trained: their statistics stay as they are."""
        super().train(mode)
        self.convolutions.eval()
        return self

    def encode(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (B, 3, H, W) -> features (B, S, C)."""
        features: Tensor = self.convolutions(pixels)
        return features

    def forward(self, source_ids: Tensor, source_lengths: Tensor, target_ids: Tensor) -> Tensor:
        """See `Seq2Seq`; `source_ids` are features."""
        return self.attend_and_tell(source_ids, source_lengths, target_ids)[0]

    def attend_and_tell(self, features: Tensor, lengths: Tensor, target_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Teacher forcing: (B, S, C), (B,) and (B, T) -> readouts (B, T, R) and attention (B, T, S)."""
        state = self.start(features, lengths)
        readouts = self.dropout(self.decoder(self.dropout(self.embedding(target_ids)), state))
        assert state.weights is not None
        return readouts, state.weights

    def start(self, source_ids: Tensor, source_lengths: Tensor) -> RecurrentState:
        """See `Seq2Seq`; `source_ids` are features."""
        memory = self.encoder(self.dropout(source_ids))
        return self.begin(EncodedSource(memory, source_lengths, []))

    def begin(self, encoded: EncodedSource) -> RecurrentState:
        """The state before the first token; the decoder begins with what it sees on average (section 3.1.2)."""
        memory = encoded.memory
        hidden = self.initial_state(encoded, memory.mean(dim=1))
        return RecurrentState(encoded.lengths, hidden, memory, self.decoder.attention.score.keys(memory))

    def step(self, token_ids: Tensor, state: RecurrentState) -> Tensor:
        """See `Seq2Seq`."""
        readout: Tensor = self.dropout(self.decoder.step(self.dropout(self.embedding(token_ids)), state))
        return readout

    def lengths(self, features: Tensor) -> Tensor:
        """(B,), all S."""
        return torch.full((features.shape[0],), self.num_cells, device=features.device)
