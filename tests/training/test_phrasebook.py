"""The phrasebook's grammar: hand-checked pairs, Korean morphology, determinism, and the held-out split."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from training.phrasebook import Phrase
from training.phrasebook.grammar import (
    HELD_OUT_ORIGIN,
    MAX_PAIRS_PER_PATTERN,
    ORIGIN,
    combinations,
    is_held_out,
    load_patterns,
    phrases,
    write,
)
from training.phrasebook.korean import Verb, by, copula, infinitive, object_, subject, together, topic, was
from training.phrasebook.lexicon import load_lexicon


@pytest.fixture(scope="module")
def book() -> list[Phrase]:
    return list(phrases())


def test_size_and_origins(book: list[Phrase]) -> None:
    origins = Counter(phrase.origin for phrase in book)
    assert 25_000 <= len(book) <= 32_000
    assert set(origins) == {ORIGIN, HELD_OUT_ORIGIN}
    assert 0.02 < origins[HELD_OUT_ORIGIN] / len(book) < 0.045


def test_output_is_deterministic(book: list[Phrase]) -> None:
    assert list(phrases()) == book


def test_no_source_occurs_twice(book: list[Phrase]) -> None:
    assert [source for source, count in Counter(phrase.source for phrase in book).items() if count > 1] == []


def test_fixed_phrases_are_many_and_train(book: list[Phrase]) -> None:
    fixed = load_lexicon().fixed
    assert len(fixed) >= 250
    assert all(phrase.origin == ORIGIN for phrase in book[: len(fixed)])


def test_held_out_combinations_never_train(book: list[Phrase]) -> None:
    # "I went to X by Y" and "I will go to X by Y" are two forms of one combination.
    form = re.compile(r"(.+) (?:went|will go) to (.+) by (bus|subway|taxi|plane|bicycle)\.")
    origins: dict[tuple[str, ...], set[str]] = {}
    for phrase in book:
        if match := form.fullmatch(phrase.source):
            origins.setdefault(match.groups(), set()).add(phrase.origin)
    assert any(HELD_OUT_ORIGIN in found for found in origins.values())
    assert all(len(found) == 1 for found in origins.values())


def test_combinations_of_a_pattern_are_distinct_and_some_are_held_out() -> None:
    for pattern in load_patterns():
        if pattern.name in ("feelings", "vehicles", "contents"):
            chosen = list(combinations(pattern))
            share = sum(is_held_out(pattern, words) for words in chosen) / len(chosen)
            assert 0 < share < 0.1


def test_every_slot_is_used_by_every_form() -> None:
    # Otherwise one sentence would stem from several combinations, some held out and some not.
    hidden = {
        "does": ("who", "deed"),
        "do": ("who",),
        "role_agreeing": ("who", "role"),
        "become": ("who", "role"),
        "wish": ("who", "deed"),
        "wish_question": ("who", "deed"),
    }
    for pattern in load_patterns():
        for english, korean in pattern.forms:
            names = set(re.findall(r"{(\w+)", english + korean))
            used = names | {slot for name in names for slot in hidden.get(name, ())}
            assert set(pattern.slots) <= used, (pattern.name, english)


def test_patterns_are_capped(book: list[Phrase]) -> None:
    assert len(book) <= MAX_PAIRS_PER_PATTERN * len(load_patterns()) + len(load_lexicon().fixed)


def test_nothing_is_left_unfilled(book: list[Phrase]) -> None:
    for phrase in book:
        assert re.fullmatch(r"[A-Z][^{}]*[.?!]", phrase.source), phrase
        assert re.fullmatch(r"[^{}A-Za-z]*[.?!]", phrase.target), phrase
        assert "  " not in phrase.source + phrase.target, phrase
        assert not re.search(r"\ba [aeio]|\ban [^aeiou]|\ban uni", phrase.source), phrase


def _every_pair(name: str) -> dict[str, str]:
    """All sentences of one pattern, beyond the sample that trains."""
    pattern = next(pattern for pattern in load_patterns() if pattern.name == name)
    return dict(write(words, form) for words in combinations(pattern) for form in pattern.forms)


@pytest.mark.parametrize(
    ("pattern", "source", "target"),
    [
        ("identity", "I am a student.", "나는 학생입니다."),
        ("identity", "He is a doctor.", "그는 의사입니다."),
        ("identity", "They are not doctors.", "그들은 의사가 아닙니다."),
        ("identity", "Is my father a teacher?", "우리 아버지는 선생님입니까?"),
        ("identity", "She was a nurse.", "그녀는 간호사였습니다."),
        ("profession_wish", "Mina wants to be a doctor.", "미나는 의사가 되고 싶어 합니다."),
        ("nationality", "I am German.", "나는 독일 사람입니다."),
        ("this", "These are books.", "이것들은 책입니다."),
        ("owners", "Is this your car?", "이것은 당신의 자동차입니까?"),
        ("counted_possession", "My sister has two dogs.", "내 여동생은 개가 두 마리 있습니다."),
        ("existence", "The book is on the table.", "책은 탁자 위에 있습니다."),
        ("existence", "There is a cat under the chair.", "의자 아래에 고양이가 있습니다."),
        ("contents", "The water is in the jug.", "물은 주전자에 있습니다."),
        ("actions", "He does not eat bread.", "그는 빵을 먹지 않습니다."),
        ("past", "Did you read a book?", "당신은 책을 읽었습니까?"),
        ("past", "I helped the teacher.", "나는 선생님을 도왔습니다."),
        ("past", "She listened to music.", "그녀는 음악을 들었습니다."),
        ("future", "We are going to make bread.", "우리는 빵을 만들 것입니다."),
        ("wishes", "Tom wants to buy a house.", "톰은 집을 사고 싶어 합니다."),
        ("languages", "I can speak Korean.", "나는 한국어를 할 수 있습니다."),
        ("duty", "You must not open the door.", "당신은 문을 열면 안 됩니다."),
        ("requests", "Please open the window.", "창문을 열어 주세요."),
        ("requests", "Could you close the door?", "문을 닫아 주시겠습니까?"),
        ("requests", "Let's make bread.", "빵을 만듭시다."),
        ("remembered", "I watched a movie yesterday.", "나는 어제 영화를 봤습니다."),
        ("movement", "My father works at the bank.", "우리 아버지는 은행에서 일합니다."),
        ("vehicles", "I went to school by subway.", "나는 지하철로 학교에 갔습니다."),
        ("countries", "He came from India.", "그는 인도에서 왔습니다."),
        ("directions", "Where is the station?", "역은 어디에 있습니까?"),
        ("directions", "Is there a university near here?", "이 근처에 대학교가 있습니까?"),
        ("feelings", "I am hungry.", "나는 배고픕니다."),
        ("qualities", "The house is big.", "집은 큽니다."),
        ("described", "This is a heavy box.", "이것은 무거운 상자입니다."),
        ("comparisons", "The dog is bigger than the cat.", "개는 고양이보다 더 큽니다."),
        ("counting", "There are five people.", "사람이 다섯 명 있습니다."),
        ("counting", "I saw three apples.", "나는 사과를 세 개 봤습니다."),
        ("clock", "It is three o'clock.", "세 시입니다."),
        ("weather", "It is cold today.", "오늘은 춥습니다."),
        ("because", "I cannot cook dinner because I am tired.", "나는 피곤해서 저녁을 요리할 수 없습니다."),
        ("if_weather", "If it rains, I will stay at home.", "비가 오면 나는 집에 머무를 것입니다."),
        ("sequence", "I slept after I ate dinner.", "나는 저녁을 먹은 후에 잤습니다."),
        ("purpose", "He went to the market to buy bread.", "그는 빵을 사러 시장에 갔습니다."),
    ],
)
def test_hand_checked_pairs(pattern: str, source: str, target: str) -> None:
    assert _every_pair(pattern)[source] == target


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (topic("책"), "책은"),
        (topic("나"), "나는"),
        (subject("나"), "내가"),
        (subject("물"), "물이"),
        (object_("우유"), "우유를"),
        (object_("밥"), "밥을"),
        (together("빵"), "빵과"),
        (together("친구"), "친구와"),
        (by("지하철"), "지하철로"),
        (by("버스"), "버스로"),
        (by("집"), "집으로"),
        (copula("학생"), "학생이에요"),
        (copula("의사"), "의사예요"),
        (was("의사"), "의사였"),
        (was("학생"), "학생이었"),
    ],
)
def test_particles(written: str, expected: str) -> None:
    assert written == expected


@pytest.mark.parametrize(
    ("stem", "irregular", "expected"),
    [
        ("먹", "", "먹어"),
        ("받", "", "받아"),
        ("가", "", "가"),
        ("서", "", "서"),
        ("오", "", "와"),
        ("배우", "", "배워"),
        ("마시", "", "마셔"),
        ("보내", "", "보내"),
        ("되", "", "돼"),
        ("쉬", "", "쉬어"),
        ("크", "", "커"),
        ("바쁘", "", "바빠"),
        ("슬프", "", "슬퍼"),
        ("공부하", "", "공부해"),
        ("만들", "", "만들어"),
        ("덥", "ㅂ", "더워"),
        ("돕", "ㅂ", "도와"),
        ("걷", "ㄷ", "걸어"),
        ("깨닫", "ㄷ", "깨달아"),
        ("낫", "ㅅ", "나아"),
        ("짓", "ㅅ", "지어"),
        ("빨갛", "ㅎ", "빨개"),
        ("하얗", "ㅎ", "하얘"),
        ("모르", "르", "몰라"),
        ("부르", "르", "불러"),
    ],
)
def test_infinitives(stem: str, irregular: str, expected: str) -> None:
    assert infinitive(stem, irregular) == expected


def test_the_lexicons_infinitives_follow_a_rule() -> None:
    lexicon = load_lexicon()
    words = [action.korean for action in (*lexicon.actions, *lexicon.movements)]
    words += [adjective.korean for adjective in (*lexicon.feelings, *lexicon.qualities)]
    for word in words:
        rules = [infinitive(word.stem)]
        rules += [infinitive(word.stem, "르")] if word.stem.endswith("르") else []
        rules += [infinitive(word.stem, rule) for rule in "ㅂㄷ" if word.eu_stem != Verb.of(word.stem, "").eu_stem]
        assert word.infinitive in rules, word


@pytest.mark.parametrize(
    ("verb", "endings"),
    [
        (
            Verb.of("만들", "만들어"),
            {
                "present": "만듭니다",
                "past": "만들었습니다",
                "polite_future": "만들 거예요",
                "honorific_request": "만드세요",
                "proposal": "만듭시다",
                "gerund": "만드는 것",
                "after": "만든 후에",
                "purpose": "만들러",
                "condition": "만들면",
            },
        ),
        (
            Verb.of("돕", "도와", "도우"),
            {
                "present": "돕습니다",
                "past": "도왔습니다",
                "polite": "도와요",
                "honorific_request": "도우세요",
                "ability": "도울 수 있습니다",
                "gerund": "돕는 것",
            },
        ),
        (
            Verb.of("듣", "들어", "들으"),
            {"present": "듣습니다", "past": "들었습니다", "future": "들을 것입니다", "proposal": "들읍시다"},
        ),
        (
            Verb.of("가", "가"),
            {
                "question": "갑니까",
                "polite": "가요",
                "polite_past": "갔어요",
                "wish": "가고 싶습니다",
                "progressive": "가고 있습니다",
                "negative": "가지 않습니다",
                "honorific_request": "가세요",
            },
        ),
        (Verb.of("무겁", "무거워", "무거우"), {"quality": "무거운", "condition": "무거우면", "past": "무거웠습니다"}),
        (Verb.of("길", "길어"), {"quality": "긴", "present": "깁니다"}),
    ],
)
def test_endings(verb: Verb, endings: dict[str, str]) -> None:
    assert {name: getattr(verb, name)() for name in endings} == endings
