"""The lexicon: words with what the grammar needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from training.phrasebook.korean import Verb


@dataclass(frozen=True)
class Noun:
    """A noun phrase: English as it stands in a sentence, plural, Korean, and the counter it is counted with."""

    english: str
    korean: str
    plural: str = ""
    counter: str = ""

    @property
    def bare(self) -> str:
        """English without its article."""
        first, _, rest = self.english.partition(" ")
        return rest if first in ("a", "an", "the") else self.english

    @property
    def definite(self) -> str:
        """English with the definite article."""
        return f"the {self.bare}"


@dataclass(frozen=True)
class Subject:
    """Who does it: English, its form of `to be`, Korean."""

    english: str
    be: str
    korean: str

    @property
    def is_third_person(self) -> bool:
        """Whether English verbs take an s."""
        return self.be == "is"

    @property
    def is_other(self) -> bool:
        """Neither speaker nor listener: Korean tells somebody else's wishes differently."""
        return self.english not in ("I", "You", "We")

    @property
    def inner(self) -> str:
        """English inside a sentence."""
        first, _, rest = self.english.partition(" ")
        keeps = first in ("I", "Mina", "Tom")
        return self.english if keeps else f"{first.lower()} {rest}".strip()


@dataclass(frozen=True)
class Action:
    """A verb in both languages with the nouns it goes with."""

    base: str
    third: str
    past: str
    progressive: str
    korean: Verb
    objects: tuple[Noun, ...]
    particle: str = ""

    @property
    def is_active(self) -> bool:
        """Something one does and can be asked to do, not a state such as liking; these have no -ing form."""
        return bool(self.progressive)

    def present(self, subject: Subject) -> str:
        """The English form that agrees with the subject."""
        return self.third if subject.is_third_person else self.base


@dataclass(frozen=True)
class Adjective:
    """A Korean adjective with its English word and comparative."""

    english: str
    comparative: str
    korean: Verb


@dataclass(frozen=True)
class Lexicon:
    """All words, by class."""

    subjects: tuple[Subject, ...]
    people: tuple[Noun, ...]
    things: tuple[Noun, ...]
    places: tuple[Noun, ...]
    vehicles: tuple[Noun, ...]
    actions: tuple[Action, ...]
    movements: tuple[Action, ...]
    feelings: tuple[Adjective, ...]
    qualities: tuple[Adjective, ...]
    times: tuple[tuple[str, str, str], ...]
    prepositions: tuple[tuple[str, str], ...]
    numbers: tuple[tuple[str, str], ...]
    days: tuple[Noun, ...]
    fixed: tuple[tuple[str, str], ...]


@cache
def load_words() -> dict[str, Any]:
    """Every section of lexicon_en_ko.yaml, as it stands there."""
    words: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "lexicon_en_ko.yaml").read_text(encoding="utf-8"))
    return words


@cache
def load_lexicon() -> Lexicon:
    """The words of lexicon_en_ko.yaml, by class."""
    words = load_words()
    places = tuple(Noun(*entry) for entry in words["places"])
    return Lexicon(
        subjects=tuple(Subject(*entry) for entry in words["subjects"]),
        people=tuple(Noun(english, korean, plural) for english, plural, korean in words["people"]),
        things=_things(words),
        places=places,
        vehicles=tuple(Noun(*entry) for entry in words["vehicles"]),
        actions=tuple(_action(entry, words) for entry in words["verbs"]),
        movements=tuple(
            Action(base, third, past, progressive, Verb.of(stem, infinitive), places, particle)
            for base, third, past, progressive, stem, infinitive, particle in words["going"]
        ),
        feelings=tuple(Adjective(english, "", Verb.of(*forms)) for english, *forms in words["feelings"]),
        qualities=tuple(
            Adjective(english, comparative, Verb.of(*forms)) for english, comparative, *forms in words["qualities"]
        ),
        times=tuple(tuple(entry) for entry in words["times"]),
        prepositions=tuple(tuple(entry) for entry in words["where"]),
        numbers=tuple(tuple(entry) for entry in words["numbers"]),
        days=tuple(Noun(*entry) for entry in words["days"]),
        fixed=tuple(tuple(entry) for entry in words["fixed"]),
    )


def _things(words: dict[str, Any]) -> tuple[Noun, ...]:
    return tuple(Noun(english, korean, plural, counter) for english, plural, korean, counter in words["things"])


def _action(entry: list[Any], words: dict[str, Any]) -> Action:
    base, third, past, progressive, stem, infinitive, objects, *irregular = entry
    nouns: list[Noun] = []
    for item in [objects] if isinstance(objects, str) else objects:
        if item == "things":
            nouns += _things(words)
        elif isinstance(item, str):
            nouns += (Noun(*pair) for pair in words[item])
        else:
            nouns.append(Noun(*item))
    return Action(base, third, past, progressive, Verb.of(stem, infinitive, *irregular), tuple(nouns))
