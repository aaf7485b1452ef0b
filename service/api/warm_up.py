"""The first run of a model, before it is served."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from service.api.captioning import attended_words, caption, picture_of
from service.api.conversion import decoding_of
from service.api.decoding import Decoding
from service.api.served_model import ServedModel
from service.errors import BundleError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.request import Priority

TEXTS = {"en": "I am a student.", "ko": "나는 학생입니다.", "de": "Guten Tag.", "fr": "Bonjour.", "es": "Hola."}
GREY = 128


class WarmUp(NamedTuple):
    """What was translated."""

    text: str
    translation: str


async def warm_up(model: ServedModel) -> WarmUp:
    """Run each graph once: onnxruntime plans memory at the first run, and a model that cannot run is not to be served.

    Raises:
        BundleError: it cannot run.
    """
    run = _describe if model.manifest.reads_images else _translate
    try:
        return await run(model, decoding_of(pb.DecodingOptions(), model, Priority.INTERACTIVE))
    except Exception as error:  # whatever a graph of other shapes leads to
        raise BundleError(f"{model.manifest.name} {model.manifest.version} cannot run: {error}") from error


async def _translate(model: ServedModel, decoding: Decoding) -> WarmUp:
    language = model.languages.source_language.partition("-")[0]
    text = TEXTS.get(language, "123")
    best = (await model.translate(text, decoding, None))[0]
    await model.align(best)
    return WarmUp(text, best.text)


async def _describe(model: ServedModel, decoding: Decoding) -> WarmUp:
    image = model.image
    picture = picture_of(model, np.full((image.height, image.width, 3), GREY, np.uint8))
    best = (await caption(model, picture, decoding, None))[0]
    await attended_words(model, picture, best)
    return WarmUp("a grey picture", best.text)
