"""The Transformer, taken apart: the three graphs of a bundle, made of the trained modules.

B batch, n rows, S source length, T target length, C cache capacity, D model size, H heads of queries, G heads of keys
and values, W head width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.onnx.ops import symbolic

from export.exportable import Exportable
from export.grouped_attention import cached_attention, whole_attention
from export.quantization import RoundedStored, to_cache
from export.top_k import top_k
from export.transformer_explain import ExplainGraph
from service.bundle.state_spec import ROWS, SOURCE, TARGET, StateArray
from training.attention import CrossAttention, split_heads
from training.transformer import DecoderLayer, EncoderLayer, Transformer


def take_apart_transformer(model: Transformer, dtype: Literal["float32", "float16"]) -> Exportable:
    """The graphs of a Transformer whose activations are of `dtype`."""
    heads = model.settings.num_key_value_heads or model.settings.num_heads
    state = tuple(
        StateArray(
            name=f"{kind}_{content}_{index}",
            dtype="int8" if _is_quantized(layer) else dtype,
            shape=(ROWS, heads, axis, model.settings.head_size),
            owner=owner,
            update="write_then_read" if owner == "hypothesis" and _is_quantized(layer) else "in_place",
        )
        for index, layer in enumerate(model.decoder.layers)
        for kind, owner, axis in _CACHES
        for content in ("key", "value")
    )
    return Exportable("transformer", EncoderGraph(model), DecoderGraph(model), ExplainGraph(model), state)


_CACHES: tuple[tuple[str, Literal["source", "hypothesis"], str], ...] = (
    ("self", "hypothesis", TARGET),
    ("cross", "source", SOURCE),
)


class EncoderGraph(nn.Module):
    """Source ids and lengths to what the decoder needs of the source: per layer, cross-attention keys and values."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.encoder = model.encoder
        self.cross_attentions = nn.ModuleList(_decoder_layer(layer).cross_attention for layer in model.decoder.layers)

    def forward(self, source_ids: Tensor, source_lengths: Tensor) -> tuple[Tensor, ...]:
        """(B, S) and (B,) -> per decoder layer key and value (B, G, S, W)."""
        states = self.encoder.embedding(source_ids)
        num_before_last = (source_lengths - 1).to(torch.int32)
        longest = torch.scalar_tensor(source_ids.shape[1], dtype=torch.int32)
        for layer in self.encoder.layers:
            assert isinstance(layer, EncoderLayer)
            residual = layer.self_attention_residual
            attention = layer.self_attention
            projected = attention.query_key_value(residual.before(states))  # (B, S, (H + 2 G) W)
            projected = attention.turned(projected, torch.arange(source_ids.shape[1]))
            context = whole_attention(projected, num_before_last, longest, attention)
            states = residual.add(states, attention.output(context))
            residual = layer.feed_forward_residual
            states = residual.add(states, layer.feed_forward(residual.before(states)))
        memory = self.encoder.norm(states)
        outputs: list[Tensor] = []
        for cross_attention in self.cross_attentions:
            assert isinstance(cross_attention, CrossAttention)
            key, value = cross_attention.key_value(memory).chunk(2, dim=-1)  # (B, S, G W)
            key, value = (split_heads(part, cross_attention.num_key_value_heads) for part in (key, value))
            stored = cross_attention.stored
            if isinstance(stored, RoundedStored):
                key, value = to_cache(key, stored.key_scale), to_cache(value, stored.value_scale)
            outputs += (key, value)
        return tuple(outputs)


class DecoderGraph(nn.Module):
    """One step for n rows, each at its own position, over its own source length."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, token_ids: Tensor, positions: Tensor, source_lengths: Tensor, num_candidates: Tensor, state: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """The next token's candidates and the state after it.

        Args:
            token_ids: (n,) last token of each row.
            positions: (n,) int32, its place in the target, from 0.
            source_lengths: (n,) int32.
            num_candidates: scalar, k.
            state: per layer: self key, self value (n, G, C, W), cross key, cross value (n, G, S, W).

        Returns:
            candidate ids (n, k), their log-probabilities (n, k), all log-probabilities (n, V), then per layer the
            updated self key, self value, cross key, cross value, to be bound to the buffers they came from; with int8
            caches, then per layer self key and self value as they are written, to be bound to the same buffers.
        """
        decoder = self.model.decoder
        embedding = decoder.embedding
        states = embedding.tokens(token_ids) * embedding.scale
        if embedding.positions is not None:
            states = states + embedding.positions[positions.long()]
        states = states[:, None]  # (n, 1, D)
        places = _Places.of(states, positions, source_lengths, state)
        updated: list[Tensor] = []
        written: list[Tensor] = []
        for layer, cache in zip(decoder.layers, _chunks(state, 4), strict=True):
            states, caches, fresh = _decoder_layer_step(_decoder_layer(layer), states, places, cache)
            updated += caches
            written += fresh
        log_probs = self.model.log_probs(decoder.norm(states)[:, 0])  # (n, V)
        top_log_probs, top_ids = top_k(log_probs, num_candidates)
        return top_ids, top_log_probs, log_probs, *updated, *written


@dataclass(frozen=True)
class _Places:
    """Where a step reads and writes, the same for all layers."""

    positions: Tensor
    """(n,) before the last of the target, that is, the new one."""
    source_positions: Tensor
    """(n,) before the last of the source."""
    capacity: Tensor
    source_capacity: Tensor
    nothing: Tensor
    """(n, 0, G W), keys or values of no position."""
    cells: Tensor
    """(n, G, 3) row, head and position of what an int8 cache is given."""

    @classmethod
    def of(cls, states: Tensor, positions: Tensor, source_lengths: Tensor, state: list[Tensor]) -> _Places:
        rows, heads, capacity, width = state[0].shape
        grid = (
            torch.arange(rows)[:, None].expand(rows, heads),
            torch.arange(heads)[None, :].expand(rows, heads),
            positions.long()[:, None].expand(rows, heads),
        )
        return cls(
            positions,
            source_lengths - 1,
            torch.scalar_tensor(capacity, dtype=torch.int32),
            torch.scalar_tensor(state[2].shape[2], dtype=torch.int32),
            states[:, :0, : heads * width],
            torch.stack(grid, dim=-1),
        )


def _decoder_layer_step(
    layer: DecoderLayer, states: Tensor, places: _Places, cache: list[Tensor]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """States (n, 1, D) after the layer, its four caches, and what an int8 self-attention cache is written as."""
    residual, attention = layer.self_attention_residual, layer.self_attention
    projected = attention.query_key_value(residual.before(states))  # (n, 1, (H + 2 G) W)
    projected = attention.turned(projected, places.positions.long()[:, None])
    self_cache = cache[:2]
    written: list[Tensor] = []
    inputs: tuple[Tensor | None, ...] = (projected, None, None)
    if isinstance(attention.stored, RoundedStored):
        # The operator itself rounds to int8 number by number: three times as long.
        query, *fresh = torch.split(projected, list(attention.sizes), -1)
        scales = attention.stored.key_scale, attention.stored.value_scale
        self_cache = written = [
            _write(array, values, scale, places.cells)
            for array, values, scale in zip(self_cache, fresh, scales, strict=True)
        ]
        inputs = (query, places.nothing, places.nothing)
    inputs = (*inputs, *self_cache, places.positions, places.capacity)
    context, *self_cache = cached_attention(inputs, attention)
    states = residual.add(states, attention.output(context))

    residual = layer.cross_attention_residual
    query = layer.cross_attention.query(residual.before(states))
    inputs = (query, places.nothing, places.nothing, *cache[2:], places.source_positions, places.source_capacity)
    context, *cross_cache = cached_attention(inputs, layer.cross_attention)
    states = residual.add(states, layer.cross_attention.output(context))

    residual = layer.feed_forward_residual
    states = residual.add(states, layer.feed_forward(residual.before(states)))
    return states, [*self_cache, *cross_cache], written


def _write(array: Tensor, values: Tensor, scale: Tensor, cells: Tensor) -> Tensor:
    """An int8 cache (n, G, C, W) with values (n, 1, G W) in `cells`; in place where output and input are one buffer."""
    rows, heads, _, width = array.shape
    updates = to_cache(values, scale).reshape(rows, heads, width)
    return symbolic("ScatterND", (array, cells, updates), dtype=array.dtype, shape=array.shape, version=18)


def _is_quantized(layer: nn.Module) -> bool:
    return isinstance(_decoder_layer(layer).self_attention.stored, RoundedStored)


def _decoder_layer(module: nn.Module) -> DecoderLayer:
    assert isinstance(module, DecoderLayer)
    return module


def _chunks(items: list[Tensor], size: int) -> list[list[Tensor]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
