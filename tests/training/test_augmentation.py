from __future__ import annotations

import random
from pathlib import Path

import pytest

from training.augmentation import AugmentationSettings, augmented, misspelled
from training.data import BatchStream, read_texts
from training.protected_spans import ProtectedSpanSettings
from training.recipe import Recipe, load_recipe
from training.vocabulary import Vocabulary

PAIRS = [(f"Sentence number {n} is here.", f"문장 {n} 여기 있습니다.") for n in range(400)]


def version(settings: AugmentationSettings, number: int = 0) -> list[tuple[str, str]]:
    return list(augmented(PAIRS, settings, ProtectedSpanSettings(), seed=1, version=number))


def test_without_settings_the_text_is_as_it_was() -> None:
    assert version(AugmentationSettings()) == PAIRS


def test_versions_differ_and_repeat() -> None:
    settings = AugmentationSettings(typo_share=0.5)
    assert version(settings, 0) == version(settings, 0) != version(settings, 1)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (AugmentationSettings(lower_case_share=0.3), lambda s, t: (s.lower(), t)),
        (AugmentationSettings(upper_case_share=0.3), lambda s, t: (s.upper(), t.upper())),
        (AugmentationSettings(unmarked_share=0.3), lambda s, t: (s[:-1], t[:-1])),
    ],
)
def test_a_share_of_pairs_is_changed(settings: AugmentationSettings, expected: object) -> None:
    changed = [(new, old) for new, old in zip(version(settings), PAIRS, strict=True) if new != old]
    assert 80 < len(changed) < 160
    assert all(new == expected(*old) for new, old in changed)  # type: ignore[operator]


def test_a_typo_leaves_the_target_and_the_first_letters_alone() -> None:
    changed = [(new, old) for new, old in zip(version(AugmentationSettings(typo_share=0.5)), PAIRS, strict=True)]
    assert all(new[1] == old[1] for new, old in changed)
    wrong = [(new[0], old[0]) for new, old in changed if new != old]
    assert len(wrong) > 100
    assert all(abs(len(new) - len(old)) <= 1 for new, old in wrong)


def test_a_word_is_misspelled_but_no_symbol() -> None:
    generator = random.Random(1)
    assert misspelled("⟦12⟧ a %s", generator) == "⟦12⟧ a %s"
    assert misspelled("⟦bt⟧ an open", generator) != "⟦bt⟧ an open"
    assert all(misspelled("⟦bt⟧ an open", generator).startswith("⟦bt⟧ an o") for _ in range(50))
    assert misspelled("⟦zh-Hant⟧ ⟦back-translated⟧ a", generator) == "⟦zh-Hant⟧ ⟦back-translated⟧ a"


def test_joined_sentences_follow_each_other_and_share_a_tag() -> None:
    joined = [pair for pair in version(AugmentationSettings(joined_share=0.5)) if pair not in PAIRS]
    assert 150 < len(joined) < 250
    assert joined[0][0].count("Sentence number") == 2
    assert joined[0][1].count("문장") == 2
    tagged = [("⟦de⟧ One.", "Eins."), ("⟦de⟧ Two.", "Zwei."), ("⟦fr⟧ Three.", "Trois.")]
    settings = AugmentationSettings(joined_share=0.999)
    assert list(augmented(tagged, settings, ProtectedSpanSettings(), 1, 0)) == [
        *tagged[:2],
        ("⟦de⟧ One. Two.", "Eins. Zwei."),
        tagged[2],
    ]


def test_titles_are_not_joined() -> None:
    titles = [("Open", "열기"), ("Close", "닫기")]
    assert list(augmented(titles, AugmentationSettings(joined_share=0.999), ProtectedSpanSettings(), 1, 0)) == titles


def test_epochs_take_turns_at_versions_with_sampled_pieces(prepared: Path) -> None:
    recipe = load_recipe(
        str(prepared / "recipe.yaml"),
        # Drawn pieces may be many: a version must not lose a sentence that the other has.
        (
            *("augmentation.num_versions=2", "augmentation.sampling_alpha=0.3", "protected_spans.num_symbols=3"),
            *("data.max_source_tokens=128", "data.max_target_tokens=128"),
        ),
    )
    versions, development = _read(recipe, prepared)
    again, _ = _read(recipe, prepared)
    first, second = ([list(ids) for ids in data.sources] for data in versions)
    assert first != second
    assert [list(ids) for ids in again[0].sources] == first
    vocabulary = Vocabulary.load(prepared / "source.model")
    assert [vocabulary.decode([*map(int, ids)]) for ids in versions[0].sources] == [
        vocabulary.decode([*map(int, ids)]) for ids in versions[1].sources
    ]
    stream = BatchStream(versions, recipe.data, seed=1)
    batches = iter(stream)
    in_first_epoch = [next(batches) for _ in versions[0].batches(recipe.data, seed=1)]
    assert sum(batch.num_target_tokens for batch in in_first_epoch) == _num_tokens(versions[0].targets)
    next(batches)
    assert stream.epoch == 1
    unsampled, _ = _read(load_recipe(str(prepared / "recipe.yaml")), prepared)
    assert sum(map(len, first)) > sum(map(len, unsampled[0].sources)) > 0
    assert len(development) > 0


def _read(recipe: Recipe, directory: Path):  # type: ignore[no-untyped-def]
    vocabulary = Vocabulary.load(directory / "source.model")
    return read_texts(recipe, directory, vocabulary, vocabulary)


def _num_tokens(targets: object) -> int:
    return sum(len(ids) + 1 for ids in targets)  # type: ignore[attr-defined]
