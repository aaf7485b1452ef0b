"""English contractions: "I am" becomes "I'm", as people speak and write to each other."""

from __future__ import annotations

import re

# Negation comes first: "I will not" is "I won't", never "I'll not".
_NEGATIONS = {"cannot": "can't", "will not": "won't"} | {
    f"{verb} not": f"{verb}n't" for verb in ("do", "does", "did", "was", "were", "must", "could", "should", "would")
}
_NEGATION = re.compile(rf"\b({'|'.join(_NEGATIONS)})\b(?! only)")
_ENDINGS = {"am": "'m", "are": "'re", "is": "'s", "will": "'ll"}
# A word follows: "Yes, I am." has no short form.
_PRONOUN = re.compile(r"\b(?:(I) (am|will)|(you|we|they) (are|will)|(he|she|it) (is|will)) (?=\w)", re.IGNORECASE)
_WH_WORD = re.compile(r"\b(what|where|who) is (?=(?:the|my|your|his|her|our|their|this|that)\b)", re.IGNORECASE)


def contracted(english: str) -> str:
    """The sentence with every contraction that it allows; the sentence itself where it allows none."""
    short = _NEGATION.sub(lambda found: _NEGATIONS[found[0]], english)
    short = _PRONOUN.sub(_joined, short)
    return _WH_WORD.sub(r"\1's ", short)


def _joined(found: re.Match[str]) -> str:
    pronoun, verb = (group for group in found.groups() if group)
    return f"{pronoun}{_ENDINGS[verb.lower()]} "
