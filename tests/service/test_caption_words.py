"""Words of captions and their attention, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from service.api.caption_words import word_spans, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog, and a cat.", ["A", "dog", "and", "a", "cat"]),
        ("“빨간 개”가 (있다).", ["빨간", "개”가", "있다"]),
        ("don't re-use … -", ["don't", "re-use"]),
        ("", []),
    ],
)
def test_words_are_what_is_between_spaces_without_marks(text: str, words: list[str]) -> None:
    assert [text[begin:end] for begin, end in word_spans(text)] == words


def test_a_word_looks_where_its_tokens_look_on_average() -> None:
    text, offsets = "ab cd.", [(0, 1), (1, 2), (2, 5), (5, 6)]
    first_layer = np.full((2, 4, 3), 9.0)
    last_layer = np.array([
        [[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]],
        [[0.0, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]],
    ])  # fmt: skip
    first, second = words_of(text, offsets, np.stack([first_layer, last_layer]))
    assert (first.word, first.begin, first.end) == ("ab", 0, 2)
    assert first.weights == pytest.approx((0.25, 0.75, 0.0))
    assert (second.word, second.begin, second.end) == ("cd", 3, 5)
    assert second.weights == pytest.approx((0, 0, 1))


def test_weights_sum_to_one_whatever_the_model_gives() -> None:
    faint, none = np.array([[[[0.1, 0.3]]]]), np.zeros((1, 1, 1, 2))
    assert words_of("a", [(0, 1)], faint)[0].weights == pytest.approx((0.25, 0.75))
    assert words_of("a", [(0, 1)], none)[0].weights == (0.5, 0.5)


def test_a_model_without_attention_has_words_without_it() -> None:
    assert [word.weights for word in words_of("a b", [(0, 1), (1, 3)], np.zeros((0, 1, 2, 2)))] == [(), ()]
