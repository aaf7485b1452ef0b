from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.text.segmentation import segment


def split(text: str, language: str = "en", max_tokens: int = 1000) -> list[str]:
    return [part.text for part in segment(text, language, len, max_tokens).segments]


def test_sentences_lines_and_abbreviations() -> None:
    text = "Dr. Smith is here. Is he?\n\n  Yes!\tGo on.\r\n"
    assert split(text) == ["Dr. Smith is here.", "Is he?", "Yes!", "Go on."]


def test_white_space_comes_back() -> None:
    parts = segment("Ask me.  Go on.\n\nEat this. \n", "en", len, 1000)
    assert parts.join(["1", "2", "3"]) == "1  2\n\n3 \n"


def test_text_without_words() -> None:
    assert split("") == []
    assert split(" \n\t ") == []
    assert segment(" \n\t ", "en", len, 1000).join([]) == " \n\t "


def test_long_sentences_are_cut_between_words() -> None:
    parts = split("one two three four five six", max_tokens=10)
    assert all(len(part) <= 10 for part in parts)
    assert " ".join(parts) == "one two three four five six"


def test_a_long_word_is_cut_between_characters() -> None:
    assert "".join(split("x" * 25, max_tokens=10)) == "x" * 25


def test_korean() -> None:
    assert split("안녕하세요. 저는 학생입니다.", "ko") == ["안녕하세요.", "저는 학생입니다."]


@given(
    st.text(alphabet="aB .!?…。\n\r\t\u00a0\u2028\u3000\x00\"'()1한국어🙂é\u0301Mr", max_size=80),
    st.sampled_from(["en", "ko", "de", "xx"]),
    st.integers(1, 12),
)
def test_joining_the_parts_gives_the_text_back(text: str, language: str, max_tokens: int) -> None:
    parts = segment(text, language, len, max_tokens)
    assert parts.join([part.text for part in parts.segments]) == text
    for part in parts.segments:
        assert part.text.strip() == part.text
        assert 1 <= len(part.text) <= max_tokens
        assert text[part.begin : part.begin + len(part.text)] == part.text
