"""What the client's calls give."""

from __future__ import annotations

from dataclasses import dataclass

from service.pb.seq2serve.v1 import caption_service_pb2 as pb


@dataclass(frozen=True)
class Hypothesis:
    """One of several translations of a text, or captions of a picture."""

    text: str
    score: float
    """What hypotheses are ranked by; higher is better."""
    log_prob: float
    """Of the whole translation, in nats."""


@dataclass(frozen=True)
class CaptionWord:
    """A word of a caption: its characters [begin, end)."""

    word: str
    begin: int
    end: int
    attention: tuple[tuple[float, ...], ...]
    """Rows of cells, from the top left of the picture: where the model looked. They sum to one; empty: nowhere."""


@dataclass(frozen=True)
class Caption:
    """What a picture shows."""

    text: str
    language: str
    """BCP-47 code."""
    hypotheses: tuple[Hypothesis, ...]
    """Best first; the first is `text`."""
    words: tuple[CaptionWord, ...]
    """Of the best; none where they were not asked for."""
    model: str
    model_version: str

    @classmethod
    def of(cls, response: pb.CaptionResponse) -> Caption:
        """What a response says."""
        return cls(
            response.caption,
            response.language_code,
            tuple(Hypothesis(found.text, found.score, found.log_prob) for found in response.hypotheses),
            tuple(CaptionWord(word.word, word.begin, word.end, _rows(word.attention)) for word in response.words),
            response.model,
            response.model_version,
        )


def _rows(grid: pb.AttentionGrid) -> tuple[tuple[float, ...], ...]:
    starts = range(0, grid.rows * grid.columns, grid.columns) if grid.columns else ()
    return tuple(tuple(grid.weights[start : start + grid.columns]) for start in starts)
