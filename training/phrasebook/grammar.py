"""Sentence patterns: each combines words of the lexicon into correct pairs.

Pairs are held out by combination: a hash of the English sentence decides, so that every word occurs in training but
some sentences never do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from training.phrasebook.korean import Verb, by, object_, subject, together, topic
from training.phrasebook.lexicon import Action, Lexicon, Noun, Subject, load_lexicon

ORIGIN, HELD_OUT_ORIGIN = "phrasebook", "phrasebook-heldout"
MAX_PAIRS_PER_PATTERN = 700
_HELD_OUT_ONE_IN = 33

Sentence = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Phrase:
    """An English sentence, its Korean translation, and the part of the phrasebook it belongs to."""

    source: str
    target: str
    origin: str


def phrases() -> Iterator[Phrase]:
    """Every pair, the same at every call; each English sentence once."""
    lexicon = load_lexicon()
    seen: set[str] = set()
    for english, korean in lexicon.fixed:
        seen.add(english)
        yield Phrase(english, korean, ORIGIN)
    for pattern in PATTERNS:
        sentences = sorted(set(pattern(lexicon)), key=lambda sentence: _hash(sentence[0]))
        for english, korean in sentences[:MAX_PAIRS_PER_PATTERN]:
            if english not in seen:
                seen.add(english)
                is_held_out = _hash(f"held out: {english}") % _HELD_OUT_ONE_IN == 0
                yield Phrase(english, korean, HELD_OUT_ORIGIN if is_held_out else ORIGIN)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _identity(lexicon: Lexicon) -> Iterator[Sentence]:
    """I am a student."""
    for who in lexicon.subjects:
        if who.korean in ("아이들", "선생님", "학생"):
            continue
        for person in lexicon.people:
            role = person.plural if who.be == "are" and who.english != "You" else person.english
            yield f"{who.english} {who.be} {role}.", f"{topic(who.korean)} {person.korean}입니다."
            yield f"{who.english} {who.be} not {role}.", f"{topic(who.korean)} {subject(person.korean)} 아닙니다."
            yield f"{who.be.capitalize()} {who.inner} {role}?", f"{topic(who.korean)} {person.korean}입니까?"


def _future_identity(lexicon: Lexicon) -> Iterator[Sentence]:
    """She wants to be a doctor."""
    become = Verb.of("되", "돼")
    for who in lexicon.subjects:
        for person in lexicon.people:
            if who.be == "are" and who.english != "You":
                continue
            want = "wants" if who.is_third_person else "want"
            yield (
                f"{who.english} {want} to be {person.english}.",
                f"{topic(who.korean)} {subject(person.korean)} {become.wish(who.is_other)}.",
            )


def _this(lexicon: Lexicon) -> Iterator[Sentence]:
    """This is a book."""
    owners = (("my", "내"), ("your", "당신의"), ("his", "그의"), ("her", "그녀의"), ("our", "우리"))
    for english, korean in (("this", "이것"), ("that", "저것")):
        for thing in lexicon.things:
            yield f"{english.capitalize()} is {thing.english}.", f"{topic(korean)} {thing.korean}입니다."
            yield (
                f"{english.capitalize()} is not {thing.english}.",
                f"{topic(korean)} {subject(thing.korean)} 아닙니다.",
            )
            yield f"Is {english} {thing.english}?", f"{topic(korean)} {thing.korean}입니까?"
            for owner, whose in owners:
                yield (
                    f"{english.capitalize()} is {owner} {thing.bare}.",
                    f"{topic(korean)} {whose} {thing.korean}입니다.",
                )
                yield f"Is {english} {owner} {thing.bare}?", f"{topic(korean)} {whose} {thing.korean}입니까?"


def _possession(lexicon: Lexicon) -> Iterator[Sentence]:
    """I have a book. He has three dogs."""
    for who in lexicon.subjects:
        have = "has" if who.is_third_person else "have"
        for thing in lexicon.things:
            yield f"{who.english} {have} {thing.english}.", f"{topic(who.korean)} {subject(thing.korean)} 있습니다."
            yield f"{who.english} {have} no {thing.plural}.", f"{topic(who.korean)} {subject(thing.korean)} 없습니다."
            for number, count in lexicon.numbers[1:]:
                yield (
                    f"{who.english} {have} {number} {thing.plural}.",
                    f"{topic(who.korean)} {subject(thing.korean)} {count} {thing.counter} 있습니다.",
                )


def _place_of_things(lexicon: Lexicon) -> Iterator[Sentence]:
    """The book is on the table. There is a cat under the chair."""
    supports = [thing for thing in lexicon.things if thing.bare in ("table", "desk", "chair", "box", "car", "house")]
    for thing in lexicon.things:
        for support in supports:
            if support == thing or thing.bare in ("house", "car"):
                continue
            for preposition, where in lexicon.prepositions:
                place = f"{support.korean} {where}"
                yield (
                    f"The {thing.bare} is {preposition} the {support.bare}.",
                    f"{topic(thing.korean)} {place} 있습니다.",
                )
                yield (
                    f"There is {thing.english} {preposition} the {support.bare}.",
                    f"{place} {subject(thing.korean)} 있습니다.",
                )


def _actions(lexicon: Lexicon) -> Iterator[Sentence]:
    """I eat bread. She does not drink coffee."""
    for who, action, noun in _who_does_what(lexicon):
        do = "does" if who.is_third_person else "do"
        what = f"{topic(who.korean)} {object_(noun.korean)}"
        yield f"{who.english} {action.present(who)} {noun.english}.", f"{what} {action.korean.present()}."
        yield f"{who.english} {do} not {action.base} {noun.english}.", f"{what} {action.korean.negative()}."
        yield f"{do.capitalize()} {who.inner} {action.base} {noun.english}?", f"{what} {action.korean.question()}?"


def _past(lexicon: Lexicon) -> Iterator[Sentence]:
    """He bought a car. Did you read the book?"""
    for who, action, noun in _who_does_what(lexicon):
        what = f"{topic(who.korean)} {object_(noun.korean)}"
        yield f"{who.english} {action.past} {noun.english}.", f"{what} {action.korean.past()}."
        yield f"{who.english} did not {action.base} {noun.english}.", f"{what} {action.korean.past_negative()}."
        yield f"Did {who.inner} {action.base} {noun.english}?", f"{what} {action.korean.past_question()}?"


def _future(lexicon: Lexicon) -> Iterator[Sentence]:
    """We will learn Korean. They are going to buy a house."""
    for who, action, noun in _who_does_what(lexicon, is_active=True):
        korean = f"{topic(who.korean)} {object_(noun.korean)} {action.korean.future()}."
        yield f"{who.english} will {action.base} {noun.english}.", korean
        yield f"{who.english} {who.be} going to {action.base} {noun.english}.", korean


def _modals(lexicon: Lexicon) -> Iterator[Sentence]:
    """You must open the door. She can speak Korean."""
    for who, action, noun in _who_does_what(lexicon, is_active=True):
        what = f"{topic(who.korean)} {object_(noun.korean)}"
        want, need = ("wants", "has") if who.is_third_person else ("want", "have")
        yield f"{who.english} can {action.base} {noun.english}.", f"{what} {action.korean.ability()}."
        yield f"{who.english} cannot {action.base} {noun.english}.", f"{what} {action.korean.inability()}."
        yield f"{who.english} {want} to {action.base} {noun.english}.", f"{what} {action.korean.wish(who.is_other)}."
        yield f"{who.english} must {action.base} {noun.english}.", f"{what} {action.korean.duty()}."
        yield f"{who.english} {need} to {action.base} {noun.english}.", f"{what} {action.korean.duty()}."


def _progressive(lexicon: Lexicon) -> Iterator[Sentence]:
    """My sister is reading a book."""
    for who, action, noun in _who_does_what(lexicon, is_active=True):
        yield (
            f"{who.english} {who.be} {action.progressive} {noun.english}.",
            f"{topic(who.korean)} {object_(noun.korean)} {action.korean.progressive()}.",
        )


def _requests(lexicon: Lexicon) -> Iterator[Sentence]:
    """Please open the window. Do not sell the car. Let's study math."""
    for action in lexicon.actions:
        if not action.is_active:
            continue
        for noun in action.objects:
            what = object_(noun.korean)
            yield f"Please {action.base} {noun.english}.", f"{what} {action.korean.request()}."
            yield f"Do not {action.base} {noun.english}.", f"{what} {action.korean.prohibition()}."
            yield f"Please do not {action.base} {noun.english}.", f"{what} {action.korean.prohibition()}."
            yield f"Let's {action.base} {noun.english}.", f"{what} {action.korean.proposal()}."


def _timed(lexicon: Lexicon) -> Iterator[Sentence]:
    """I watched a movie yesterday."""
    for who, action, noun in _who_does_what(lexicon, is_active=True):
        for english, korean, tense in lexicon.times:
            yield (
                f"{who.english} {_english(action, who, tense)} {noun.english} {english}.",
                f"{topic(who.korean)} {korean} {object_(noun.korean)} {_korean(action, tense)}.",
            )


def _movement(lexicon: Lexicon) -> Iterator[Sentence]:
    """I went to school yesterday. He works at the bank."""
    for who in lexicon.subjects:
        for action in lexicon.movements:
            for place in action.objects:
                where = f"{place.korean}{action.particle}"
                yield (
                    f"{who.english} {action.present(who)} {place.english}.",
                    f"{topic(who.korean)} {where} {action.korean.present()}.",
                )
                yield (
                    f"{who.english} {action.past} {place.english}.",
                    f"{topic(who.korean)} {where} {action.korean.past()}.",
                )
                for english, korean, tense in lexicon.times:
                    yield (
                        f"{who.english} {_english(action, who, tense)} {place.english} {english}.",
                        f"{topic(who.korean)} {korean} {where} {_korean(action, tense)}.",
                    )


def _vehicles(lexicon: Lexicon) -> Iterator[Sentence]:
    """I go to school by bus."""
    for who in lexicon.subjects:
        for place in lexicon.places:
            for vehicle in lexicon.vehicles:
                go = "goes" if who.is_third_person else "go"
                way = f"{topic(who.korean)} {by(vehicle.korean)} {place.korean}에"
                yield f"{who.english} {go} to {place.english} by {vehicle.english}.", f"{way} 갑니다."
                yield f"{who.english} went to {place.english} by {vehicle.english}.", f"{way} 갔습니다."


def _places(lexicon: Lexicon) -> Iterator[Sentence]:
    """Where is the station? The bank is next to the library."""
    articled = [place for place in lexicon.places if place.english.startswith("the ")]
    for place in articled:
        name = place.english
        yield f"Where is {name}?", f"{topic(place.korean)} 어디에 있습니까?"
        yield f"How do I get to {name}?", f"{place.korean}에 어떻게 갑니까?"
        yield f"Is there {_indefinite(place)} near here?", f"이 근처에 {subject(place.korean)} 있습니까?"
        yield f"I am at {name}.", f"나는 {place.korean}에 있습니다."
        for other in articled:
            if other != place:
                for preposition, where in lexicon.prepositions[2:]:
                    yield (
                        f"{name.capitalize()} is {preposition} {other.english}.",
                        f"{topic(place.korean)} {other.korean} {where} 있습니다.",
                    )


def _feelings(lexicon: Lexicon) -> Iterator[Sentence]:
    """I am hungry. My mother is not busy."""
    for who in lexicon.subjects:
        was = "were" if who.be == "are" else "was"
        for feeling in lexicon.feelings:
            name, word = topic(who.korean), feeling.korean
            yield f"{who.english} {who.be} {feeling.english}.", f"{name} {word.present()}."
            yield f"{who.english} {who.be} very {feeling.english}.", f"{name} 매우 {word.present()}."
            yield f"{who.english} {who.be} not {feeling.english}.", f"{name} {word.negative()}."
            yield f"{who.english} {was} {feeling.english}.", f"{name} {word.past()}."
            yield f"{who.be.capitalize()} {who.inner} {feeling.english}?", f"{name} {word.question()}?"


def _qualities(lexicon: Lexicon) -> Iterator[Sentence]:
    """This book is expensive. The dog is bigger than the cat."""
    for thing in lexicon.things:
        for quality in lexicon.qualities:
            word = quality.korean
            yield f"The {thing.bare} is {quality.english}.", f"{topic(thing.korean)} {word.present()}."
            yield f"The {thing.bare} is too {quality.english}.", f"{topic(thing.korean)} 너무 {word.present()}."
            yield f"This {thing.bare} is {quality.english}.", f"이 {topic(thing.korean)} {word.present()}."
            yield f"This {thing.bare} is not {quality.english}.", f"이 {topic(thing.korean)} {word.negative()}."
            yield f"Is this {thing.bare} {quality.english}?", f"이 {topic(thing.korean)} {word.question()}?"


def _comparisons(lexicon: Lexicon) -> Iterator[Sentence]:
    """The dog is bigger than the cat."""
    for first in lexicon.things:
        for second in lexicon.things:
            for quality in lexicon.qualities:
                if first != second:
                    yield (
                        f"The {first.bare} is {quality.comparative} than the {second.bare}.",
                        f"{topic(first.korean)} {second.korean}보다 더 {quality.korean.present()}.",
                    )


def _counting(lexicon: Lexicon) -> Iterator[Sentence]:
    """There are three books. How many cats are there?"""
    for thing in lexicon.things:
        yield f"How many {thing.plural} are there?", f"{subject(thing.korean)} 몇 {thing.counter} 있습니까?"
        for number, count in lexicon.numbers[1:]:
            counted = f"{subject(thing.korean)} {count} {thing.counter}"
            yield f"There are {number} {thing.plural}.", f"{counted} 있습니다."
            yield (
                f"I bought {number} {thing.plural}.",
                f"나는 {object_(thing.korean)} {count} {thing.counter} 샀습니다.",
            )


def _clock(lexicon: Lexicon) -> Iterator[Sentence]:
    """It is three o'clock. Today is Monday."""
    for number, count in lexicon.numbers:
        yield f"It is {number} o'clock.", f"{count} 시입니다."
        yield f"Let's meet at {number} o'clock.", f"{count} 시에 만납시다."
    for day in lexicon.days:
        yield f"Today is {day.english}.", f"오늘은 {day.korean}입니다."
        yield f"Tomorrow is {day.english}.", f"내일은 {day.korean}입니다."
        yield f"Let's meet on {day.english}.", f"{day.korean}에 만납시다."
        for number, count in lexicon.numbers:
            yield f"Let's meet on {day.english} at {number} o'clock.", f"{day.korean} {count} 시에 만납시다."


def _company(lexicon: Lexicon) -> Iterator[Sentence]:
    """I ate dinner with my friend."""
    companions = (("my friend", "친구"), ("my family", "가족"), ("my mother", "어머니"), ("the teacher", "선생님"))
    for who, action, noun in _who_does_what(lexicon, is_active=True):
        for english, korean in companions:
            if korean not in who.korean:
                yield (
                    f"{who.english} {action.past} {noun.english} with {english}.",
                    f"{topic(who.korean)} {together(korean)} 함께 {object_(noun.korean)} {action.korean.past()}.",
                )


def _clauses(lexicon: Lexicon) -> Iterator[Sentence]:
    """I cannot clean the room because I am tired. If you are hungry, eat bread."""
    for who, action, noun in _who_does_what(lexicon, is_active=True):
        for feeling in lexicon.feelings[:6]:
            yield (
                f"{who.english} cannot {action.base} {noun.english} "
                f"because {_pronoun(who)} {who.be} {feeling.english}.",
                f"{topic(who.korean)} {feeling.korean.reason()} {object_(noun.korean)} {action.korean.inability()}.",
            )
    for action in lexicon.actions:
        for noun in action.objects:
            for feeling in lexicon.feelings[:6]:
                if action.is_active:
                    yield (
                        f"If you are {feeling.english}, please {action.base} {noun.english}.",
                        f"{feeling.korean.condition()} {object_(noun.korean)} {action.korean.request()}.",
                    )


def _joined(lexicon: Lexicon) -> Iterator[Sentence]:
    """I like bread and coffee. I have a pencil but no book."""
    for who in lexicon.subjects:
        have = "has" if who.is_third_person else "have"
        for first in lexicon.things:
            for second in lexicon.things:
                if first != second:
                    yield (
                        f"{who.english} {have} {first.english} and {second.english}.",
                        f"{topic(who.korean)} {together(first.korean)} {subject(second.korean)} 있습니다.",
                    )


PATTERNS: tuple[Callable[[Lexicon], Iterator[Sentence]], ...] = (
    _identity,
    _future_identity,
    _this,
    _possession,
    _place_of_things,
    _actions,
    _past,
    _future,
    _modals,
    _progressive,
    _requests,
    _timed,
    _movement,
    _vehicles,
    _places,
    _feelings,
    _qualities,
    _comparisons,
    _counting,
    _clock,
    _company,
    _clauses,
    _joined,
)


def _who_does_what(lexicon: Lexicon, is_active: bool = False) -> Iterator[tuple[Subject, Action, Noun]]:
    for who in lexicon.subjects:
        for action in lexicon.actions:
            if action.is_active or not is_active:
                for noun in action.objects:
                    yield who, action, noun


def _english(action: Action, who: Subject, tense: str) -> str:
    return {"present": action.present(who), "past": action.past, "future": f"will {action.base}"}[tense]


def _korean(action: Action, tense: str) -> str:
    word = action.korean
    return {"present": word.present(), "past": word.past(), "future": word.future()}[tense]


def _indefinite(noun: Noun) -> str:
    return f"{'an' if noun.bare[0] in 'aeiou' else 'a'} {noun.bare}"


def _pronoun(who: Subject) -> str:
    if who.english in ("I", "You", "We", "They", "He", "She"):
        return who.inner
    if who.be == "are":
        return "they"
    return "she" if who.english in ("My mother", "My sister", "Mina") else "he"
