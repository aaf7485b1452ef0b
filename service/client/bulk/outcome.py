"""What became of a text, and the rows of the output that tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from service.pb.seq2serve.v1 import translation_service_pb2 as pb

END, CUT_OFF, EMPTY, TOO_LONG = "END", "LENGTH", "EMPTY", "TOO_LONG"


@dataclass(frozen=True)
class Found:
    """One translation."""

    text: str
    score: float | None
    """Log-probability per token, ends of sentence included, in nats; None where there is no translation."""
    reason: str
    """Why it ended: END; LENGTH, cut off; or why there is none, such as the service's INVALID_FIELD."""


@dataclass(frozen=True)
class Outcome:
    """The translations of one text, best first; or a single one that is empty, with a reason."""

    found: tuple[Found, ...]
    num_source_tokens: int = 0
    num_target_tokens: int = 0

    @classmethod
    def refused(cls, reason: str) -> Outcome:
        """An empty translation."""
        return cls((Found("", None, reason),))

    @classmethod
    def of(cls, result: pb.TranslationResult) -> Outcome:
        """What the service sent."""
        found = tuple(_found(hypothesis) for hypothesis in result.hypotheses)
        return cls(found, result.num_source_tokens, result.num_target_tokens)


@dataclass(frozen=True)
class RowFormat:
    """Which rows are written, and how."""

    is_swapped: bool
    """The translation first."""
    min_score: float | None
    """Translations below are left out."""
    is_cut_off_dropped: bool
    """Translations that were cut off are left out."""

    def rows(self, text: str, outcome: Outcome) -> Iterator[str]:
        """Source, translation, score and reason, separated by tabs, of every translation that stays."""
        for found in outcome.found:
            if self._is_kept(found):
                sides = (found.text, text) if self.is_swapped else (text, found.text)
                score = "" if found.score is None else f"{found.score:.4f}"
                yield "\t".join((*sides, score, found.reason)) + "\n"

    def _is_kept(self, found: Found) -> bool:
        is_good = self.min_score is None or found.score is None or found.score >= self.min_score
        return is_good and not (self.is_cut_off_dropped and found.reason == CUT_OFF)


def _found(hypothesis: pb.Hypothesis) -> Found:
    log_probs = [token.log_prob for token in hypothesis.tokens]
    reason = CUT_OFF if hypothesis.finish_reason == pb.FINISH_REASON_LENGTH else END
    # Tabs and line breaks are the output's own signs.
    text = " ".join(hypothesis.text.replace("\t", " ").splitlines())
    return Found(text, sum(log_probs) / max(1, len(log_probs)), reason)
