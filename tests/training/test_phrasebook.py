from __future__ import annotations

import pytest

from training.phrasebook import phrases
from training.phrasebook.grammar import HELD_OUT_ORIGIN, ORIGIN
from training.phrasebook.korean import Verb, by, object_, subject, together, topic

EAT, GO, MAKE = Verb.of("먹", "먹어"), Verb.of("가", "가"), Verb.of("만들", "만들어")
LISTEN, HELP = Verb.of("듣", "들어", "들으"), Verb.of("돕", "도와", "도우")


def test_particles_follow_the_final_consonant() -> None:
    assert [topic("책"), topic("나")] == ["책은", "나는"]
    assert [subject("책"), subject("사과"), subject("나")] == ["책이", "사과가", "내가"]
    assert [object_("물"), object_("차")] == ["물을", "차를"]
    assert [together("빵"), together("사과")] == ["빵과", "사과와"]
    assert [by("버스"), by("지하철"), by("트럭")] == ["버스로", "지하철로", "트럭으로"]


@pytest.mark.parametrize(
    ("verb", "present", "past", "future", "ability", "proposal", "condition"),
    [
        (EAT, "먹습니다", "먹었습니다", "먹을 것입니다", "먹을 수 있습니다", "먹읍시다", "먹으면"),
        (GO, "갑니다", "갔습니다", "갈 것입니다", "갈 수 있습니다", "갑시다", "가면"),
        (MAKE, "만듭니다", "만들었습니다", "만들 것입니다", "만들 수 있습니다", "만듭시다", "만들면"),
        (LISTEN, "듣습니다", "들었습니다", "들을 것입니다", "들을 수 있습니다", "들읍시다", "들으면"),
        (HELP, "돕습니다", "도왔습니다", "도울 것입니다", "도울 수 있습니다", "도웁시다", "도우면"),
    ],
)
def test_conjugation(
    verb: Verb, present: str, past: str, future: str, ability: str, proposal: str, condition: str
) -> None:
    assert verb.present() == present
    assert verb.past() == past
    assert verb.future() == future
    assert verb.ability() == ability
    assert verb.proposal() == proposal
    assert verb.condition() == condition


def test_known_sentences() -> None:
    book = {phrase.source: phrase.target for phrase in phrases()}
    known = {
        "I am a student.": "나는 학생입니다.",
        "The weather is good today.": "오늘은 날씨가 좋습니다.",
        "Where is the station?": "역은 어디에 있습니까?",
        "Please open the window.": "창문을 열어 주세요.",
        "The file could not be opened.": "파일을 열 수 없습니다.",
    }
    assert {source: book.get(source) for source in known} == known


def test_the_book_is_the_same_every_time_and_has_no_duplicates() -> None:
    first = list(phrases())
    assert first == list(phrases())
    assert len({phrase.source for phrase in first}) == len(first) > 10_000


def test_combinations_are_held_out_and_their_words_are_not() -> None:
    train = [phrase for phrase in phrases() if phrase.origin == ORIGIN]
    held_out = [phrase for phrase in phrases() if phrase.origin == HELD_OUT_ORIGIN]
    assert 200 < len(held_out) < 0.05 * len(train)
    words = {word for phrase in train for word in phrase.source.rstrip(".?!").split()}
    assert {word for phrase in held_out for word in phrase.source.rstrip(".?!").split()} <= words
