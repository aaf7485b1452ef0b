"""A service whose translations and failures are known."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import grpc

from service.client.__main__ import main
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc

Fault = Callable[[int, grpc.ServicerContext], None]


class FakeService(pb_grpc.TranslationServiceServicer):
    """Says every text backwards, in an order of its own; refuses what contains `bad`."""

    def __init__(self) -> None:
        self.requests: list[tuple[pb.BatchConfig, list[str]]] = []
        self.fault: Fault = lambda number, context: None
        """Called before each answer with the number of the request, from 0."""
        self.item_errors: list[pb.ItemError] = []
        """Given instead of the first answers."""
        self.delay_seconds = 0.0

    def BatchTranslate(  # noqa: N802
        self, request_iterator: Iterator[pb.BatchTranslateRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.BatchTranslateResponse]:
        [request] = request_iterator
        number = len(self.requests)
        self.requests.append((request.config, [item.text for item in request.items]))
        items = list(request.items)
        random.Random(number).shuffle(items)
        for item in items:
            self.fault(number, context)
            time.sleep(self.delay_seconds)
            yield self._answer(item, request.config.decoding)

    def _answer(self, item: pb.BatchItem, decoding: pb.DecodingOptions) -> pb.BatchTranslateResponse:
        if self.item_errors:
            return pb.BatchTranslateResponse(id=item.id, error=self.item_errors.pop())
        if "bad" in item.text:
            error = pb.ItemError(code=3, reason="INVALID_FIELD", message="no")
            return pb.BatchTranslateResponse(id=item.id, error=error)
        backwards = item.text[::-1]
        reason = pb.FINISH_REASON_LENGTH if "long" in item.text else pb.FINISH_REASON_END
        # The score of a text is minus its length in thousandths: (-length - 0) / 2 over two tokens.
        tokens = [pb.Token(log_prob=-len(item.text) / 500), pb.Token(log_prob=0.0)]
        hypotheses = [
            pb.Hypothesis(text=backwards + "!" * rank, finish_reason=reason, tokens=tokens)
            for rank in range(decoding.num_hypotheses or 1)
        ]
        result = pb.TranslationResult(hypotheses=hypotheses, num_source_tokens=3, num_target_tokens=1)
        return pb.BatchTranslateResponse(id=item.id, result=result)


def sources(number: int) -> list[str]:
    generator = random.Random(1)
    return [
        f"{index} " + "".join(generator.choices("abc ", k=generator.randint(1, 30))) + "." for index in range(number)
    ]


def expected_row(text: str) -> str:
    return f"{text}\t{text[::-1]}\t{-len(text) / 1000:.4f}\tEND\n"


def bulk(address: str, *arguments: object) -> int:
    return main(["bulk", *map(str, arguments), "--address", address])
