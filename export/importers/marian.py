"""Marian's Transformer as Hugging Face keeps it (OPUS-MT: Tiedemann and Thottingal 2020), as a checkpoint of ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
from sentencepiece import sentencepiece_model_pb2 as spm

from export.errors import ExportError
from export.importers.hugging_face import Weights, read_bytes, read_json, read_weights
from export.importers.marian_vocabulary import Numbering, SpecialIds, number, parse, renumber
from export.importers.marian_weights import convert
from training.checkpoint import Checkpoint
from training.model_settings import TransformerSettings
from training.recipe import DataSettings, Recipe, VocabularySettings
from training.section import NonNegative, Positive


class MarianConfig(msgspec.Struct, frozen=True):
    """What of config.json decides the computation."""

    model_type: Literal["marian"]
    vocab_size: Positive
    d_model: Positive
    encoder_layers: Positive
    decoder_layers: Positive
    encoder_attention_heads: Positive
    decoder_attention_heads: Positive
    encoder_ffn_dim: Positive
    decoder_ffn_dim: Positive
    activation_function: Literal["relu", "gelu", "silu", "swish"]
    max_position_embeddings: Positive
    scale_embedding: bool
    pad_token_id: NonNegative
    eos_token_id: NonNegative
    decoder_start_token_id: NonNegative
    decoder_vocab_size: Positive | None = None
    share_encoder_decoder_embeddings: bool = True
    tie_word_embeddings: bool = True
    normalize_before: bool = False
    normalize_embedding: bool = False
    add_final_layer_norm: bool = False
    static_position_embeddings: bool = True
    bad_words_ids: tuple[tuple[NonNegative, ...], ...] | None = None

    def __post_init__(self) -> None:
        for name in ("normalize_before", "normalize_embedding", "add_final_layer_norm"):
            if getattr(self, name):
                raise ValueError(f"{name} true is not what transformers' Marian computes")
        if not self.static_position_embeddings:
            raise ValueError("static_position_embeddings false is not what transformers' Marian computes")
        for name in ("attention_heads", "ffn_dim"):
            if getattr(self, f"encoder_{name}") != getattr(self, f"decoder_{name}"):
                raise ValueError(f"encoder_{name} and decoder_{name} must be the same")
        if any(banned != (self.pad_token_id,) for banned in self.bad_words_ids or ()):
            raise ValueError("bad_words_ids must ban padding alone")

    @property
    def target_size(self) -> int:
        """Rows of the output projection."""
        return self.decoder_vocab_size or self.vocab_size


def import_marian(
    directory: Path, source_language: str | None = None, target_language: str | None = None
) -> Checkpoint:
    """Read config.json, model.safetensors, source.spm, target.spm and vocab.json.

    Translations and their probabilities are those of transformers: padding takes part in the softmax and is never
    chosen, nor is what decoding begins with.

    Args:
        directory: as save_pretrained writes it.
        source_language: BCP-47 code; None: what tokenizer_config.json says.
        target_language: likewise.

    Raises:
        ExportError: a file is missing or damaged, or the model is another; the message names file or key.
    """
    config = _read_config(directory)
    settings = _settings(config)
    models = [parse(read_bytes(directory, name), str(directory / name)) for name in ("source.spm", "target.spm")]
    source, target = _number(directory, config, models)
    is_shared = config.share_encoder_decoder_embeddings
    num_positions = config.max_position_embeddings
    weights = convert(Weights(read_weights(directory)), settings, source, target, num_positions, is_shared)
    from_language, to_language = _languages(directory, source_language, target_language)
    recipe = Recipe(
        name=f"marian-{from_language}-{to_language}",
        source_language=from_language,
        target_language=to_language,
        vocabulary=VocabularySettings(
            size=len(target.pieces),
            kind="bpe" if models[0].trainer_spec.model_type == spm.TrainerSpec.BPE else "unigram",
            byte_fallback=models[0].trainer_spec.byte_fallback,
            is_shared=is_shared,
        ),
        # One position is that of the beginning.
        data=DataSettings(max_source_tokens=num_positions - 1, max_target_tokens=num_positions - 1),
        model=settings,
    )
    provenance = {"data": "imported from Hugging Face's Marian format; see the model's own card"}
    return Checkpoint(
        recipe=recipe,
        source_vocabulary=renumber(models[0], source, is_source=True),
        target_vocabulary=renumber(models[1], target, is_source=False),
        weights=weights,
        progress={"step": 0, "target_tokens": 0, "seconds": 0.0, "provenance": provenance},
        trainer={},
    )


def _read_config(directory: Path) -> MarianConfig:
    generation = read_json(directory, "generation_config.json", is_required=False)
    content = read_json(directory, "config.json")
    if "bad_words_ids" in generation:
        content["bad_words_ids"] = generation["bad_words_ids"]
    try:
        return msgspec.convert(content, MarianConfig)
    except msgspec.ValidationError as error:
        raise ExportError(f"{directory / 'config.json'}: {str(error).replace('$.', '')}") from None


def _languages(directory: Path, source: str | None, target: str | None) -> tuple[str, str]:
    known = read_json(directory, "tokenizer_config.json", is_required=False)
    source, target = source or known.get("source_lang"), target or known.get("target_lang")
    if not source or not target:
        raise ExportError(
            f"{directory} does not tell its languages: give --source-language and --target-language, such as en and de"
        )
    return source, target


def _number(directory: Path, config: MarianConfig, models: Sequence[spm.ModelProto]) -> tuple[Numbering, Numbering]:
    """Of source and target, which are one where their embeddings are."""
    special = SpecialIds(config.pad_token_id, config.eos_token_id, config.decoder_start_token_id)
    vocabulary = _read_vocabulary(directory, "vocab.json")
    if config.share_encoder_decoder_embeddings:
        shared = number(vocabulary, config.vocab_size, special, models)
        return shared, shared
    has_two = (directory / "target_vocab.json").is_file()
    target_vocabulary = _read_vocabulary(directory, "target_vocab.json") if has_two else vocabulary
    source_special = replace(special, begin=special.pad)  # the encoder has no beginning
    return (
        number(vocabulary, config.vocab_size, source_special, models[:1]),
        number(target_vocabulary, config.target_size, special, models[1:]),
    )


def _read_vocabulary(directory: Path, name: str) -> dict[str, int]:
    try:
        return msgspec.convert(read_json(directory, name), dict[str, NonNegative])
    except msgspec.ValidationError as error:
        raise ExportError(f"{directory / name}: {error}") from None


def _settings(config: MarianConfig) -> TransformerSettings:
    activation = config.activation_function
    try:
        return TransformerSettings(
            num_encoder_layers=config.encoder_layers,
            num_decoder_layers=config.decoder_layers,
            model_size=config.d_model,
            feed_forward_size=config.encoder_ffn_dim,
            num_heads=config.encoder_attention_heads,
            norm="post",
            activation="silu" if activation == "swish" else activation,
            positions="learned",
            scale_embeddings=config.scale_embedding,
            tie_embeddings=config.tie_word_embeddings,
            output_bias=True,
            is_padding_banned=True,
        )
    except ValueError as error:
        raise ExportError(f"config.json: {error} (model_size is d_model, num_heads encoder_attention_heads)") from None
