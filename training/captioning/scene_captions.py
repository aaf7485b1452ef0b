"""What is true of a scene, in English and Korean: sentences of a small grammar, and which thing each word means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from training.captioning.lexicon import NUMBERS, SIZES
from training.captioning.scenes import Scene, Thing
from training.phrasebook.korean import object_, subject, together

LANGUAGES = ("en", "ko")


@dataclass(frozen=True)
class Mention:
    """Characters [begin, end) of a caption and the things that they mean, by their places in the scene."""

    begin: int
    end: int
    things: tuple[int, ...]
    is_noun: bool
    """Else the colour."""


@dataclass(frozen=True)
class Caption:
    """A sentence and its mentions."""

    text: str
    mentions: tuple[Mention, ...] = ()


@dataclass(frozen=True)
class _Word:
    """A word for things; `tail` is what of it says something else: a particle."""

    text: str
    things: tuple[int, ...]
    is_noun: bool
    tail: str = ""


_Parts = Sequence["str | _Word"]


def captions(scene: Scene, language: str) -> list[Caption]:
    """All that the grammar can say of a scene and is true, the plainest first."""
    say = {"en": _english, "ko": _korean}[language]
    return [_join(parts) for parts in say(scene)]


def _join(parts: _Parts) -> Caption:
    text, mentions = "", []
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        mentions.append(Mention(len(text), len(text) + len(part.text), part.things, part.is_noun))
        text += part.text + part.tail
    text = text[0].upper() + text[1:]
    return Caption(text, tuple(mentions))


def _english(scene: Scene) -> Iterable[_Parts]:
    first, second, *_ = [*scene.things, scene.things[0]]
    if scene.kind == "single":
        assert scene.place is not None
        assert scene.size is not None
        yield [f"a {scene.size} ", *_plain(first, 0), f" {scene.place.english}."]
    elif scene.kind == "count":
        yield [NUMBERS[len(scene.things)][0], " ", *_plain(first, *range(len(scene.things)), is_plural=True), "."]
    elif scene.kind == "row":
        one, two, three = (_with_article(thing, index) for index, thing in enumerate(scene.things))
        yield [*one, ", ", *two, " and ", *three, "."]
    else:
        forwards, backwards = _ENGLISH_RELATIONS[scene.kind]
        yield [*_with_article(first, 0), forwards, *_with_article(second, 1), "."]
        yield [*_with_article(second, 1), backwards, *_with_article(first, 0), "."]


_ENGLISH_RELATIONS = {
    "left": (" is to the left of ", " is to the right of "),
    "above": (" is above ", " is below "),
    "inside": (" is inside ", " surrounds "),
}


def _plain(thing: Thing, *indices: int, is_plural: bool = False) -> list[str | _Word]:
    noun = thing.noun.plural if is_plural else thing.noun.name
    return [_Word(thing.colour.name, indices, is_noun=False), " ", _Word(noun, indices, is_noun=True)]


def _with_article(thing: Thing, index: int) -> list[str | _Word]:
    article = "an " if thing.colour.name[0] in "aeiou" else "a "
    return [article, *_plain(thing, index)]


def _korean(scene: Scene) -> Iterable[_Parts]:
    first, second, *_ = [*scene.things, scene.things[0]]
    if scene.kind == "single":
        assert scene.place is not None
        assert scene.size is not None
        yield [f"{scene.place.korean} {SIZES[scene.size]} ", *_phrase(first, 0, after=subject), " 있습니다."]
    elif scene.kind == "count":
        number, counter = NUMBERS[len(scene.things)][1], first.noun.counter
        things = _phrase(first, *range(len(scene.things)), after=subject)
        yield [*things, f" {number} {counter} 있습니다."]
    elif scene.kind == "row":
        one, two, three = scene.things
        listed = [*_phrase(one, 0, after=together), " ", *_phrase(two, 1, after=together), " "]
        yield [*listed, *_phrase(three, 2, after=subject), " 있습니다."]
    elif scene.kind == "inside":
        yield [*_phrase(first, 0, after=subject), " ", *_phrase(second, 1), " 안에 있습니다."]
        yield [*_phrase(second, 1, after=subject), " ", *_phrase(first, 0, after=object_), " 둘러싸고 있습니다."]
    else:
        forwards, backwards = _KOREAN_RELATIONS[scene.kind]
        yield [*_phrase(first, 0, after=subject), " ", *_phrase(second, 1), forwards]
        yield [*_phrase(second, 1, after=subject), " ", *_phrase(first, 0), backwards]


_KOREAN_RELATIONS = {
    "left": ("의 왼쪽에 있습니다.", "의 오른쪽에 있습니다."),
    "above": (" 위에 있습니다.", " 아래에 있습니다."),
}


def _phrase(thing: Thing, *indices: int, after: object = None) -> list[str | _Word]:
    """Colour and noun; `after` adds the particle that the noun's last sound asks for."""
    noun = thing.noun.korean
    tail = after(noun).removeprefix(noun) if callable(after) else ""
    return [_Word(thing.colour.korean, indices, is_noun=False), " ", _Word(noun, indices, is_noun=True, tail=tail)]
