"""Where words begin and end."""

from __future__ import annotations

FIRST_UNSPACED = "\u1100"
"""Letters from here on belong to scripts that write particles, or everything, without spaces: Hangul, kana, Han."""


def has_word(text: str, word: str) -> bool:
    """Whether a word, or several, stands in a text and is not part of a longer one; false for no word at all."""
    if not word:
        return False
    begin = text.find(word)
    while begin >= 0:
        end = begin + len(word)
        continues_before = begin > 0 and _is_spaced(text[begin - 1]) and _is_spaced(word[0])
        continues_after = end < len(text) and _is_spaced(text[end]) and _is_spaced(word[-1])
        if not continues_before and not continues_after:
            return True
        begin = text.find(word, begin + 1)
    return False


def _is_spaced(character: str) -> bool:
    """Whether it is a letter or digit of a script that puts spaces between words."""
    return character.isalnum() and character < FIRST_UNSPACED
