"""What the engine is asked and what it answers. Tokens and pixels only: text and files are the edge's business."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

DEFAULT_LENGTH_PENALTY = 0.6


class FinishReason(enum.Enum):
    """Why a translation ended."""

    END = "end"
    """The model ended the sentence."""
    LENGTH = "length"
    """The maximum number of target tokens was reached; the text may be cut off."""


class LengthNormalization(enum.Enum):
    """What a log-probability is divided by, to the power of the length penalty."""

    GNMT = "gnmt"
    """(5 + tokens) / 6, equation 14 of Wu et al. (2016)."""
    TOKENS = "tokens"
    """The number of tokens."""


class Priority(enum.Enum):
    """Who goes first when rows are scarce."""

    INTERACTIVE = "interactive"
    """Somebody waits for it."""
    BATCH = "batch"
    """Lets interactive requests pass, for a few seconds at most."""


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
    """How to choose the target tokens of one request: beam search where `beam_size` is above 1, else sampling where it
    is set, else the most probable token at every step."""

    max_target_tokens: int
    """End of sentence not counted."""
    min_target_tokens: int = 0
    """No end of sentence before this many tokens."""
    beam_size: int = 1
    """Hypotheses kept at every step."""
    num_hypotheses: int = 1
    """Translations to return; with a beam at most its size."""
    length_penalty: float = DEFAULT_LENGTH_PENALTY
    """Exponent alpha; see `service.search.score`."""
    length_normalization: LengthNormalization = LengthNormalization.GNMT
    is_early_stopping: bool = True
    """Stop when as many hypotheses as the beam is wide have ended; else when none that runs can still win."""
    prefix: tuple[int, ...] = ()
    """Tokens that the translation begins with."""
    sampling: SamplingOptions | None = None
    are_alternatives: bool = False
    """Return the `num_hypotheses` best tokens after the prefix, each continued by itself."""
    repetition_penalty: float = 1.0
    """Log-probabilities of tokens that the hypothesis holds already are multiplied by this."""
    no_repeat_ngram_size: int = 0
    """No sequence of this many tokens comes twice; 0: no such limit."""
    forbidden: tuple[tuple[int, ...], ...] = ()
    """Token sequences that the translation must not contain."""
    required: tuple[tuple[int, ...], ...] = ()
    """Token sequences that the translation must contain; needs a beam."""

    @property
    def num_rows(self) -> int:
        """Rows that the search may hold at once."""
        return max(self.beam_size, self.num_hypotheses)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture of the size that the model reads."""

    pixels: NDArray[np.uint8]
    """(H, W, 3): red, green and blue. Normalised when it is encoded: until then it takes a quarter of the memory."""
    num_cells: int
    """Of the grid that the decoder attends to."""

    def __len__(self) -> int:
        return self.num_cells


Source: TypeAlias = Sequence[int] | Picture
"""Ids of a sentence, end of sentence included, or a picture. The engine asks no more of it than its length."""


@dataclass(frozen=True, slots=True)
class Request:
    """One sentence to translate, or one picture to describe."""

    id: int
    source: Source
    decoding: DecodingOptions
    arrival_seconds: float
    """On the engine's clock."""
    deadline_seconds: float | None = None
    """On the engine's clock; None: no deadline."""
    priority: Priority = Priority.INTERACTIVE
    is_streaming: bool = False
    """Whether tokens are told as they become certain."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a request passed each station, in seconds on the engine's clock, and how long its source was."""

    num_source_tokens: int
    arrival: float
    admitted: float
    encoded: float
    """When it got its row. An encoder that runs beside steps of the decoder had the time of a step until then; where no
    row ran it has only begun, and the first step waits for the rest."""
    first_token: float
    finished: float


@dataclass(frozen=True, slots=True)
class Translation:
    """The target tokens of one hypothesis."""

    token_ids: tuple[int, ...]
    """Without end of sentence."""
    token_log_probs: tuple[float, ...]
    """The model's own, natural logarithms; one more than `token_ids` where the sentence ended by itself."""
    score: float
    """What hypotheses are ranked by; see `service.search.score`."""
    finish_reason: FinishReason

    @property
    def log_prob(self) -> float:
        """Of the whole translation, in nats."""
        return sum(self.token_log_probs)


@dataclass(frozen=True, slots=True)
class TokensEvent:
    """A streaming request has more tokens that no later step takes back."""

    request_id: int
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FinishedEvent:
    """A request is done."""

    request_id: int
    translations: tuple[Translation, ...]
    """Best first; at least one."""
    timing: Timing


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """A request ended without a translation."""

    request_id: int
    error: Exception = field(compare=False)


Event = TokensEvent | FinishedEvent | FailedEvent
