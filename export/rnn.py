"""Recurrent models, taken apart: the three graphs of a bundle, made of the trained modules.

B batch, n rows, S source length, T target length, E embedding size, H hidden size, R size of the readout, V vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from export.exportable import Exportable
from export.recurrence import BATCH_AXIS, Recurrence
from export.recurrent_encoder import RecurrentEncoderGraph
from export.top_k import top_k
from service.bundle.state_spec import ROWS, SOURCE, StateArray
from training.captioning.model import Captioner
from training.recurrent_attention import DotScore
from training.recurrent_decoder import BahdanauDecoder, LuongDecoder, RecurrentState
from training.rnn import Rnn


def take_apart_rnn(model: Rnn, dtype: Literal["float32", "float16"]) -> Exportable:
    """The graphs of a recurrent model whose activations are of `dtype`."""
    layout = StateLayout(model)
    # ONNX Runtime 1.31 crashes when it loads a float16 Scan for the CPU.
    explained = copy.deepcopy(model).float() if dtype == "float16" else model
    explain = Recurrence(
        ExplainStart(explained, layout),
        ExplainStep(explained, layout),
        ExplainEnd(explained),
        layout.num_hidden + layout.is_fed,
        fixed_axes=[BATCH_AXIS, *layout.source_axes()],
        output_axes=[BATCH_AXIS, *([layout.weight_axes()] if layout.has_attention else [])],
    )
    return Exportable("rnn", EncoderGraph(model, layout), DecoderGraph(model, layout), explain, layout.spec(dtype))


class StateLayout:
    """A `RecurrentState` as a list of arrays, those of the source first, and back."""

    def __init__(self, model: Rnn | Captioner) -> None:
        settings, decoder = model.settings, model.decoder
        self.num_hidden = settings.num_decoder_layers * decoder.stack.num_states
        self.is_fed = settings.is_input_feeding
        self.padded_tokens = settings.padded_source_tokens
        self.has_attention = isinstance(decoder, BahdanauDecoder | LuongDecoder)
        self._hidden_size, self._readout_size = settings.hidden_size, settings.readout_size
        self._memory_size = model.encoder.memory_size
        self._key_size = settings.hidden_size
        self.has_keys = False
        if isinstance(decoder, BahdanauDecoder | LuongDecoder):
            self.has_keys = not isinstance(decoder.attention.score, DotScore)

    @property
    def num_from_source(self) -> int:
        """How many of the arrays belong to the source."""
        return 1 + self.has_keys

    def spec(self, dtype: Literal["float32", "float16"]) -> tuple[StateArray, ...]:
        """The state arrays."""
        length = self.padded_tokens or SOURCE
        source: dict[str, tuple[int | str, ...]] = {"context": (ROWS, self._memory_size)}
        if self.has_attention:
            source = {"memory": (ROWS, length, self._memory_size)}
        if self.has_keys:
            source["keys"] = (ROWS, length, self._key_size)
        own: dict[str, tuple[int | str, ...]] = {
            f"hidden_{index}": (ROWS, self._hidden_size) for index in range(self.num_hidden)
        }
        if self.is_fed:
            own["readout"] = (ROWS, self._readout_size)
        return (
            *(StateArray(name=n, dtype=dtype, shape=s, owner="source", update="none") for n, s in source.items()),
            *(StateArray(name=n, dtype=dtype, shape=s, owner="hypothesis", update="replace") for n, s in own.items()),
        )

    def source_axes(self) -> list[dict[int, str]]:
        """Names of the dynamic axes of what belongs to the source."""
        return [self.weight_axes() if self.has_attention else BATCH_AXIS] * self.num_from_source

    def weight_axes(self) -> dict[int, str]:
        """The same of attention weights (B, S)."""
        return BATCH_AXIS if self.padded_tokens else {0: "batch", 1: "source"}

    def of_source(self, state: RecurrentState) -> list[Tensor]:
        """What a step leaves alone."""
        keys = state.keys if self.has_keys else None
        return [array for array in (state.context, state.memory, keys) if array is not None]

    def of_hypothesis(self, state: RecurrentState) -> list[Tensor]:
        """What a step replaces."""
        return [*state.hidden, *([] if state.fed is None else [state.fed])]

    def state(self, lengths: Tensor, source: Sequence[Tensor], own: Sequence[Tensor]) -> RecurrentState:
        """The state of such arrays."""
        if self.padded_tokens:
            lengths = torch.full_like(lengths, self.padded_tokens)
        state = RecurrentState(lengths, list(own[: self.num_hidden]), fed=own[-1] if self.is_fed else None)
        if self.has_attention:
            state.memory, state.keys = source[0], source[-1]
        else:
            state.context = source[0]
        return state


class EncoderGraph(nn.Module):
    """Source ids and lengths to the state before the first target token."""

    def __init__(self, model: Rnn, layout: StateLayout) -> None:
        super().__init__()
        self.encoder = RecurrentEncoderGraph(model.encoder)
        self.model = model
        self.layout = layout

    def forward(self, source_ids: Tensor, source_lengths: Tensor) -> tuple[Tensor, ...]:
        """(B, S) and (B,) -> all state arrays."""
        state = self.model.begin(self.encoder(source_ids, source_lengths))
        return *self.layout.of_source(state), *self.layout.of_hypothesis(state)


class DecoderGraph(nn.Module):
    """One step for n rows, each over its own source."""

    def __init__(self, model: Rnn | Captioner, layout: StateLayout) -> None:
        super().__init__()
        self.model = model
        self.layout = layout

    def forward(
        self, token_ids: Tensor, positions: Tensor, source_lengths: Tensor, num_candidates: Tensor, state: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """See `Exportable`; a recurrent state knows its position, so `positions` is not read."""
        del positions
        source, own = state[: self.layout.num_from_source], state[self.layout.num_from_source :]
        if self.layout.has_attention and not self.layout.padded_tokens:
            source = _cut(source, source_lengths)
        current = self.layout.state(source_lengths, source, own)
        log_probs = self.model.log_probs(self.model.step(token_ids, current))  # (n, V)
        top_log_probs, top_ids = top_k(log_probs, num_candidates)
        return top_ids, top_log_probs, log_probs, *self.layout.of_hypothesis(current)


class ExplainStart(nn.Module):
    """See `Recurrence`: encodes the source and embeds the target."""

    def __init__(self, model: Rnn, layout: StateLayout) -> None:
        super().__init__()
        self.encoder = EncoderGraph(model, layout)
        self.embedding = model.embedding
        self.num_from_source = layout.num_from_source

    def forward(self, source_ids: Tensor, source_lengths: Tensor, target_ids: Tensor) -> tuple[Tensor, ...]:
        """(B, S), (B,), (B, T) -> hypothesis arrays, embedded target (T - 1, B, E), lengths, source arrays."""
        arrays = self.encoder(source_ids, source_lengths)
        embedded = self.embedding(target_ids[:, :-1]).transpose(0, 1)
        return *arrays[self.num_from_source :], embedded, source_lengths, *arrays[: self.num_from_source]


class ExplainStep(nn.Module):
    """See `Recurrence`: one decoder step and where it attends."""

    def __init__(self, model: Rnn | Captioner, layout: StateLayout) -> None:
        super().__init__()
        self.decoder = model.decoder
        self.layout = layout

    def forward(self, carried: list[Tensor], embedded: Tensor, fixed: list[Tensor]) -> tuple[Tensor, ...]:
        """Hypothesis arrays, (B, E), lengths and source arrays -> hypothesis arrays, readout (B, R), weights (B, S)."""
        state = self.layout.state(fixed[0], fixed[1:], carried)
        readout = self.decoder.step(embedded, state)
        weights = [] if state.weights is None else [state.weights[:, 0]]
        return *self.layout.of_hypothesis(state), readout, *weights


class ExplainEnd(nn.Module):
    """See `Recurrence`: probabilities, and weights as attention maps of one layer with one head."""

    def __init__(self, model: Rnn) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, outputs: list[Tensor], source_ids: Tensor, source_lengths: Tensor, target_ids: Tensor
    ) -> tuple[Tensor, ...]:
        """Readouts (T - 1, B, R) and weights (T - 1, B, S) -> see `Exportable`; there are no maps of self-attention."""
        log_probs = self.model.log_probs(outputs[0].transpose(0, 1))
        batch, source_length, target_length = *source_ids.shape, target_ids.shape[1] - 1
        if len(outputs) == 1:
            cross = log_probs.new_zeros(batch, 0, 1, target_length, source_length)
            return explained(log_probs, target_ids, cross, source_length)
        weights = outputs[1].transpose(0, 1)  # (B, T - 1, S)
        if self.model.settings.padded_source_tokens:
            weights = _without_padding(weights, source_lengths, source_length)
        return explained(log_probs, target_ids, weights[:, None, None], source_length)


def explained(log_probs: Tensor, target_ids: Tensor, cross: Tensor, source_length: int) -> tuple[Tensor, ...]:
    """What explain.onnx says of a model without self-attention; see `Exportable`.

    Args:
        log_probs: (B, T - 1, V).
        target_ids: (B, T).
        cross: maps of attention to the source, (B, layers, 1, T - 1, S).
        source_length: S.
    """
    chosen = log_probs.gather(2, target_ids[:, 1:, None])[:, :, 0]
    batch, target_length = chosen.shape
    encoder_maps = log_probs.new_zeros(batch, 0, 1, source_length, source_length)
    decoder_maps = log_probs.new_zeros(batch, 0, 1, target_length, target_length)
    return chosen, encoder_maps, decoder_maps, cross


def _cut(arrays: list[Tensor], lengths: Tensor) -> list[Tensor]:
    """Arrays (n, capacity, …) up to the longest source."""
    longest: Any = lengths.max().item()  # int() would fix it to one number
    torch._check(longest >= 1)  # type: ignore[no-untyped-call]
    torch._check(longest <= arrays[0].shape[1])  # type: ignore[no-untyped-call]
    return [array[:, :longest] for array in arrays]


def _without_padding(weights: Tensor, lengths: Tensor, source_length: int) -> Tensor:
    """What fell on ends of sentence after the first, added to the first: (B, T, padded length) -> (B, T, S)."""
    positions = torch.arange(source_length)
    real = weights[:, :, :source_length] * (positions < lengths[:, None])[:, None]
    rest = 1 - real.sum(dim=-1, keepdim=True)
    return real + rest * (positions == lengths[:, None] - 1)[:, None]
