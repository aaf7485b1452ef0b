"""The Transformer's third graph: a whole pair at once, with every attention map.

B batch, S source length, T target length, H heads, G heads of keys and values, W head width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.attention import attention_weights, length_mask, merge_heads, share_heads
from training.transformer import DecoderLayer, EncoderLayer, Transformer


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
        log_probs = self.model.log_probs(states)  # (B, T - 1, V)
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
            states = residual.add(states, layer.self_attention.output(_context(weights, value)))
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
        for layer in self.model.decoder.layers:
            assert isinstance(layer, DecoderLayer)
            residual = layer.self_attention_residual
            query, key, value = layer.self_attention.project(residual.before(states))
            weights = attention_weights(query, key, causal)
            decoder_maps.append(weights)
            states = residual.add(states, layer.self_attention.output(_context(weights, value)))
            residual = layer.cross_attention_residual
            key, value = layer.cross_attention.project_memory(memory)
            weights = attention_weights(layer.cross_attention.project_query(residual.before(states)), key, mask)
            cross_maps.append(weights)
            states = residual.add(states, layer.cross_attention.output(_context(weights, value)))
            residual = layer.feed_forward_residual
            states = residual.add(states, layer.feed_forward(residual.before(states)))
        return self.model.decoder.norm(states), decoder_maps, cross_maps


def _context(weights: Tensor, value: Tensor) -> Tensor:
    """(B, H, Q, K) weights over values (B, G, K, W) -> (B, Q, H W)."""
    return merge_heads(weights @ share_heads(value, weights.shape[1]))
