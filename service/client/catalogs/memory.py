"""What the confirmed entries of a catalog teach: translations of the same text, and terms."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from service.client.catalogs.accelerators import without_key
from service.client.catalogs.edges import ending, framed
from service.client.catalogs.entry import Entry, State
from service.client.catalogs.language import is_cased
from service.client.catalogs.message import prepared
from service.words import has_word

MAX_TERMS_OF_A_TEXT = 4
_MAX_TERM_WORDS, _MIN_TERM_CHARACTERS, _MAX_TARGET_CHARACTERS = 3, 3, 24
_LEAST_AGREEMENT = 0.7
"""Share of the longer entries with a term's source whose translation must have its target."""
_TERM = re.compile(r"[^\W\d_][\w-]*(?: [^\W\d_][\w-]*){0,2}")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class _Pair:
    source: str
    target: str


class Memory:
    """Confirmed translations. Where two of the same text differ, neither counts."""

    def __init__(self, entries: Sequence[Entry], marks: frozenset[str], with_terms: bool = True) -> None:
        """Learns from the confirmed entries among `entries`; `marks` are those of access keys."""
        self._marks = marks
        confirmed = [entry for entry in entries if entry.state is State.CONFIRMED and entry.plural is None]
        pairs = [
            _Pair(
                _bare(prepared(entry.source, marks).label.text),
                _bare(without_key(framed(entry.targets[0]).text, marks)),
            )
            for entry in confirmed
        ]
        self._exact = _consistent([pair for pair in pairs if pair.source and pair.target])
        caseless = [_Pair(pair.source.casefold(), pair.target) for pair in pairs if not is_cased(pair.target)]
        self._caseless = _consistent([pair for pair in caseless if pair.source and pair.target])
        self._terms = _terms(self._exact, pairs) if with_terms else {}

    def translation(self, source: str) -> str | None:
        """How a person translated the same text, but for access key, `:` and `…` at the end, and case where the
        translation has none; None where nobody did."""
        bare = _bare(prepared(source, self._marks).label.text)
        return self._exact.get(bare) or self._caseless.get(bare.casefold())

    def terms(self, source: str) -> dict[str, str]:
        """Terms in a text, longer ones first, none of them part of another."""
        folded = source.casefold()
        words = set(_WORD.findall(folded))
        found = [
            term
            for word in words
            for term in self._terms.get(word, {})
            if has_word(folded, term.casefold()) and len(term) < len(source)
        ]
        chosen: dict[str, str] = {}
        for term in sorted(found, key=lambda term: (-len(term), term)):
            if len(chosen) < MAX_TERMS_OF_A_TEXT and not any(term.casefold() in longer.casefold() for longer in chosen):
                chosen[term] = self._terms[_first_word(term)][term]
        return chosen


def _bare(text: str) -> str:
    mark = ending(text)
    return text[: len(text) - len(mark)].rstrip() if mark in (":", "：", "…", "...") else text


def _first_word(term: str) -> str:
    found = _WORD.search(term.casefold())
    return found.group() if found else ""


def _consistent(pairs: Sequence[_Pair]) -> dict[str, str]:
    targets: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        targets[pair.source].add(pair.target)
    return {source: found.pop() for source, found in targets.items() if len(found) == 1}


def _terms(exact: dict[str, str], pairs: Sequence[_Pair]) -> dict[str, dict[str, str]]:
    """Terms by their first word.

    Labels are often verbs ("Open"), whose noun form is wrong inside a sentence. So a term of one word counts only where
    longer entries show it in use, and any term only where they agree with it.
    """
    containing: dict[str, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        folded = _Pair(pair.source.casefold(), pair.target)
        for word in set(_WORD.findall(folded.source)):
            containing[word].append(folded)
    terms: dict[str, dict[str, str]] = defaultdict(dict)
    for source, target in exact.items():
        if not _may_be_term(source, target):
            continue
        term = source.casefold()
        longer = [pair for pair in containing[_first_word(term)] if pair.source != term and has_word(pair.source, term)]
        agreeing = sum(target in pair.target for pair in longer)
        needed = 1 if " " not in term else 0
        if agreeing >= max(needed, _LEAST_AGREEMENT * len(longer)):
            terms[_first_word(term)][source] = target
    return terms


def _may_be_term(source: str, target: str) -> bool:
    return (
        len(source) >= _MIN_TERM_CHARACTERS
        and _TERM.fullmatch(source) is not None
        and len(target) <= _MAX_TARGET_CHARACTERS
        and len(target.split()) <= _MAX_TERM_WORDS + 1
        and "\n" not in target
        and not ending(target)
    )
