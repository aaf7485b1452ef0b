"""Sources as hurried people write them, to see how much worse their translations get."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from itertools import pairwise

from training.errors import TrainingError
from training.evaluation.spans import spans

TYPO_SHARE = 0.15
"""Of the words that are long enough for a typo."""
MIN_TYPO_LETTERS = {"latin": 4, "hangul": 2}
_WORD = re.compile(r"(?<![^\s\"'(])[^\W\d_]+(?![^\s\"').,!?:;…。])")
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    key: row[max(0, index - 1) : index] + row[index + 1 : index + 2] for row in _KEYS for index, key in enumerate(row)
}
_FIRST_SYLLABLE, _LAST_SYLLABLE = "가", "힣"
_NUM_FINALS, _NUM_VOWELS = 28, 21
_CONFUSED_VOWELS = {1: 5, 5: 1, 3: 7, 7: 3, 10: 15, 15: 10, 11: 15, 8: 4, 4: 8, 13: 18, 18: 13}
"""Vowels that sound or are typed alike (ㅐ and ㅔ, ㅗ and ㅓ, …), by their number in a syllable's code."""


def add_noise(text: str, kind: str, seed: int) -> str:
    """One kind of noise; placeholders, addresses and the like stay as they are.

    Args:
        text: one sentence.
        kind: one of `KINDS`.
        seed: of typos; the same text and seed give the same typos.

    Raises:
        TrainingError: there is no such kind.
    """
    if kind not in KINDS:
        raise TrainingError(f"--kind {kind}: there is {', '.join(KINDS)}")
    return KINDS[kind](text, seed)


def _typos(text: str, seed: int) -> str:
    generator = random.Random(f"{seed} {text}")  # noqa: S311 - typos, not secrets
    words = [word for word in _plain_words(text) if _can_have_typo(word.group())]
    if not words:
        return text
    chosen = generator.sample(words, max(1, round(TYPO_SHARE * len(words))))
    for word in sorted(chosen, key=re.Match[str].start, reverse=True):  # from the end, so that places stay right
        text = text[: word.start()] + _mistyped(word.group(), generator) + text[word.end() :]
    return text


def _plain_words(text: str) -> list[re.Match[str]]:
    """Words of letters alone, outside of what must stay as it is."""
    kept = list(spans(text))
    return [
        word
        for word in _WORD.finditer(text)
        if not any(span.begin < word.end() and word.start() < span.end for span in kept)
    ]


def _can_have_typo(word: str) -> bool:
    if _is_hangul(word):
        return len(word) >= MIN_TYPO_LETTERS["hangul"]
    return word.isascii() and len(word) >= MIN_TYPO_LETTERS["latin"]


def _is_hangul(text: str) -> bool:
    return bool(text) and all(_FIRST_SYLLABLE <= character <= _LAST_SYLLABLE for character in text)


def _mistyped(word: str, generator: random.Random) -> str:
    if _is_hangul(word):
        return _mistyped_hangul(word, generator)
    index = generator.randrange(1, len(word) - 1)
    letter, following = word[index], word[index + 1]
    changed = [following, letter + letter + following, generator.choice(_NEIGHBOURS[letter.lower()]) + following]
    if letter != following:
        changed.append(following + letter)
    return word[:index] + generator.choice(changed) + word[index + 2 :]


def _mistyped_hangul(word: str, generator: random.Random) -> str:
    """A vowel like the right one, or a final consonant dropped; where neither can be, two syllables swapped."""
    found = [word[:index] + like + word[index + 1 :] for index, syllable in enumerate(word) for like in _like(syllable)]
    return generator.choice(found) if found else word[1] + word[0] + word[2:]


def _like(syllable: str) -> list[str]:
    code = ord(syllable) - ord(_FIRST_SYLLABLE)
    lead_and_vowel, final = divmod(code, _NUM_FINALS)
    lead, vowel = divmod(lead_and_vowel, _NUM_VOWELS)
    found = [lead_and_vowel * _NUM_FINALS] if final else []
    if vowel in _CONFUSED_VOWELS:
        found.append((lead * _NUM_VOWELS + _CONFUSED_VOWELS[vowel]) * _NUM_FINALS + final)
    return [chr(ord(_FIRST_SYLLABLE) + other) for other in found]


def _outside_spans(text: str, change: Callable[[str], str]) -> str:
    parts, begin = [], 0
    for span in spans(text):
        parts += [change(text[begin : span.begin]), span.text]
        begin = span.end
    return "".join([*parts, change(text[begin:])])


def _lower(text: str, _: int) -> str:
    return _outside_spans(text, str.lower)


def _upper(text: str, _: int) -> str:
    return _outside_spans(text, str.upper)


def _without_final_mark(text: str, _: int) -> str:
    return text.rstrip(".!?…。") or text


def _without_space(text: str, seed: int) -> str:
    """Some spaces between words left out, as is common in Korean."""
    generator = random.Random(f"{seed} {text}")  # noqa: S311 - typos, not secrets
    words = _plain_words(text)
    joints = [word.end() for word, following in pairwise(words) if text[word.end() : following.start()] == " "]
    for place in reversed([joint for joint in joints if generator.random() < TYPO_SHARE]):
        text = text[:place] + text[place + 1 :]
    return text


KINDS: dict[str, Callable[[str, int], str]] = {
    "typos": _typos,
    "lower": _lower,
    "upper": _upper,
    "unpunctuated": _without_final_mark,
    "unspaced": _without_space,
}
