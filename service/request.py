"""What the engine is asked and what it answers. Tokens only: text is the edge's business."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

DEFAULT_LENGTH_PENALTY = 0.6


class FinishReason(enum.Enum):
    """Why a translation ended."""

    END = "end"
    """The model ended the sentence."""
    LENGTH = "length"
    """The maximum number of target tokens was reached; the text may be cut off."""


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """Random choice among the model's candidates."""

    temperature: float
    """Divides the log-probabilities; below 1 sharper, above 1 flatter."""
    top_k: int = 0
    """Choose among this many best tokens; 0: all."""
    top_p: float = 1.0
    """Choose among the best tokens whose probabilities add up to this."""
    seed: int = 0
    """The same seed gives the same translation, whatever else is in the batch."""


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """How to choose the target tokens of one request."""

    max_target_tokens: int
    """End of sentence not counted."""
    min_target_tokens: int = 0
    """No end of sentence before this many tokens."""
    prefix: tuple[int, ...] = ()
    """Tokens that the translation begins with."""
    sampling: SamplingOptions | None = None
    """None: the most probable token at every step."""


@dataclass(frozen=True, slots=True)
class Request:
    """One sentence to translate."""

    id: int
    source_ids: tuple[int, ...]
    """End of sentence included."""
    decoding: DecodingOptions
    arrival_seconds: float
    """On the engine's clock."""
    deadline_seconds: float | None = None
    """On the engine's clock; None: no deadline."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a request passed each station, in seconds on the engine's clock, and how long its source was."""

    num_source_tokens: int
    arrival: float
    admitted: float
    encoded: float
    first_token: float
    finished: float


@dataclass(frozen=True, slots=True)
class Translation:
    """The target tokens of one sentence."""

    token_ids: tuple[int, ...]
    """Without end of sentence."""
    token_log_probs: tuple[float, ...]
    """Natural logarithms; one more than `token_ids` where the sentence ended by itself."""
    finish_reason: FinishReason

    @property
    def log_prob(self) -> float:
        """Of the whole translation, in nats."""
        return sum(self.token_log_probs)


@dataclass(frozen=True, slots=True)
class TokenEvent:
    """A request has one more token."""

    request_id: int
    token_id: int


@dataclass(frozen=True, slots=True)
class FinishedEvent:
    """A request is done."""

    request_id: int
    translation: Translation
    timing: Timing


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """A request ended without a translation."""

    request_id: int
    error: Exception = field(compare=False)


Event = TokenEvent | FinishedEvent | FailedEvent
