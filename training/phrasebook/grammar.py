"""Sentence patterns: each combines words of the lexicon into correct pairs.

A pattern names its slots and lists forms, pairs of templates. `{thing.korean:을}` is an attribute of the word in the
slot, called where it is a method, with the particle after the colon. Pairs are held out by combination: the pattern and
its words decide by hash for all forms, so that every word occurs in training but some combinations never do.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from training.phrasebook.contractions import contracted
from training.phrasebook.korean import Verb, by, object_, subject, together, topic, was
from training.phrasebook.lexicon import Action, Adjective, Noun, Subject, load_lexicon, load_words
from training.phrasebook.phrase import Phrase

ORIGIN, HELD_OUT_ORIGIN = "phrasebook", "phrasebook-heldout"
MAX_PAIRS_PER_PATTERN = 490
_HELD_OUT_ONE_IN = 33
_CONTRACTED_ONE_IN = 3
_PARTICLES = {"은": topic, "이": subject, "을": object_, "와": together, "로": by, "이었": was}
_SUPPORTS = ("table", "desk", "chair", "box", "bed", "piano")
_TOO_LARGE_TO_LIE = (*_SUPPORTS, "house", "car", "bicycle")
_FEMININE = ("My mother", "My sister", "My grandmother", "Mina")
_NUM_EMOTIONS = 10  # feelings that pass come first in the lexicon; character follows

Words = Mapping[str, Any]


@dataclass(frozen=True)
class Pattern:
    """A kind of sentence: slot names with their word classes, and forms as pairs of templates."""

    name: str
    slots: Mapping[str, str]
    forms: tuple[tuple[str, str], ...]


def phrases() -> Iterator[Phrase]:
    """Every pair that the grammar writes, the same at every call; each English sentence once."""
    seen: set[str] = set()
    for english, korean in load_lexicon().fixed:
        seen.add(english)
        yield Phrase(english, korean, ORIGIN)
    for pattern in load_patterns():
        for words, form in _chosen(pattern):
            english, korean = write(words, form)
            if _hash("contracted", english) % _CONTRACTED_ONE_IN == 0:
                english = contracted(english)
            if english not in seen:
                seen.add(english)
                yield Phrase(english, korean, HELD_OUT_ORIGIN if is_held_out(pattern, words) else ORIGIN)


def write(words: Words, form: tuple[str, str]) -> tuple[str, str]:
    """One sentence of a pattern, English and Korean."""
    context = _with_agreement(words)
    english, korean = (_WRITER.vformat(template, (), context) for template in form)
    return english[:1].upper() + english[1:], korean


def is_held_out(pattern: Pattern, words: Words) -> bool:
    """Whether this combination of words is kept out of training, whatever its form."""
    return _hash("held out", _key(pattern, words)) % _HELD_OUT_ONE_IN == 0


def combinations(pattern: Pattern) -> Iterator[dict[str, Any]]:
    """Every choice of words for the slots that makes sense."""
    classes = _word_classes()
    for choice in itertools.product(*(classes[name] for name in pattern.slots.values())):
        words = dict(zip(pattern.slots, choice, strict=True))
        if _makes_sense(words):
            yield words


@cache
def load_patterns() -> tuple[Pattern, ...]:
    """The patterns of lexicon_en_ko.yaml."""
    return tuple(
        Pattern(
            name, dict(slot.split("=") for slot in slots.split()), tuple((source, target) for source, target in forms)
        )
        for name, (slots, *forms) in load_words()["patterns"].items()
    )


def _chosen(pattern: Pattern) -> list[tuple[Words, tuple[str, str]]]:
    candidates = ((words, form) for words in combinations(pattern) for form in pattern.forms)
    return heapq.nsmallest(
        MAX_PAIRS_PER_PATTERN, candidates, key=lambda candidate: _hash(_key(pattern, candidate[0]), candidate[1][0])
    )


def _key(pattern: Pattern, words: Words) -> str:
    return "|".join([pattern.name, *(_english(word) for word in words.values())])


def _hash(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest()[:8], "big")


def _english(word: Any) -> str:
    return str(word.base if isinstance(word, Action) else word.english)


def _makes_sense(words: Words) -> bool:
    first, second, who = words.get("first"), words.get("second"), words.get("who")
    if first is not None and second is not None and _english(first) == _english(second):
        return False
    if who is not None and "role" in words and who.korean in ("선생님", "학생", "아이들", "우리 부모님"):
        return False
    if who is not None and "companion" in words and words["companion"].korean in who.korean:
        return False
    if "support" in words:
        return words["support"].bare in _SUPPORTS and words["thing"].bare not in _TOO_LARGE_TO_LIE
    return True


def _with_agreement(words: Words) -> dict[str, Any]:
    """The words, and the words that agree with the subject `who`."""
    context = dict(words)
    if who := words.get("who"):
        third, plural = who.is_third_person, who.be == "are"
        context |= {
            "do": "does" if third else "do",
            "has": "has" if third else "have",
            "s": "s" if third else "",
            "was": "were" if plural else "was",
            "they": _pronoun(who),
            "go_wish": Verb.of("가", "가").wish(who.is_other),
        }
        if "deed" in words:
            context["does"] = words["deed"].present(who)
            context["wish"] = words["deed"].korean.wish(who.is_other)
            context["wish_question"] = words["deed"].korean.wish_question(who.is_other)
        if "role" in words:
            role = words["role"]
            context["role_agreeing"] = role.plural if plural and who.english != "You" else role.english
            context["become"] = Verb.of("되", "돼").after_noun(subject(role.korean)).wish(who.is_other)
    return context


def _pronoun(who: Subject) -> str:
    if who.english in ("I", "You", "We", "They", "He", "She"):
        return who.inner
    if who.be == "are":
        return "they"
    return "she" if who.english in _FEMININE else "he"


class _Writer(string.Formatter):
    """Fills templates: calls methods, adds particles and articles."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(value() if callable(value) else value)
        if format_spec == "a":
            return f"{'an' if text[0] in 'aeiou' and not text.startswith('uni') else 'a'} {text}"
        return _PARTICLES[format_spec](text) if format_spec else text


_WRITER = _Writer()


@cache
def _word_classes() -> dict[str, tuple[Any, ...]]:
    """Words by the class names that patterns use."""
    lexicon, words = load_lexicon(), load_words()
    deeds = tuple(_deed(action, noun) for action in lexicon.actions for noun in action.objects)
    simple = ("languages", "subjects_of_study", "cities", "rooms", "contents", "vessels", "needs", "owned", "here")
    nouns = (*simple, "companions", "owners", "months", "events", "foods", "drinks", "sports", "vehicles", "colors")
    counted = tuple(Noun(one, korean, many, counter) for one, many, korean, counter in words["counted"])
    return {
        **{name: tuple(Noun(*entry) for entry in words[name]) for name in nouns},
        "subjects": lexicon.subjects,
        "people": lexicon.people,
        "things": lexicon.things,
        "places": tuple(place for place in lexicon.places if place.english.startswith("the ")),
        "destinations": lexicon.places,
        "days": lexicon.days,
        "feelings": lexicon.feelings,
        "emotions": lexicon.feelings[:_NUM_EMOTIONS],
        "qualities": lexicon.qualities,
        "deeds": deeds,
        "actives": tuple(deed for deed in deeds if deed.is_active),
        "intransitives": tuple(_phrase_verb(entry) for entry in words["intransitive"]),
        "movements": tuple(_movement(action, place) for action in lexicon.movements for place in action.objects),
        "countables": (*lexicon.things, *counted),
        "countries": tuple(Noun(english, korean) for english, korean, _, _ in words["countries"]),
        "peoples": tuple(Noun(english, korean) for _, _, english, korean in words["countries"]),
        "weathers": tuple(Adjective(english, "", Verb.of(*forms)) for english, *forms in words["weathers"]),
        "tasks": tuple(Adjective(english, "", Verb.of(*forms)) for english, *forms in words["tasks"]),
        "occasions": tuple(_occasion(entry) for entry in words["occasions"]),
        "prepositions": tuple(Noun(*entry) for entry in lexicon.prepositions),
        "beside": tuple(Noun(*entry) for entry in lexicon.prepositions[2:]),
        "numbers": tuple(Noun(*entry) for entry in lexicon.numbers),
        "many": tuple(Noun(*entry) for entry in lexicon.numbers[1:]),
        **{
            tense: tuple(Noun(english, korean) for english, korean, when in lexicon.times if when == tense)
            for tense in ("present", "past", "future")
        },
    }


def _deed(action: Action, noun: Noun) -> Action:
    return _joined(action, noun.english, object_(noun.korean))


def _movement(action: Action, place: Noun) -> Action:
    return _joined(action, place.english, place.korean + action.particle)


def _joined(action: Action, english: str, korean: str) -> Action:
    return replace(
        action,
        base=f"{action.base} {english}",
        third=f"{action.third} {english}",
        past=f"{action.past} {english}",
        progressive=action.progressive and f"{action.progressive} {english}",
        korean=action.korean.after_noun(korean),
        objects=(),
    )


def _phrase_verb(entry: list[str]) -> Action:
    base, third, past, progressive, *forms = entry
    return Action(base, third, past, progressive, Verb.of(*forms), ())


def _occasion(entry: list[str]) -> Action:
    present, past, *forms = entry
    return Action(present, present, past, "", Verb.of(*forms), ())
