"""The hand-written phrasebook: a well-formed file, and its place in the whole book."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

import pytest

from training.phrasebook import LANGUAGES, Phrase, grammar, phrases
from training.phrasebook.everyday import EVERYDAY_HELD_OUT_ORIGIN, EVERYDAY_ORIGIN, everyday_phrases, everyday_rows
from training.phrasebook.grammar import ORIGIN
from training.prepare import fault
from training.readers import Pair
from training.recipe import load_recipe

PAIRS = [(english, korean) for english, korean, _ in everyday_rows("ko")]
OTHERS = [language for language in LANGUAGES if language != "ko"]
CLOSING_QUOTES = "\"'"


def _normal(english: str) -> str:
    return "".join(character for character in english.casefold() if character.isalnum() or character in "'?!")


def _end(text: str) -> str:
    return text.rstrip(CLOSING_QUOTES)[-1]


def test_there_are_many_pairs_of_many_topics() -> None:
    topics = Counter(topic for _, _, topic in everyday_rows("ko"))
    assert len(PAIRS) >= 10_000
    assert len(topics) >= 30
    assert all(re.fullmatch(r"[a-z ]+", topic) for topic in topics)


def test_no_english_sentence_occurs_twice() -> None:
    counts = Counter(_normal(english) for english, _ in PAIRS)
    assert [english for english, count in counts.items() if count > 1] == []


def test_english_is_plain_english() -> None:
    assert [english for english, _ in PAIRS if not re.fullmatch(r"[\"A-Z0-9][ -~]*[.?!]\"?", english)] == []


def test_korean_is_composed_hangul() -> None:
    for _, korean in PAIRS:
        assert re.search("[가-힣]", korean), korean
        assert re.fullmatch(r"[가-힣0-9 .,?!\"'%-]+", korean), korean
        assert unicodedata.is_normalized("NFC", korean), korean


@pytest.mark.parametrize("side", [0, 1])
def test_spaces_are_single_and_inside(side: int) -> None:
    texts = [pair[side] for pair in PAIRS]
    assert [text for text in texts if text != " ".join(text.split())] == []


def test_both_sides_end_alike() -> None:
    assert [pair for pair in PAIRS if _end(pair[0]) != _end(pair[1])] == []


def test_quotes_come_in_pairs_on_both_sides() -> None:
    assert [pair for pair in PAIRS if pair[0].count('"') % 2 or pair[0].count('"') != pair[1].count('"')] == []


def test_long_numbers_are_the_same_on_both_sides() -> None:
    def numbers(text: str) -> list[str]:
        return sorted(re.findall(r"\d[\d,]+\d", text))

    assert [pair for pair in PAIRS if numbers(pair[0]) != numbers(pair[1])] == []


def test_preparation_keeps_every_pair() -> None:
    recipe = load_recipe("en-ko-software")
    assert [pair for pair in PAIRS if fault(Pair(*pair, EVERYDAY_ORIGIN), recipe)] == []


def test_some_are_held_out() -> None:
    origins = Counter(phrase.origin for phrase in everyday_phrases("ko"))
    assert set(origins) == {EVERYDAY_ORIGIN, EVERYDAY_HELD_OUT_ORIGIN}
    assert 0.02 < origins[EVERYDAY_HELD_OUT_ORIGIN] / origins.total() < 0.06


def test_the_book_is_the_grammars_then_the_hand_written(monkeypatch: pytest.MonkeyPatch) -> None:
    greeting = PAIRS[0][0]
    written = [Phrase("I am a student.", "나는 학생입니다.", ORIGIN), Phrase(greeting, "안녕하십니까!", ORIGIN)]
    monkeypatch.setattr(grammar, "phrases", lambda: iter(written))
    book = list(phrases("ko"))
    assert book[:2] == written
    assert book[2:] == [
        phrase for phrase in everyday_phrases("ko") if phrase.source not in {"I am a student.", greeting}
    ]
    assert Phrase("Thank you so much!", "정말 감사합니다!", EVERYDAY_ORIGIN) in book


def test_what_is_said_most_is_never_held_out() -> None:
    held_out = [phrase for phrase in everyday_phrases("ko") if phrase.origin == EVERYDAY_HELD_OUT_ORIGIN]
    assert min(len(phrase.source.split()) for phrase in held_out) == 4
    trained = {phrase.source for phrase in everyday_phrases("ko") if phrase.origin == EVERYDAY_ORIGIN}
    assert {"Hello.", "Hello!", "Thank you.", "Good morning.", "I love you."} <= trained


@pytest.mark.parametrize("language", OTHERS)
def test_other_languages_are_well_formed(language: str) -> None:
    rows = list(everyday_rows(language))
    assert len(rows) >= 1_000
    assert len({english for english, _, _ in rows}) == len(rows)
    for text in (text for english, translation, _ in rows for text in (english, translation)):
        assert text == " ".join(text.split()), text
        assert unicodedata.is_normalized("NFC", text), text
        assert re.fullmatch(r"[\"«„¡¿A-Z0-9ÀÁÂÇÉÈÊÎÔÚÜÄÖ].*[.?!]( »|[\"»“])?", text), text


def test_the_book_of_another_language_is_hand_written() -> None:
    book = list(phrases("de"))
    assert book == list(everyday_phrases("de"))
    assert Phrase("Hello!", "Hallo!", EVERYDAY_ORIGIN) in book
