"""The whole service with its models on a device."""

from __future__ import annotations

import asyncio

import pytest

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests import synthetic
from tests.conftest import Serve
from tests.service.host_device import HostDevice
from tests.service.messages import EXACT, LONG
from tests.service.waiting import http_get


async def test_a_service_on_a_device_answers_as_one_on_the_host(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [*synthetic.sentences(20, seed=9), LONG]
    requests = [
        *(pb.TranslateRequest(texts=[text], model_selection=EXACT) for text in texts),
        pb.TranslateRequest(
            texts=texts[:3], model_selection=EXACT, decoding=pb.DecodingOptions(beam_size=4, num_hypotheses=3)
        ),
    ]
    accelerator = HostDevice()
    answers = []
    for device in (None, accelerator):
        monkeypatch.setattr("service.bundle.runtime._open_cuda", lambda _, device=device: device)
        async with serve(device="auto", max_rows=8) as (server, channel):
            stub = pb_grpc.TranslationServiceStub(channel)
            answers.append(await asyncio.gather(*(stub.Translate(request) for request in requests)))
            page = http_get(server, "/metrics")[1]
    texts_of = [[[h.text for r in answer.results for h in r.hypotheses] for answer in some] for some in answers]
    assert texts_of[0] == texts_of[1]
    assert texts_of[0][0] == [synthetic.translate(texts[0])]
    assert accelerator.num_downloaded > 0
    assert any('seq2serve_steps_total{execution="kernels",model="exact"}' in line for line in page.splitlines())
