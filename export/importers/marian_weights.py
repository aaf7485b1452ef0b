"""The tensors of Hugging Face's Marian under our names, their rows in our order.

D model size, V pieces of a vocabulary of ours, L positions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from export.errors import ExportError
from export.importers.hugging_face import Weights
from export.importers.marian_vocabulary import Numbering
from training.model_settings import TransformerSettings
from training.positions import sinusoidal_positions
from training.vocabulary import BEGIN_ID

NEVER = -1e4
"""Output bias of what has no share of the probability: its exponential is zero, and float16 holds it."""


def convert(
    weights: Weights,
    settings: TransformerSettings,
    source: Numbering,
    target: Numbering,
    num_positions: int,
    is_shared: bool,
) -> dict[str, Tensor]:
    """The state of a `Transformer` of `settings`.

    Args:
        weights: as transformers names them; all are taken.
        settings: of the model.
        source: of the source vocabulary.
        target: of the target vocabulary.
        num_positions: L.
        is_shared: source and target embeddings are one table.

    Raises:
        ExportError: a tensor is missing, left over, or of another size than the vocabulary.
    """
    result = _tables(weights, settings.tie_embeddings, source, target, is_shared)
    positions = marian_positions(num_positions, settings.model_size)
    for side, num_layers in (("encoder", settings.num_encoder_layers), ("decoder", settings.num_decoder_layers)):
        result[f"{side}.embedding.positions"] = positions
        weights.leave(f"model.{side}.embed_positions.weight")  # the same table, where it is kept at all
        for index in range(num_layers):
            name = f"{side}.layers.{index}"
            result |= _layer(weights, f"model.{name}", name, has_cross_attention=side == "decoder")
    weights.finish()
    return result


def marian_positions(num_positions: int, model_size: int) -> Tensor:
    """(L, D): the paper's sinusoids, sines in the first half of the columns and cosines in the second."""
    table = sinusoidal_positions(num_positions, model_size)
    return torch.cat((table[:, 0::2], table[:, 1::2]), dim=1)


def _tables(
    weights: Weights, is_tied: bool, source: Numbering, target: Numbering, is_shared: bool
) -> dict[str, Tensor]:
    """Embeddings (V, D), output projection (V, D) and output bias (V,)."""
    encoder, decoder = "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"
    # Of tensors that are one, a file may hold any.
    anywhere = (
        *(["model.shared.weight", encoder, decoder] if is_shared else []),
        *(["lm_head.weight"] if is_tied else []),
    )
    source_table = weights.first(encoder, *(anywhere if is_shared else ()))
    target_table = weights.first(decoder, *anywhere)
    output = target_table if is_tied else weights.first("lm_head.weight")
    weights.leave(encoder, decoder, "model.shared.weight", "lm_head.weight")
    bias = torch.zeros(len(output))
    if "final_logits_bias" in weights:
        bias = weights.take("final_logits_bias").flatten()
    bias = _rows(bias, target, "final_logits_bias")
    bias[BEGIN_ID] = NEVER
    bias[target.num_known :] = NEVER
    return {
        "encoder.embedding.tokens.weight": _rows(source_table, source, encoder),
        "decoder.embedding.tokens.weight": _rows(target_table, target, decoder),
        "output.weight": _rows(output, target, "lm_head.weight"),
        "output.bias": bias,
    }


def _rows(table: Tensor, numbering: Numbering, name: str) -> Tensor:
    if len(table) != numbering.size:
        raise ExportError(f"{name} has {len(table)} rows, config.json says {numbering.size}")
    return table[list(numbering.rows)]


def _layer(weights: Weights, theirs: str, ours: str, has_cross_attention: bool) -> dict[str, Tensor]:
    def fused(*names: str) -> tuple[Tensor, Tensor]:
        parts = [(weights.take(f"{theirs}.{name}.weight"), weights.take(f"{theirs}.{name}.bias")) for name in names]
        return torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])

    pairs = {
        "self_attention.query_key_value": fused("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        "self_attention.output": fused("self_attn.out_proj"),
        "self_attention_residual.norm": fused("self_attn_layer_norm"),
        "feed_forward.inner": fused("fc1"),
        "feed_forward.output": fused("fc2"),
        "feed_forward_residual.norm": fused("final_layer_norm"),
    }
    if has_cross_attention:
        pairs |= {
            "cross_attention.query": fused("encoder_attn.q_proj"),
            "cross_attention.key_value": fused("encoder_attn.k_proj", "encoder_attn.v_proj"),
            "cross_attention.output": fused("encoder_attn.out_proj"),
            "cross_attention_residual.norm": fused("encoder_attn_layer_norm"),
        }
    named = ((f"{ours}.{name}", pair) for name, pair in pairs.items())
    return {
        f"{name}.{part}": tensor for name, pair in named for part, tensor in zip(("weight", "bias"), pair, strict=True)
    }
