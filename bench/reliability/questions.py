"""What is asked of the service: short English texts as they stand in programs, in the ways in which clients ask."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from enum import Enum

NUM_SENTENCES = 300
SENTENCES_PER_LONG_TEXT = 6
MAX_CHARACTERS = 20_000
"""Of one text; the service's default."""

_VERBS = ("open", "save", "delete", "rename", "print", "copy", "move", "close", "import", "export")
_NOUNS = (
    *("file", "folder", "document", "image", "bookmark", "message", "playlist", "calendar", "password"),
    *("account", "printer", "network connection", "toolbar", "search result", "contact"),
)
_TEMPLATES = (
    "{Verb} the selected {noun}.",
    "Do you really want to {verb} this {noun}?",
    "The {noun} could not be found, so it is impossible to {verb} it.",
    "Click here to {verb} the {noun} in a new window.",
    "You do not have permission to {verb} the {noun} “%s”.",
    "Press Ctrl+%d to {verb} every {noun} in <b>%s</b>.",
    "An error occurred while trying to {verb} the {noun}: {{reason}}",
    "{Verb} {noun}…",
    "Ask before the program has to {verb} a {noun} that was changed on disk since it was last read.",
)


class Kind(Enum):
    """How a translation is asked for."""

    GREEDY = "greedy"
    BEAM = "beam 4"
    STREAM = "stream"


@dataclass(frozen=True)
class Question:
    """A text and how it is asked."""

    kind: Kind
    text: str


def sentences(number: int = NUM_SENTENCES) -> list[str]:
    """Different sentences, the same every time."""
    every = [
        template.format(verb=verb, Verb=verb.capitalize(), noun=noun)
        for template, verb, noun in itertools.product(_TEMPLATES, _VERBS, _NOUNS)
    ]
    return random.Random(0).sample(every, number)  # noqa: S311 - an order, not a secret


def all_questions() -> list[Question]:
    """Every sentence greedily, every fifth with a beam, every third as a stream; and texts of several sentences."""
    short = sentences()
    long = [
        " ".join(short[begin : begin + SENTENCES_PER_LONG_TEXT])
        for begin in range(0, len(short) // 3, SENTENCES_PER_LONG_TEXT)
    ]
    return [
        *(Question(Kind.GREEDY, text) for text in (*short, *long)),
        *(Question(Kind.BEAM, text) for text in short[::5]),
        *(Question(Kind.STREAM, text) for text in (*short[::3], *long)),
    ]


def endless_text() -> str:
    """As long as a text may be: its translation streams for many seconds."""
    text = " ".join(sentences())
    return (text + " " + text)[:MAX_CHARACTERS]
