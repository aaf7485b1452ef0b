"""One chunk of texts, asked for until all of them have an answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

from service.client.balancing import is_worth_another_try
from service.client.bulk.chunks import MAX_CHUNK_BYTES, Chunk
from service.client.bulk.outcome import EMPTY, TOO_LONG, Outcome
from service.client.client import Client
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

RETRIED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
"""Of a request or a text: as often as patience allows."""
MAX_FAILURES = 3
"""After so many internal errors a text is given up."""
LEAST_DELAY_SECONDS, MOST_DELAY_SECONDS = 0.5, 30.0

_RETRIED_CODES = {code.value[0] for code in RETRIED}
_INTERNAL_CODE = grpc.StatusCode.INTERNAL.value[0]


class GaveUpError(Exception):
    """The run was stopped while a request waited for its next attempt."""


@dataclass(frozen=True)
class Requests:
    """Sends chunks; may be used from several threads."""

    client: Client
    seed: int | None
    """Of the first text's sampling. Every request has another, or all texts of the input would be drawn alike."""
    patience_seconds: float
    """How long to go on without any answer before the error is raised."""
    stopped: threading.Event
    """Ends all waiting."""

    def translate(self, chunk: Chunk) -> list[Outcome]:
        """The outcomes of a chunk's texts.

        Raises:
            grpc.RpcError, TimeoutError: the request is wrong, or the service did not answer for too long.
            GaveUpError: stopped.
        """
        attempt = _Attempts(chunk.texts)
        seed = None if self.seed is None else (self.seed + chunk.first) % 2**64
        last_answer = time.monotonic()
        num_vain = 0
        while attempt.missing:
            error = self._ask(attempt, seed)
            if attempt.is_progress:
                last_answer, num_vain = time.monotonic(), 0
            if attempt.missing:
                num_vain += 1
                if time.monotonic() - last_answer > self.patience_seconds:
                    raise error or TimeoutError(
                        f"the service was busy for {self.patience_seconds:g} s; try again later"
                    )
                # As a float: a run may be patient for more than a thousand attempts.
                delay = retry_delay_seconds(error) or LEAST_DELAY_SECONDS * 2.0 ** min(num_vain - 1, 16)
                if self.stopped.wait(min(delay, MOST_DELAY_SECONDS)):
                    raise GaveUpError
        return attempt.outcomes()

    def _ask(self, attempt: _Attempts, seed: int | None) -> grpc.RpcError | None:
        """Send what is missing; the error is one that another attempt may mend."""
        places = attempt.begin()
        try:
            for index, answer in self.client.outcomes([attempt.texts[place] for place in places], seed):
                attempt.take(places[index], answer)
        except grpc.RpcError as error:
            if error.code() not in RETRIED and not is_worth_another_try(error):
                raise
            return error
        return None


class _Attempts:
    """What is known of a chunk's texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.is_progress = False
        self._outcomes: dict[int, Outcome] = {}
        self._num_failures = [0] * len(texts)
        for place, text in enumerate(texts):
            if not text.strip():
                self._outcomes[place] = Outcome.refused(EMPTY)
            elif len(text.encode()) > MAX_CHUNK_BYTES:
                self._outcomes[place] = Outcome.refused(TOO_LONG)

    @property
    def missing(self) -> list[int]:
        """Places of the texts that have no outcome yet."""
        return [place for place in range(len(self.texts)) if place not in self._outcomes]

    def begin(self) -> list[int]:
        """Places of the texts to send."""
        self.is_progress = False
        return self.missing

    def take(self, place: int, answer: pb.TranslationResult | pb.ItemError) -> None:
        """Keep an answer, unless another attempt may give a better one."""
        if isinstance(answer, pb.TranslationResult):
            self._keep(place, Outcome.of(answer))
        elif answer.code == _INTERNAL_CODE and self._num_failures[place] + 1 < MAX_FAILURES:
            self._num_failures[place] += 1
        elif answer.code not in _RETRIED_CODES:
            self._keep(place, Outcome.refused(answer.reason))

    def outcomes(self) -> list[Outcome]:
        """Of all texts."""
        return [self._outcomes[place] for place in range(len(self.texts))]

    def _keep(self, place: int, outcome: Outcome) -> None:
        self._outcomes[place] = outcome
        self.is_progress = True


def retry_delay_seconds(error: grpc.RpcError | None) -> float | None:
    """How long the service asks to wait: RetryInfo in the details of a status; None where it does not say."""
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return None
    metadata: Iterable[tuple[str, Any]] = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    return float(info.retry_delay.ToNanoseconds() / 1e9)
    return None
