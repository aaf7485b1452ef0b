"""Captions as JSON."""

from __future__ import annotations

from base64 import b64encode
from functools import partial

import grpc
import pytest
from google.protobuf import json_format

from service.pb.seq2serve.v1 import caption_service_pb2 as pb
from service.pb.seq2serve.v1 import caption_service_pb2_grpc as pb_grpc
from tests.conftest import Captioner
from tests.pictures import png, random_pixels
from tests.service.http.serving import Run, ask, running


@pytest.fixture(scope="module")
def run_captioner(captioner: Captioner) -> Run:
    return partial(running, captioner.models)


def test_a_caption_is_that_of_grpc_and_so_is_its_limit(run_captioner: Run) -> None:
    image = png(random_pixels(1, seed=1)[0])
    asked = {"image": b64encode(image).decode(), "modelSelection": {"targetLanguageCode": "ko"}}
    with run_captioner(max_image_bytes=len(image)) as server:
        answer = ask(server, "/v1/caption", asked)
        with grpc.insecure_channel(server.grpc_address) as channel:
            expected = pb_grpc.CaptionServiceStub(channel).Caption(json_format.ParseDict(asked, pb.CaptionRequest()))
        large = ask(server, "/v1/caption", {"image": b64encode(image + b"\0").decode()})
        wrong = ask(server, "/v1/caption", {"image": "no base64!"})
        assert ask(server, "/openapi.json").json["paths"]["/v1/caption"]["post"]
    assert answer.status == 200
    assert json_format.ParseDict(answer.json, pb.CaptionResponse()) == expected
    assert answer.json["languageCode"] == "ko"
    assert (large.status, large.field()) == (400, "image")
    assert f"limit {len(image)}" in large.json["message"]
    assert wrong.status == 400


def test_a_picture_of_the_largest_size_fits_as_base64(run_captioner: Run) -> None:
    padded = png(random_pixels(1, seed=1)[0])
    padded += bytes(3_000_000 - len(padded))
    with run_captioner() as server:
        asked = {"image": b64encode(padded).decode(), "omitWords": True}
        assert ask(server, "/v1/caption", asked).json["words"] == []
        refused = ask(server, "/v1/caption", {"image": b64encode(padded + b"\0" * 3).decode()})
    assert "limit 3000000" in refused.json["message"]
