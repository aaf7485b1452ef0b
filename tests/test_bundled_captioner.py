"""The captioner that ships, on scenes that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from service.pb.seq2serve.v1 import caption_service_pb2 as pb
from service.pb.seq2serve.v1 import caption_service_pb2_grpc as pb_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as translation_pb
from tests.conftest import Serve
from training.captioning.examples import Example, scene_examples, views
from training.captioning.settings import load_caption_recipe
from training.captioning.truth import judge

MODELS = Path(__file__).parents[1] / "models"
RECIPE = load_caption_recipe("captions-en-ko", ("scenes.num_train=0", "scenes.num_development=0"))
NUM_SCENES, NUM_RIGHT = 12, 8


def scenes() -> Iterator[tuple[Example, bytes]]:
    known = (example for example in scene_examples(RECIPE, 0) if example.split == "test")
    for example in islice(known, NUM_SCENES):
        content = BytesIO()
        next(views(example, RECIPE, None)).save(content, "PNG")
        yield example, content.getvalue()


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_it_names_what_is_there_and_looks_at_it(serve: Serve, language: str) -> None:
    selection = translation_pb.ModelSelection(target_language_code=language)
    right = []
    async with serve(models=MODELS) as (_, channel):
        stub = pb_grpc.CaptionServiceStub(channel)
        for example, image in scenes():
            caption = await stub.Caption(pb.CaptionRequest(model_selection=selection, image=image))
            references = [one.text for one in example.captions[language]]
            right.append(judge(caption.hypotheses[0].text, references, language).objects)
            grids = np.array([word.attention.weights for word in caption.words])
            np.testing.assert_allclose(grids.sum(axis=1), 1, atol=1e-4)
    assert sum(right) >= NUM_RIGHT
