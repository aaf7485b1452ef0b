"""The service as a `Translate`: texts go over BatchTranslate, a few streams at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import grpc

from service.client.balancing import is_worth_another_try
from service.client.catalogs.translator import Answer, Candidate
from service.client.client import DecodingArguments
from service.client.connection import Connection
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

TEXTS_OF_A_STREAM = 64
ITEMS_OF_A_MESSAGE = 32
STREAMS = 3
_ATTEMPTS = 5
_FIRST_DELAY_SECONDS = 0.5
_CODES = {code.value[0] for code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)}


class RemoteTranslator(Connection):
    """Translates with a running service. Errors are grpc.RpcError; the timeout is that of TEXTS_OF_A_STREAM texts."""

    def model(self, beam_size: int) -> str:
        """Name and version of the model that answers; raises what any request with that beam size would."""
        decoding = DecodingArguments(beam_size=beam_size, num_hypotheses=beam_size).message()
        request = pb.TranslateRequest(model_selection=self._selection, texts=[""], decoding=decoding)
        response: pb.TranslateResponse = self._stub.Translate(request, timeout=self._timeout)
        return f"{response.model} {response.model_version}".strip()

    def __call__(self, texts: Sequence[str], terms: Mapping[str, str], beam_size: int) -> list[Answer]:
        """See `Translate`. Options that the service refuses are a refusal of every text."""
        config = pb.BatchConfig(
            model_selection=self._selection,
            decoding=DecodingArguments(
                beam_size=beam_size, num_hypotheses=beam_size, terminology=dict(terms)
            ).message(),
            return_options=pb.ReturnOptions(scores=True),
        )
        answers: dict[int, Answer] = {}
        for attempt in range(_ATTEMPTS):
            left = [index for index in range(len(texts)) if index not in answers]
            if attempt and left:
                time.sleep(_FIRST_DELAY_SECONDS * 2**attempt)
            try:
                self._attempt(config, texts, left, answers)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                    return [answers.get(index, Answer(refusal=str(error.details()))) for index in range(len(texts))]
                if not is_worth_another_try(error) or attempt + 1 == _ATTEMPTS:
                    raise
        return [answers.get(index, Answer(refusal="the service is busy")) for index in range(len(texts))]

    def _attempt(
        self, config: pb.BatchConfig, texts: Sequence[str], left: Sequence[int], answers: dict[int, Answer]
    ) -> None:
        parts = [left[begin : begin + TEXTS_OF_A_STREAM] for begin in range(0, len(left), TEXTS_OF_A_STREAM)]
        for begin in range(0, len(parts), STREAMS):
            # All of them run from here on; what comes for the later ones is kept until it is read.
            calls = [
                self._stub.BatchTranslate(iter(_messages(config, texts, part)), timeout=self._timeout)
                for part in parts[begin : begin + STREAMS]
            ]
            try:
                for call in calls:
                    for response in call:
                        if response.error.code not in _CODES:
                            answers[int(response.id)] = _answer(response)
            finally:
                for call in calls:
                    call.cancel()


def _messages(config: pb.BatchConfig, texts: Sequence[str], indices: Sequence[int]) -> list[pb.BatchTranslateRequest]:
    items = [pb.BatchItem(id=str(index), text=texts[index]) for index in indices]
    messages = [
        pb.BatchTranslateRequest(items=items[begin : begin + ITEMS_OF_A_MESSAGE])
        for begin in range(0, len(items), ITEMS_OF_A_MESSAGE)
    ]
    return [pb.BatchTranslateRequest(config=config), *messages]


def _answer(response: pb.BatchTranslateResponse) -> Answer:
    if response.HasField("error"):
        return Answer(refusal=response.error.message)
    return Answer(
        tuple(
            Candidate(found.text, found.score, found.finish_reason == pb.FINISH_REASON_LENGTH)
            for found in response.result.hypotheses
        )
    )
