"""What a Transformer must at least read and compute, by formula.

D model size, M inner size of the feed-forward network, H W = D, G W width of keys or of values, V target vocabulary,
S and T lengths of a source and its target, L_e and L_d layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.gpu.machine import Ceilings
from training.model_settings import TransformerSettings


@dataclass(frozen=True)
class StepCost:
    """Of one decoder step over all its rows."""

    weight_bytes: int
    cache_bytes: int
    """Keys and values that attention reads."""
    flops: int

    def floor_seconds(self, ceilings: Ceilings) -> float:
        """No step is faster: the longer of moving its bytes and computing its products."""
        return max(
            (self.weight_bytes + self.cache_bytes) / ceilings.bytes_per_second, self.flops / ceilings.flops_per_second
        )

    def bound(self, ceilings: Ceilings) -> str:
        """Which of the two is longer: bytes or FLOPs."""
        moving = (self.weight_bytes + self.cache_bytes) / ceilings.bytes_per_second
        return "bytes" if moving > self.flops / ceilings.flops_per_second else "FLOPs"


def step_cost(
    settings: TransformerSettings,
    vocabulary_size: int,
    source_lengths: Sequence[int],
    target_lengths: Sequence[int],
    bytes_per_number: int,
) -> StepCost:
    """Of a step whose rows attend to so many positions of their sources and of their targets, the new one included."""
    weights = settings.num_decoder_layers * _decoder_layer(settings) + settings.model_size * vocabulary_size
    positions = settings.num_decoder_layers * (sum(source_lengths) + sum(target_lengths))
    return StepCost(
        weight_bytes=weights * bytes_per_number,
        cache_bytes=2 * positions * _key_value_size(settings) * bytes_per_number,
        flops=2 * weights * len(source_lengths) + 4 * settings.model_size * positions,
    )


def training_flops(
    settings: TransformerSettings, vocabulary_size: int, source_lengths: Sequence[int], target_lengths: Sequence[int]
) -> int:
    """Of the forward and the backward pass over sentences of these lengths, ends of sentence counted.

    Chowdhery et al. (2022), "PaLM", appendix B, for an encoder and a decoder. A weight of a matrix costs 2 FLOPs for
    each token that passes it, attention 4 D for each pair of a query and a key in each layer (two products; causal
    attention is counted in full, as there); the backward pass costs twice the forward pass. Forward:

        2 (L_e (attention 2 D² + 2 D G W, feed-forward 2 D M) + L_d 2 D G W) S    the last: the source's keys and values
        + 2 (L_d (self-attention 2 D² + 2 D G W, cross-attention 2 D², feed-forward 2 D M) + D V) T
        + 4 D (L_e S² + L_d T² + L_d T S)

    Embeddings are looked up, and norms, activations, softmax, dropout and the optimiser are not counted. Padding is not
    work that was asked for, nor is what is computed again.
    """
    size = settings.model_size
    per_source_token = 2 * (
        settings.num_encoder_layers * (_self_attention(settings) + _feed_forward(settings))
        + settings.num_decoder_layers * 2 * size * _key_value_size(settings)
    )
    per_target_token = 2 * (settings.num_decoder_layers * _decoder_layer(settings) + size * vocabulary_size)
    pairs = sum(
        settings.num_encoder_layers * source**2 + settings.num_decoder_layers * (target**2 + target * source)
        for source, target in zip(source_lengths, target_lengths, strict=True)
    )
    forward = per_source_token * sum(source_lengths) + per_target_token * sum(target_lengths) + 4 * size * pairs
    return 3 * forward


def _decoder_layer(settings: TransformerSettings) -> int:
    """Weights that every target token passes; keys and values of the source are computed once for each source."""
    return _self_attention(settings) + 2 * settings.model_size**2 + _feed_forward(settings)


def _self_attention(settings: TransformerSettings) -> int:
    return 2 * settings.model_size * (settings.model_size + _key_value_size(settings))


def _feed_forward(settings: TransformerSettings) -> int:
    num_maps = 3 if settings.activation == "swiglu" else 2
    return num_maps * settings.model_size * settings.feed_forward_size


def _key_value_size(settings: TransformerSettings) -> int:
    return settings.head_size * (settings.num_key_value_heads or settings.num_heads)
