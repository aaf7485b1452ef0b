"""English contractions, and their share of the grammar's sentences."""

from __future__ import annotations

import pytest

from training.phrasebook.contractions import contracted


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("I am a student.", "I'm a student."),
        ("He is not a doctor.", "He's not a doctor."),
        ("They will come.", "They'll come."),
        ("I will not go.", "I won't go."),
        ("She does not eat bread.", "She doesn't eat bread."),
        ("I cannot cook dinner because I am tired.", "I can't cook dinner because I'm tired."),
        ("You must not open the door.", "You mustn't open the door."),
        ("If it rains, we will stay at home.", "If it rains, we'll stay at home."),
        ("It is three o'clock.", "It's three o'clock."),
        ("Where is the station?", "Where's the station?"),
        ("What is your name?", "What's your name?"),
    ],
)
def test_short_forms(full: str, short: str) -> None:
    assert contracted(full) == short


@pytest.mark.parametrize(
    "sentence",
    ["Yes, I am.", "I know who he is.", "Is he a doctor?", "Are you tired?", "My father is a teacher.", "Where is he?"],
)
def test_sentences_without_a_short_form(sentence: str) -> None:
    assert contracted(sentence) == sentence
