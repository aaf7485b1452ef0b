"""A request that is being translated, and the events that tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.engine.kv_cache import Row
from service.errors import DeadlineExceededError, EngineError
from service.request import FailedEvent, FinishedEvent, Request, Timing, TokensEvent
from service.search.hypothesis import Search


@dataclass
class Running:
    """A request that was admitted: as many rows as its search may need are reserved for it."""

    request: Request
    search: Search
    admitted_seconds: float
    encoded_seconds: float
    """When `encode` returned; once it has a row, when that was opened."""
    rows: list[Row] = field(default_factory=list)
    """One for each of its hypotheses; none before the first is opened with what the encoder made of the source."""
    first_token_seconds: float | None = None
    num_told: int = 0
    """Tokens that events have told."""
    num_decoded: int = 0
    """Tokens decoded in all its rows."""

    def news(self) -> list[TokensEvent]:
        """The tokens that are certain and were not told yet, as one event or none; from now on they are told."""
        certain = self.search.certain()
        fresh = certain[self.num_told :]
        self.num_told = len(certain)
        return [TokensEvent(self.request.id, fresh)] if fresh else []

    def finished(self, now_seconds: float) -> FinishedEvent:
        """Its end."""
        request = self.request
        first_token = now_seconds if self.first_token_seconds is None else self.first_token_seconds
        timing = Timing(
            len(request.source),
            request.arrival_seconds,
            self.admitted_seconds,
            self.encoded_seconds,
            first_token,
            now_seconds,
        )
        return FinishedEvent(request.id, self.search.results(), timing)


def num_used(event: FinishedEvent) -> int:
    """Tokens of the translations, ends of sentence counted; those that translations share are counted in each."""
    return sum(len(translation.token_log_probs) for translation in event.translations)


def expired(request: Request) -> FailedEvent:
    """Its deadline passed."""
    return FailedEvent(request.id, DeadlineExceededError("the deadline passed before the translation was done"))


def failed(request: Request, error: Exception) -> FailedEvent:
    """The model raised `error` while it ran for this request."""
    failure = EngineError("the model failed while running; see the server's log")
    failure.__cause__ = error
    return FailedEvent(request.id, failure)
