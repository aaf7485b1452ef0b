"""Recurrent encoder-decoders, from one context vector (Cho et al. 2014; Sutskever et al. 2014) to attention.

B batch, S source length, T target length, E embedding size, H hidden size, R size of the readout.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.model_settings import RnnSettings
from training.recurrent_decoder import BahdanauDecoder, ContextDecoder, LuongDecoder, RecurrentDecoder, RecurrentState
from training.recurrent_encoder import EncodedSource, RecurrentEncoder
from training.seq2seq import Seq2Seq


class InitialState(nn.Module):
    """The decoder's states before the first token, made of the encoder's last ones."""

    def __init__(self, settings: RnnSettings, summary_size: int, num_states: int) -> None:
        """`num_states`: tensors of all decoder layers."""
        super().__init__()
        self.kind = settings.initial_state
        self.hidden_size = settings.hidden_size
        self.num_states = num_states
        self.linear = nn.Linear(summary_size, num_states * settings.hidden_size) if self.kind == "projected" else None

    def forward(self, encoded: EncodedSource, summary: Tensor) -> list[Tensor]:
        """Every layer's states, (B, H)."""
        if self.linear is not None:
            return list(torch.tanh(self.linear(summary)).chunk(self.num_states, dim=-1))
        if self.kind == "zeros":
            zeros = summary.new_zeros(summary.shape[0], self.hidden_size)
            return [zeros for _ in range(self.num_states)]
        return [state[layer] for layer in range(len(encoded.last[0])) for state in encoded.last]


class Rnn(Seq2Seq[RecurrentState]):
    """A recurrent encoder, a recurrent decoder of one of three kinds, and an output projection."""

    def __init__(
        self,
        settings: RnnSettings,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        is_vocabulary_shared: bool,
    ) -> None:
        super().__init__()
        self.settings = settings
        source = nn.Embedding(source_vocabulary_size, settings.embedding_size)
        self.encoder = RecurrentEncoder(source, settings)
        self.embedding = nn.Embedding(target_vocabulary_size, settings.embedding_size)
        for embedding in (source, self.embedding):
            nn.init.normal_(embedding.weight, std=settings.embedding_size**-0.5)
        self.dropout = nn.Dropout(settings.dropout)
        summary_size = self.encoder.num_directions * settings.hidden_size
        self.decoder = self._build_decoder(settings, summary_size)
        num_states = settings.num_decoder_layers * self.decoder.stack.num_states
        self.initial_state = InitialState(settings, summary_size, num_states)
        self.output = nn.Linear(settings.readout_size, target_vocabulary_size)
        if settings.tie_embeddings:
            self.output.weight = self.embedding.weight
            if is_vocabulary_shared:
                self.encoder.embedding.weight = self.embedding.weight

    def _build_decoder(self, settings: RnnSettings, summary_size: int) -> RecurrentDecoder:
        if settings.decoder == "context":
            return ContextDecoder(settings, summary_size)
        kind = BahdanauDecoder if settings.decoder == "bahdanau" else LuongDecoder
        return kind(settings, self.encoder.memory_size)

    def forward(self, source_ids: Tensor, source_lengths: Tensor, target_ids: Tensor) -> Tensor:
        """See `Seq2Seq`."""
        state = self.start(source_ids, source_lengths)
        readouts: Tensor = self.dropout(self.decoder(self.dropout(self.embedding(target_ids)), state))
        return readouts

    def start(self, source_ids: Tensor, source_lengths: Tensor) -> RecurrentState:
        """See `Seq2Seq`."""
        return self.begin(self.encoder(source_ids, source_lengths))

    def begin(self, encoded: EncodedSource) -> RecurrentState:
        """The state before the first token, of an encoded source."""
        summary = self.encoder.summary(encoded)
        state = RecurrentState(encoded.lengths, self.initial_state(encoded, summary))
        if isinstance(self.decoder, ContextDecoder):
            state.context = summary
        elif isinstance(self.decoder, BahdanauDecoder | LuongDecoder):
            state.memory, state.keys = encoded.memory, self.decoder.attention.score.keys(encoded.memory)
        if self.settings.is_input_feeding:
            state.fed = summary.new_zeros(summary.shape[0], self.settings.readout_size)
        return state

    def step(self, token_ids: Tensor, state: RecurrentState) -> Tensor:
        """See `Seq2Seq`."""
        readout: Tensor = self.dropout(self.decoder.step(self.dropout(self.embedding(token_ids)), state))
        return readout
