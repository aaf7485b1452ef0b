"""Our checkpoint as a CTranslate2 model: the same weights behind the other engine.

Tokens are named by their ids, so that both engines are fed the same numbers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ctranslate2.specs import attention_spec, common_spec, transformer_spec
from torch import Tensor, nn

from bench.ctranslate2_runtime import tokens
from training.attention import CrossAttention, SelfAttention
from training.embedding import Embedding
from training.feed_forward import FeedForward
from training.transformer import DecoderLayer, EncoderLayer, Residual, Transformer
from training.vocabulary import BEGIN_ID, END_ID, UNKNOWN_ID

ACTIVATIONS = {
    "relu": common_spec.Activation.RELU,
    "gelu": common_spec.Activation.GELU,
    "silu": common_spec.Activation.SWISH,
}


def convert(model: Transformer, directory: Path, num_source_tokens: int, num_target_tokens: int) -> Path:
    """Write the model for `ctranslate2.Translator`.

    Args:
        model: a Transformer of ours whose positions are added to embeddings, with layer normalisation, as many heads of
            keys as of queries and no gates.
        directory: made by this function.
        num_source_tokens: size of the source vocabulary.
        num_target_tokens: size of the target vocabulary.

    Raises:
        ValueError: the model has what is not converted.
    """
    settings = model.settings
    if (
        settings.normalization != "layer"
        or settings.activation not in ACTIVATIONS
        or settings.positions == "rotary"
        or settings.num_key_value_heads not in (0, settings.num_heads)
        or settings.is_padding_banned
    ):
        raise ValueError(f"this bench converts no such Transformer: {settings}")
    spec = transformer_spec.TransformerSpec.from_config(
        (settings.num_encoder_layers, settings.num_decoder_layers),
        settings.num_heads,
        pre_norm=settings.norm == "pre",
        activation=ACTIVATIONS[settings.activation],
    )
    _embedding(spec.encoder.embeddings[0], spec.encoder.position_encodings, model.encoder.embedding)
    _embedding(spec.decoder.embeddings, spec.decoder.position_encodings, model.decoder.embedding)
    spec.encoder.scale_embeddings = spec.decoder.scale_embeddings = settings.scale_embeddings
    for layer_spec, layer in zip(spec.encoder.layer, model.encoder.layers, strict=True):
        assert isinstance(layer, EncoderLayer)
        _self_attention(layer_spec.self_attention, layer.self_attention, layer.self_attention_residual)
        _feed_forward(layer_spec.ffn, layer.feed_forward, layer.feed_forward_residual)
    for layer_spec, layer in zip(spec.decoder.layer, model.decoder.layers, strict=True):
        assert isinstance(layer, DecoderLayer)
        _self_attention(layer_spec.self_attention, layer.self_attention, layer.self_attention_residual)
        _cross_attention(layer_spec.attention, layer.cross_attention, layer.cross_attention_residual)
        _feed_forward(layer_spec.ffn, layer.feed_forward, layer.feed_forward_residual)
    if settings.norm == "pre":
        _norm(spec.encoder.layer_norm, model.encoder.norm)
        _norm(spec.decoder.layer_norm, model.decoder.norm)
    _linear(spec.decoder.projection, model.output)
    spec.register_source_vocabulary(tokens(range(num_source_tokens)))
    spec.register_target_vocabulary(tokens(range(num_target_tokens)))
    spec.config.bos_token = spec.config.decoder_start_token = str(BEGIN_ID)
    spec.config.eos_token, spec.config.unk_token = str(END_ID), str(UNKNOWN_ID)
    spec.config.add_source_bos = spec.config.add_source_eos = False
    spec.validate()
    directory.mkdir(parents=True)
    spec.save(str(directory))
    return directory


def _embedding(
    spec: common_spec.EmbeddingsSpec, positions: transformer_spec.PositionEncoderSpec, embedding: Embedding
) -> None:
    spec.weight = _array(embedding.tokens.weight)
    assert embedding.positions is not None
    spec.multiply_by_sqrt_depth = embedding.scale != 1.0
    positions.encodings = _array(embedding.positions)


def _self_attention(spec: attention_spec.MultiHeadAttentionSpec, attention: SelfAttention, residual: Residual) -> None:
    _norm(spec.layer_norm, residual.norm)
    _linear(spec.linear[0], attention.query_key_value)
    _linear(spec.linear[1], attention.output)


def _cross_attention(
    spec: attention_spec.MultiHeadAttentionSpec, attention: CrossAttention, residual: Residual
) -> None:
    _norm(spec.layer_norm, residual.norm)
    _linear(spec.linear[0], attention.query)
    _linear(spec.linear[1], attention.key_value)
    _linear(spec.linear[2], attention.output)


def _feed_forward(spec: transformer_spec.FeedForwardSpec, feed_forward: FeedForward, residual: Residual) -> None:
    _norm(spec.layer_norm, residual.norm)
    _linear(spec.linear_0, feed_forward.inner)
    _linear(spec.linear_1, feed_forward.output)


def _linear(spec: common_spec.LinearSpec, linear: nn.Linear) -> None:
    spec.weight = _array(linear.weight)
    if linear.bias is not None:
        spec.bias = _array(linear.bias)


def _norm(spec: common_spec.LayerNormSpec, norm: nn.Module) -> None:
    assert isinstance(norm, nn.LayerNorm)
    spec.gamma, spec.beta = _array(norm.weight), _array(norm.bias)


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().float().cpu().numpy()
