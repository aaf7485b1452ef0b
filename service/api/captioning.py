"""A picture in, captions out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.api.caption_words import WordAttention, words_of
from service.api.decoding import Decoding
from service.api.explanation import explain_picture
from service.api.served_model import ServedModel
from service.errors import InvalidRequestError
from service.request import DecodingOptions, Picture, Translation
from service.text.protected_spans import ProtectedText

NUM_TAGS = 1
"""Tokens at the beginning of every caption that tell its language, and are not shown."""


@dataclass(frozen=True)
class Caption:
    """What a picture shows."""

    text: str
    translation: Translation
    """As the engine gave it: the tag of the language comes first."""

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Without tag and end of sentence."""
        return self.translation.token_ids[NUM_TAGS:]

    @property
    def token_log_probs(self) -> tuple[float, ...]:
        """Of these tokens given the language; one more where the caption ended by itself."""
        return self.translation.token_log_probs[NUM_TAGS:]


def picture_of(model: ServedModel, pixels: NDArray[np.uint8]) -> Picture:
    """Pixels (H, W, 3) of the model's size as its engine takes them."""
    return Picture(pixels, model.image.num_cells)


async def caption(
    model: ServedModel, picture: Picture, decoding: Decoding, deadline_seconds: float | None
) -> tuple[Caption, ...]:
    """Describe a picture in the language of this view of the model.

    Args:
        model: see `Models.select_captioner`.
        picture: see `picture_of`.
        decoding: how to decode.
        deadline_seconds: on the clock of time.monotonic.

    Returns:
        Best first; at least one.

    Raises:
        ServiceError: see `Worker.translate`; or the options do not suit a caption.
    """
    await model.look_up(decoding.forbidden_phrases)
    event = await model.run(picture, _options(model, decoding), deadline_seconds, decoding.priority)
    decode = model.bundle.target_tokenizer.decode
    return tuple(Caption(decode(found.token_ids[NUM_TAGS:]), found) for found in event.translations)


async def attended_words(model: ServedModel, picture: Picture, described: Caption) -> list[WordAttention]:
    """The words of a caption and where in the picture each looks; runs beside the engine."""
    vocabulary = model.manifest.vocabulary
    target_ids = (*described.translation.token_ids, vocabulary.end_id)
    cross_attention = await asyncio.to_thread(explain_picture, model.bundle, model.image, picture, target_ids)
    offsets = model.target_offsets(described.token_ids, ProtectedText(""))
    return words_of(described.text, offsets, cross_attention[:, :, NUM_TAGS:-1])


def _options(model: ServedModel, decoding: Decoding) -> DecodingOptions:
    """How to decode, in tokens: limits are those of what is shown, and the tag comes on top."""
    tokenizer, options = model.bundle.target_tokenizer, decoding.options
    if decoding.terms:
        raise InvalidRequestError.of("decoding.terminology", "a picture has no source terms")
    tag = model.manifest.caption_tags[model.languages.target_language]
    prefix = (tag, *tokenizer.encode(decoding.target_prefix))
    if len(prefix) - NUM_TAGS > options.max_target_tokens:
        raise InvalidRequestError.of(
            "decoding.target_prefix", f"{len(prefix) - NUM_TAGS} tokens; limit {options.max_target_tokens}"
        )
    return replace(
        options,
        max_target_tokens=options.max_target_tokens + NUM_TAGS,
        min_target_tokens=options.min_target_tokens + NUM_TAGS,
        prefix=prefix,
        forbidden=tuple(ids for phrase in decoding.forbidden_phrases for ids in tokenizer.variants(phrase)),
    )
