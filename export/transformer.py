"""The Transformer, taken apart: the three graphs of a bundle, made of the trained modules.

B batch, n rows, S source length, T target length, C cache capacity, D model size, H heads, W head width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.onnx.ops import symbolic, symbolic_multi_out

from export.exportable import Exportable
from export.quantization import CacheProjection, to_cache
from export.top_k import top_k
from service.bundle.state_spec import ROWS, SOURCE, TARGET, StateArray
from training.attention import CrossAttention, attention_weights, length_mask, merge_heads, split_heads
from training.transformer import DecoderLayer, EncoderLayer, Transformer


def take_apart_transformer(model: Transformer, dtype: Literal["float32", "float16"]) -> Exportable:
    """The graphs of a Transformer whose activations are of `dtype`."""
    heads = model.settings.num_heads
    width = model.settings.model_size // heads
    state = tuple(
        StateArray(
            name=f"{kind}_{content}_{index}",
            dtype="int8" if _is_quantized(layer) else dtype,
            shape=(ROWS, heads, axis, width),
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
        """(B, S) and (B,) -> per decoder layer key and value (B, H, S, W)."""
        states = self.encoder.embedding(source_ids)
        num_before_last = (source_lengths - 1).to(torch.int32)
        longest = torch.scalar_tensor(source_ids.shape[1], dtype=torch.int32)
        for layer in self.encoder.layers:
            assert isinstance(layer, EncoderLayer)
            residual = layer.self_attention_residual
            attention = layer.self_attention
            projected = attention.query_key_value(residual.before(states))  # (B, S, 3 D)
            context = _whole_attention(projected, num_before_last, longest, attention.num_heads)
            states = residual.add(states, attention.output(context))
            residual = layer.feed_forward_residual
            states = residual.add(states, layer.feed_forward(residual.before(states)))
        memory = self.encoder.norm(states)
        outputs: list[Tensor] = []
        for cross_attention in self.cross_attentions:
            assert isinstance(cross_attention, CrossAttention)
            projection = cross_attention.key_value
            key, value = _project(projection, memory).chunk(2, dim=-1)  # (B, S, D)
            key, value = (split_heads(part, cross_attention.num_heads) for part in (key, value))
            if isinstance(projection, CacheProjection):
                key, value = to_cache(key, projection.key_scale), to_cache(value, projection.value_scale)
            outputs += (key, value)
        return tuple(outputs)


class DecoderGraph(nn.Module):
    """One step for n rows, each at its own position, over its own source length."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.decoder = model.decoder
        self.output = model.output

    def forward(
        self, token_ids: Tensor, positions: Tensor, source_lengths: Tensor, num_candidates: Tensor, state: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """The next token's candidates and the state after it.

        Args:
            token_ids: (n,) last token of each row.
            positions: (n,) int32, its place in the target, from 0.
            source_lengths: (n,) int32.
            num_candidates: scalar, k.
            state: per layer: self key, self value (n, H, C, W), cross key, cross value (n, H, S, W).

        Returns:
            candidate ids (n, k), their log-probabilities (n, k), all log-probabilities (n, V), then per layer the
            updated self key, self value, cross key, cross value, to be bound to the buffers they came from; with int8
            caches, then per layer self key and self value as they are written, to be bound to the same buffers.
        """
        embedding = self.decoder.embedding
        states = embedding.tokens(token_ids) * embedding.scale + embedding.positions[positions.long()]
        states = states[:, None]  # (n, 1, D)
        places = _Places.of(states, positions, source_lengths, state)
        updated: list[Tensor] = []
        written: list[Tensor] = []
        for layer, cache in zip(self.decoder.layers, _chunks(state, 4), strict=True):
            states, caches, fresh = _decoder_layer_step(_decoder_layer(layer), states, places, cache)
            updated += caches
            written += fresh
        hidden = self.decoder.norm(states)[:, 0]  # (n, D)
        log_probs = self.output(hidden).float().log_softmax(dim=-1)  # (n, V)
        top_log_probs, top_ids = top_k(log_probs, num_candidates)
        return top_ids, top_log_probs, log_probs, *updated, *written


class ExplainGraph(nn.Module):
    """A whole pair at once: the probability of every target token and every attention map."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model

    def forward(self, source_ids: Tensor, source_lengths: Tensor, target_ids: Tensor) -> tuple[Tensor, ...]:
        """(B, S), (B,) and (B, T), which begins with beginning of sentence.

        Returns:
            log-probability (B, T - 1) of each target token after the first, given those before it; attention weights:
            encoder (B, layers, H, S, S), decoder (B, layers, H, T - 1, T - 1), cross (B, layers, H, T - 1, S).
        """
        memory, encoder_maps = self._encode(source_ids, source_lengths)
        inputs, outputs = target_ids[:, :-1], target_ids[:, 1:]
        states, decoder_maps, cross_maps = self._decode(inputs, memory, source_lengths)
        log_probs = self.model.logits(states).float().log_softmax(dim=-1)  # (B, T - 1, V)
        chosen = log_probs.gather(2, outputs[:, :, None])[:, :, 0]
        return chosen, torch.stack(encoder_maps, 1), torch.stack(decoder_maps, 1), torch.stack(cross_maps, 1)

    def _encode(self, source_ids: Tensor, source_lengths: Tensor) -> tuple[Tensor, list[Tensor]]:
        mask = length_mask(source_lengths, source_ids.shape[1])
        states, maps = self.model.encoder.embedding(source_ids), []
        for layer in self.model.encoder.layers:
            assert isinstance(layer, EncoderLayer)
            residual = layer.self_attention_residual
            query, key, value = layer.self_attention.project(residual.before(states))
            weights = attention_weights(query, key, mask)
            maps.append(weights)
            states = residual.add(states, layer.self_attention.output(merge_heads(weights @ value)))
            residual = layer.feed_forward_residual
            states = residual.add(states, layer.feed_forward(residual.before(states)))
        return self.model.encoder.norm(states), maps

    def _decode(
        self, inputs: Tensor, memory: Tensor, source_lengths: Tensor
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        length = inputs.shape[1]
        steps = torch.arange(length, device=inputs.device)
        causal = (steps[None, :] <= steps[:, None])[None, None]  # (1, 1, T, T)
        mask = length_mask(source_lengths, memory.shape[1])
        states, decoder_maps, cross_maps = self.model.decoder.embedding(inputs), [], []
        for module in self.model.decoder.layers:
            layer = _decoder_layer(module)
            residual = layer.self_attention_residual
            query, key, value = layer.self_attention.project(residual.before(states))
            weights = attention_weights(query, key, causal)
            decoder_maps.append(weights)
            states = residual.add(states, layer.self_attention.output(merge_heads(weights @ value)))
            residual = layer.cross_attention_residual
            key, value = layer.cross_attention.project_memory(memory)
            weights = attention_weights(layer.cross_attention.project_query(residual.before(states)), key, mask)
            cross_maps.append(weights)
            states = residual.add(states, layer.cross_attention.output(merge_heads(weights @ value)))
            residual = layer.feed_forward_residual
            states = residual.add(states, layer.feed_forward(residual.before(states)))
        return self.model.decoder.norm(states), decoder_maps, cross_maps


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
    """(n, 0, D), keys or values of no position."""
    cells: Tensor
    """(n, H, 3) row, head and position of what an int8 cache is given."""

    @classmethod
    def of(cls, states: Tensor, positions: Tensor, source_lengths: Tensor, state: list[Tensor]) -> _Places:
        rows, heads, capacity, _ = state[0].shape
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
            states[:, :0],
            torch.stack(grid, dim=-1),
        )


def _decoder_layer_step(
    layer: DecoderLayer, states: Tensor, places: _Places, cache: list[Tensor]
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """States (n, 1, D) after the layer, its four caches, and what an int8 self-attention cache is written as."""
    residual, attention = layer.self_attention_residual, layer.self_attention
    projection = attention.query_key_value
    projected = _project(projection, residual.before(states))  # (n, 1, 3 D)
    self_cache = cache[:2]
    written: list[Tensor] = []
    if isinstance(projection, CacheProjection):
        # The operator itself rounds to int8 number by number: three times as long.
        query, *fresh = projected.chunk(3, dim=-1)
        scales = projection.key_scale, projection.value_scale
        written = [
            _write(array, values, scale, places.cells)
            for array, values, scale in zip(self_cache, fresh, scales, strict=True)
        ]
        inputs = (query, places.nothing, places.nothing, *written, places.positions, places.capacity)
    else:
        inputs = (projected, None, None, *self_cache, places.positions, places.capacity)
    context, *self_cache = _cached_attention(inputs, projection, attention.num_heads)
    states = residual.add(states, attention.output(context))

    residual = layer.cross_attention_residual
    query = layer.cross_attention.query(residual.before(states))
    inputs = (query, places.nothing, places.nothing, *cache[2:], places.source_positions, places.source_capacity)
    context, *cross_cache = _cached_attention(inputs, layer.cross_attention.key_value, attention.num_heads)
    states = residual.add(states, layer.cross_attention.output(context))

    residual = layer.feed_forward_residual
    states = residual.add(states, layer.feed_forward(residual.before(states)))
    return states, [*self_cache, *cross_cache], written


def _write(array: Tensor, values: Tensor, scale: Tensor, cells: Tensor) -> Tensor:
    """An int8 cache (n, H, C, W) with values (n, 1, D) in `cells`; in place where output and input are one buffer."""
    rows, heads, _, width = array.shape
    updates = to_cache(values, scale).reshape(rows, heads, width)
    return symbolic("ScatterND", (array, cells, updates), dtype=array.dtype, shape=array.shape, version=18)


def _cached_attention(inputs: tuple[Tensor | None, ...], projection: nn.Module, num_heads: int) -> tuple[Tensor, ...]:
    """com.microsoft.GroupQueryAttention: attend to the cached positions and the new one, if any, which it stores.

    Rows are ragged: each attends to its own positions, in the target and in the source.

    Args:
        inputs: query (n, 1, D), or with key and value packed (n, 1, 3 D); key and value (n, 0, D) or none; past key and
            past value (n, H, C, W); positions before the last (n,); capacity C.
        projection: made the keys and values.
        num_heads: H.

    Returns:
        context (n, 1, D) and the updated caches.
    """
    query, key, _, past_key, past_value, *_ = inputs
    assert query is not None
    assert past_key is not None
    assert past_value is not None
    attributes: dict[str, Any] = {"num_heads": num_heads, "kv_num_heads": num_heads}
    if key is not None:
        attributes["causal"] = 0
    if isinstance(projection, CacheProjection):
        attributes |= {"k_quant_type": "PER_TENSOR", "v_quant_type": "PER_TENSOR", "kv_cache_bit_width": 8}
        scales = projection.key_scale[None], projection.value_scale[None]
        inputs = (*inputs, None, None, None, None, None, *scales)
    size = past_key.shape[1] * past_key.shape[3]
    outputs: tuple[Tensor, ...] = tuple(
        symbolic_multi_out(
            "com.microsoft::GroupQueryAttention",
            inputs,
            attributes,
            dtypes=(query.dtype, past_key.dtype, past_value.dtype),
            shapes=((query.shape[0], 1, size), past_key.shape, past_value.shape),
            version=1,
        )
    )
    return outputs


def _whole_attention(projected: Tensor, num_before_last: Tensor, longest: Tensor, num_heads: int) -> Tensor:
    """The same operator over whole ragged sequences, in both directions: (B, S, 3 D) -> (B, S, D)."""
    batch, length, size = projected.shape
    width = size // 3 // num_heads
    cache = (batch, num_heads, length, width)
    context, _, _ = symbolic_multi_out(
        "com.microsoft::GroupQueryAttention",
        (projected, None, None, None, None, num_before_last, longest),
        {"num_heads": num_heads, "kv_num_heads": num_heads, "causal": 0},
        dtypes=(projected.dtype,) * 3,
        shapes=((batch, length, size // 3), cache, cache),
        version=1,
    )
    return context


def _project(projection: nn.Module, states: Tensor) -> Tensor:
    """Queries, keys and values before they go through a cache."""
    if isinstance(projection, CacheProjection):
        return projection.product(states)
    projected: Tensor = projection(states)
    return projected


def _is_quantized(layer: nn.Module) -> bool:
    return isinstance(_decoder_layer(layer).self_attention.query_key_value, CacheProjection)


def _decoder_layer(module: nn.Module) -> DecoderLayer:
    assert isinstance(module, DecoderLayer)
    return module


def _chunks(items: list[Tensor], size: int) -> list[list[Tensor]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
