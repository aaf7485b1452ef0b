"""Translations of messages that pass the checks: from the memory, or the first of the model's that does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.client.catalogs.checks import has_words, problem
from service.client.catalogs.entry import Origin
from service.client.catalogs.memory import Memory
from service.client.catalogs.message import Prepared, prepared, restored
from service.client.catalogs.placeholders import is_date_format, placeholders
from service.client.catalogs.tags import tags
from service.client.catalogs.translator import (
    MAX_TERM_CHARACTERS,
    MAX_TERMS,
    MAX_TEXT_CHARACTERS,
    Answer,
    Candidate,
    Translate,
)

WIDE_BEAM = 8
"""Of translations with required terms, and of second attempts; the service's limit."""
_WORST_LOSS = 1.5
"""Score that a translation may lose for each required term; where it loses more, the one without is kept."""


@dataclass(frozen=True)
class Text:
    """A text to translate."""

    source: str
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Solution:
    """What is known of a text's translation."""

    target: str = ""
    origin: Origin = Origin.MODEL
    score: float | None = None
    problem: str = ""
    """Why there is none; empty where there is one."""


class Solver:
    """Translates the texts of one catalog, each once."""

    def __init__(
        self, translate: Translate, memory: Memory, *, language: str, marks: frozenset[str], beam_size: int
    ) -> None:
        self._translate = translate
        self._memory = memory
        self._language = language
        self._marks = marks
        self._beam_size = beam_size
        self._solved: dict[Text, Solution] = {}

    def solve(self, texts: Sequence[Text]) -> list[Solution]:
        """Solutions in the order of the texts."""
        new = [text for text in dict.fromkeys(texts) if text not in self._solved]
        for text in new:
            known = self._without_model(text)
            if known is not None:
                self._solved[text] = known
        asked = {text: prepared(text.source, self._marks) for text in new if text not in self._solved}
        if asked:
            self._ask(asked)
        return [self._solved[text] for text in texts]

    def _without_model(self, text: Text) -> Solution | None:
        if len(text.source) > MAX_TEXT_CHARACTERS:
            return Solution(problem=f"longer than {MAX_TEXT_CHARACTERS} characters")
        if is_date_format(text.source):
            return Solution(problem="a date format, whose order depends on the language")
        if not has_words(text.source):
            return Solution(text.source, Origin.COPY)
        known = self._memory.translation(text.source)
        if known is None:
            return None
        target = restored(prepared(text.source, self._marks), known, self._language)
        is_good = problem(text.source, target, text.flags, self._language) in (None, "not translated")
        return Solution(target, Origin.MEMORY) if is_good else None

    def _ask(self, asked: Mapping[Text, Prepared]) -> None:
        answers = self._translate([message.text for message in asked.values()], {}, self._beam_size)
        constrained: dict[Text, dict[str, str]] = {}
        for (text, message), answer in zip(asked.items(), answers, strict=True):
            terms = self._memory.terms(message.text)
            self._solved[text] = self._best(text, message, answer, terms)
            if not _holds(self._solved[text].target, terms):
                constrained[text] = terms
        self._require_terms(asked, constrained)
        self._require_placeholders(asked)

    def _best(self, text: Text, message: Prepared, answer: Answer, terms: Mapping[str, str]) -> Solution:
        """The first candidate that passes, one with all terms before one without."""
        if not answer.candidates:
            return Solution(problem=answer.refusal or "no translation")
        found = [self._checked(text, message, candidate) for candidate in answer.candidates]
        passing = [solution for solution in found if not solution.problem]
        if not passing:
            return found[0]
        return next((solution for solution in passing if _holds(solution.target, terms)), passing[0])

    def _checked(self, text: Text, message: Prepared, candidate: Candidate) -> Solution:
        if candidate.is_cut:
            return Solution(problem="cut off at the model's limit")
        target = restored(message, candidate.text, self._language)
        wrong = problem(text.source, target, text.flags, self._language)
        return Solution(problem=wrong) if wrong else Solution(target, Origin.MODEL, candidate.score)

    def _require_terms(self, asked: Mapping[Text, Prepared], terms: Mapping[Text, Mapping[str, str]]) -> None:
        for text, answer in self._constrained(asked, terms).items():
            free, found = self._solved[text], self._best(text, asked[text], answer, terms[text])
            if found.problem or found.score is None or not _holds(found.target, terms[text]):
                continue
            if free.score is None or found.score >= free.score - _WORST_LOSS * len(terms[text]):
                self._solved[text] = found

    def _require_placeholders(self, asked: Mapping[Text, Prepared]) -> None:
        """A second attempt for what failed: with a wide beam, and placeholders and tags as terms."""
        required = {}
        for text, message in asked.items():
            if self._solved[text].problem:
                parts = dict.fromkeys([*placeholders(message.text), *tags(message.text)])
                required[text] = {part: part for part in parts if len(part) <= MAX_TERM_CHARACTERS}
        for text, answer in self._constrained(asked, required).items():
            found = self._best(text, asked[text], answer, {})
            if not found.problem:
                self._solved[text] = found

    def _constrained(
        self, asked: Mapping[Text, Prepared], terms: Mapping[Text, Mapping[str, str]]
    ) -> dict[Text, Answer]:
        answers: dict[Text, Answer] = {}
        for texts, required in _groups(terms):
            found = self._translate([asked[text].text for text in texts], required, WIDE_BEAM)
            answers.update(zip(texts, found, strict=True))
        return answers


def _holds(target: str, terms: Mapping[str, str]) -> bool:
    folded = target.casefold()
    return all(wanted.casefold() in folded for wanted in terms.values())


def _groups(terms: Mapping[Text, Mapping[str, str]]) -> list[tuple[list[Text], dict[str, str]]]:
    """Texts that can be asked together: a call has one list of terms, of limited length."""
    groups: list[tuple[list[Text], dict[str, str]]] = []
    for text, required in sorted(terms.items(), key=lambda item: sorted(item[1])):
        kept = dict(list(required.items())[:MAX_TERMS])
        if not groups or len({**groups[-1][1], **kept}) > MAX_TERMS:
            groups.append(([], {}))
        groups[-1][0].append(text)
        groups[-1][1].update(kept)
    return groups
