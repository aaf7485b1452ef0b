"""Our weights under JoeyNMT's names. It has no fused projections: queries, keys and values are taken apart."""

from __future__ import annotations

from typing import Any

from torch import Tensor

ENCODER_ATTENTION, ENCODER_NORM = "src_src_att", "layer_norm"
DECODER_ATTENTION, DECODER_NORM = "trg_trg_att", "x_layer_norm"
CROSS_ATTENTION, CROSS_NORM = "src_trg_att", "dec_layer_norm"


def renamed(weights: dict[str, Tensor], settings: dict[str, Any]) -> dict[str, Tensor]:
    """The state that JoeyNMT's `Model` loads; tied embeddings stand under each of their names."""
    table = weights["encoder.embedding.tokens.weight"]
    result = dict.fromkeys(("src_embed.lut.weight", "trg_embed.lut.weight", "decoder.output_layer.weight"), table)
    for kind in ("weight", "bias"):
        for index in range(settings["num_encoder_layers"]):
            layer = f"encoder.layers.{index}"
            result |= _self_attention(weights, layer, (ENCODER_ATTENTION, ENCODER_NORM), kind)
            result |= _feed_forward(weights, layer, kind)
        for index in range(settings["num_decoder_layers"]):
            layer = f"decoder.layers.{index}"
            result |= _self_attention(weights, layer, (DECODER_ATTENTION, DECODER_NORM), kind)
            result |= _cross_attention(weights, layer, kind)
            result |= _feed_forward(weights, layer, kind)
        if settings["norm"] == "pre":
            for part in ("encoder", "decoder"):
                result[f"{part}.layer_norm.{kind}"] = weights[f"{part}.norm.{kind}"]
    return result


def _self_attention(weights: dict[str, Tensor], layer: str, names: tuple[str, str], kind: str) -> dict[str, Tensor]:
    attention, norm = names
    query, key, value = weights[f"{layer}.self_attention.query_key_value.{kind}"].chunk(3)
    return {
        f"{layer}.{attention}.q_layer.{kind}": query,
        f"{layer}.{attention}.k_layer.{kind}": key,
        f"{layer}.{attention}.v_layer.{kind}": value,
        f"{layer}.{attention}.output_layer.{kind}": weights[f"{layer}.self_attention.output.{kind}"],
        f"{layer}.{norm}.{kind}": weights[f"{layer}.self_attention_residual.norm.{kind}"],
    }


def _cross_attention(weights: dict[str, Tensor], layer: str, kind: str) -> dict[str, Tensor]:
    key, value = weights[f"{layer}.cross_attention.key_value.{kind}"].chunk(2)
    return {
        f"{layer}.{CROSS_ATTENTION}.q_layer.{kind}": weights[f"{layer}.cross_attention.query.{kind}"],
        f"{layer}.{CROSS_ATTENTION}.k_layer.{kind}": key,
        f"{layer}.{CROSS_ATTENTION}.v_layer.{kind}": value,
        f"{layer}.{CROSS_ATTENTION}.output_layer.{kind}": weights[f"{layer}.cross_attention.output.{kind}"],
        f"{layer}.{CROSS_NORM}.{kind}": weights[f"{layer}.cross_attention_residual.norm.{kind}"],
    }


def _feed_forward(weights: dict[str, Tensor], layer: str, kind: str) -> dict[str, Tensor]:
    return {
        f"{layer}.feed_forward.pwff_layer.0.{kind}": weights[f"{layer}.feed_forward.inner.{kind}"],
        f"{layer}.feed_forward.pwff_layer.3.{kind}": weights[f"{layer}.feed_forward.output.{kind}"],
        f"{layer}.feed_forward.layer_norm.{kind}": weights[f"{layer}.feed_forward_residual.norm.{kind}"],
    }
