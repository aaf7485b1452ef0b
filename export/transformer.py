"""The Transformer, taken apart: the three graphs of a bundle, made of the trained modules.

B batch, n rows, S source length, T target length, C cache capacity, D model size, H heads, W head width, V vocabulary.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.onnx.ops import symbolic, symbolic_multi_out

from export.exportable import Exportable
from service.bundle.state_spec import ROWS, SOURCE, TARGET, StateArray
from training.attention import CrossAttention, attention_weights, length_mask, merge_heads, split_heads
from training.transformer import DecoderLayer, EncoderLayer, Transformer


def take_apart(model: Transformer, dtype: Literal["float32", "float16"]) -> Exportable:
    """The graphs of a Transformer whose activations are of `dtype`."""
    state: list[StateArray] = []
    heads = model.settings.num_heads
    width = model.settings.model_size // heads
    for index in range(model.settings.num_decoder_layers):
        for kind, owner, axis in (("self", "hypothesis", TARGET), ("cross", "source", SOURCE)):
            state += (
                StateArray(
                    name=f"{kind}_{content}_{index}",
                    dtype=dtype,
                    shape=(ROWS, heads, axis, width),
                    owner=owner,  # type: ignore[arg-type]
                    update="in_place",
                )
                for content in ("key", "value")
            )
        state += (
            StateArray(
                name=f"last_cross_{content}_{index}",
                dtype=dtype,
                shape=(ROWS, 1, heads * width),
                owner="source",
                update="none",
            )
            for content in ("key", "value")
        )
    return Exportable("transformer", EncoderGraph(model), DecoderGraph(model), ExplainGraph(model), tuple(state))


class EncoderGraph(nn.Module):
    """Source ids and lengths to what the decoder needs of the source: per layer, cross-attention keys and values."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.encoder = model.encoder
        self.cross_attentions = nn.ModuleList(_decoder_layer(layer).cross_attention for layer in model.decoder.layers)

    def forward(self, source_ids: Tensor, source_lengths: Tensor) -> tuple[Tensor, ...]:
        """(B, S) and (B,) -> per decoder layer key and value (B, H, S, W), then their last real position (B, 1, D)."""
        states = self.encoder.embedding(source_ids)
        lengths = source_lengths.to(torch.int32)
        for layer in self.encoder.layers:
            assert isinstance(layer, EncoderLayer)
            residual = layer.self_attention_residual
            attention = layer.self_attention
            projected = attention.query_key_value(residual.before(states))
            query, key, value = projected.chunk(3, dim=-1)
            context = symbolic(
                "com.microsoft::MultiHeadAttention",
                (query, key, value, None, lengths),
                {"num_heads": attention.num_heads},
                dtype=query.dtype,
                shape=query.shape,
                version=1,
            )
            states = residual.add(states, attention.output(context))
            residual = layer.feed_forward_residual
            states = residual.add(states, layer.feed_forward(residual.before(states)))
        memory = self.encoder.norm(states)
        last = (source_lengths - 1)[:, None, None]  # (B, 1, 1)
        outputs: list[Tensor] = []
        for cross_attention in self.cross_attentions:
            assert isinstance(cross_attention, CrossAttention)
            key, value = cross_attention.key_value(memory).chunk(2, dim=-1)  # (B, S, D)
            index = last.expand(-1, 1, key.shape[-1])
            outputs += (
                split_heads(key, cross_attention.num_heads),
                split_heads(value, cross_attention.num_heads),
                key.gather(1, index),
                value.gather(1, index),
            )
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
            state: per layer: self key, self value (n, H, C, W), cross key, cross value (n, H, C, W), last cross key,
                last cross value (n, 1, D).

        Returns:
            candidate ids (n, k), their log-probabilities (n, k), all log-probabilities (n, V), then per layer the
            updated self key, self value, cross key, cross value, to be bound to the buffers they came from.
        """
        embedding = self.decoder.embedding
        states = embedding.tokens(token_ids) * embedding.scale + embedding.positions[positions.long()]
        states = states[:, None]  # (n, 1, D)
        updated: list[Tensor] = []
        for layer, cache in zip(self.decoder.layers, _chunks(state, 6), strict=True):
            states, caches = _decoder_layer_step(_decoder_layer(layer), states, positions, source_lengths, cache)
            updated += caches
        hidden = self.decoder.norm(states)[:, 0]  # (n, D)
        log_probs = self.output(hidden).float().log_softmax(dim=-1)  # (n, V)
        top_log_probs, top_ids = _top_k(log_probs, num_candidates)
        return top_ids, top_log_probs, log_probs, *updated


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


def _decoder_layer_step(
    layer: DecoderLayer, states: Tensor, positions: Tensor, source_lengths: Tensor, cache: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    self_key, self_value, cross_key, cross_value, last_key, last_value = cache
    residual = layer.self_attention_residual
    query, key, value = layer.self_attention.query_key_value(residual.before(states)).chunk(3, dim=-1)
    heads = layer.self_attention.num_heads
    context, self_key, self_value = _cached_attention(query, key, value, self_key, self_value, positions, heads)
    states = residual.add(states, layer.self_attention.output(context))

    residual = layer.cross_attention_residual
    query = layer.cross_attention.query(residual.before(states))
    # Ragged cross-attention: the last source position is passed as the new one at every step, over the S - 1 before it.
    context, cross_key, cross_value = _cached_attention(
        query, last_key, last_value, cross_key, cross_value, source_lengths - 1, heads
    )
    states = residual.add(states, layer.cross_attention.output(context))

    residual = layer.feed_forward_residual
    states = residual.add(states, layer.feed_forward(residual.before(states)))
    return states, [self_key, self_value, cross_key, cross_value]


def _cached_attention(
    query: Tensor, key: Tensor, value: Tensor, past_key: Tensor, past_value: Tensor, num_past: Tensor, num_heads: int
) -> tuple[Tensor, Tensor, Tensor]:
    """com.microsoft.GroupQueryAttention: attend to num_past (n,) cached positions and the new one, which it stores.

    query, key, value: (n, 1, D); past_key, past_value: (n, H, C, W) -> context (n, 1, D) and the updated caches.
    """
    capacity = torch.scalar_tensor(past_key.shape[2], dtype=torch.int32)
    context, present_key, present_value = symbolic_multi_out(
        "com.microsoft::GroupQueryAttention",
        (query, key, value, past_key, past_value, num_past, capacity),
        {"num_heads": num_heads, "kv_num_heads": num_heads},
        dtypes=(query.dtype, past_key.dtype, past_value.dtype),
        shapes=(query.shape, past_key.shape, past_value.shape),
        version=1,
    )
    return context, present_key, present_value


def _top_k(log_probs: Tensor, num_candidates: Tensor) -> tuple[Tensor, Tensor]:
    rows = log_probs.shape[0]
    values, indices = symbolic_multi_out(
        "TopK",
        (log_probs, num_candidates),
        {"axis": -1, "largest": 1, "sorted": 1},
        dtypes=(log_probs.dtype, torch.int64),
        shapes=((rows, 1), (rows, 1)),  # the second axis is num_candidates long, which only a running graph knows
        version=11,
    )
    return values, indices


def _decoder_layer(module: nn.Module) -> DecoderLayer:
    assert isinstance(module, DecoderLayer)
    return module


def _chunks(items: list[Tensor], size: int) -> list[list[Tensor]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
