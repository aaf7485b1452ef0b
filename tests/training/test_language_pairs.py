from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.balance import num_copies
from training.corpus.sources import SOURCES
from training.data import read_pairs
from training.errors import TrainingError
from training.inputs import read_inputs, tagged
from training.language_pairs import LanguagePair
from training.prepare import prepare
from training.readers import Pair
from training.recipe import Recipe, load_recipe, parse_recipe
from training.vocabulary import Vocabulary, VocabularySettings

SINGLE = {"name": "test", "source_language": "en", "target_language": "de"}


def recipe(*pairs: str, **prepare: object) -> Recipe:
    settings = {"development_origins": ["held-out"], "test_origins": ["test"], **prepare}
    return parse_recipe({"name": "test", "language_pairs": list(pairs), "prepare": settings}, "test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"name": "x"}, "give source_language and target_language, or language_pairs"),
        ({"name": "x", "source_language": "en"}, "source_language and target_language go together"),
        ({**SINGLE, "language_pairs": ["en-fr"]}, "give source_language and target_language, or language_pairs"),
        ({"name": "x", "language_pairs": ["english"]}, "'english' is no language pair such as en-de"),
        ({"name": "x", "language_pairs": ["en-pt-BR"]}, "'en-pt-BR' is no language pair such as en-de or en-pt_BR"),
        ({"name": "x", "language_pairs": ["en-de", "en-de"]}, "language_pairs: one is there twice"),
        ({**SINGLE, "prepare": {"language_temperature": 0.5}}, "language_temperature"),
    ],
)
def test_a_wrong_recipe_is_told(content: dict[str, object], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        parse_recipe(content, "recipe.yaml")


def test_only_several_targets_have_tags() -> None:
    assert parse_recipe(SINGLE, "").tags == {}
    assert recipe("de-en", "fr-en").tags == {}
    many = recipe("en-de", "en-pt_BR", "de-en")
    assert many.tags == {"de": "⟦de⟧", "pt-BR": "⟦pt-BR⟧", "en": "⟦en⟧"}
    assert many.source_prefix(LanguagePair("en", "pt-BR")) == "⟦pt-BR⟧ "
    assert [LanguagePair.parse(pair.name) for pair in many.pairs] == list(many.pairs)
    assert parse_recipe(many.to_dict(), "") == many


def test_a_file_is_read_in_every_direction_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("Open\tÖffnen\n")
    german, english = Pair("Open", "Öffnen", "a.tsv"), Pair("Öffnen", "Open", "a.tsv")

    def read(languages: str, *pairs: str) -> list[tuple[str, str, str]]:
        found = read_inputs([f"{languages}:{path}"], recipe(*pairs))
        return [(pair.source, pair.target, pair.languages.name) for pair in found if pair.languages]

    forward, backward = (german.source, german.target, "en-de"), (english.source, english.target, "de-en")
    assert read("en-de", "en-de", "en-fr") == [forward]
    assert read("en-de", "de-en", "fr-en") == [backward]
    assert read("en-de", "en-de", "de-en") == [forward, backward]
    with pytest.raises(TrainingError, match="en-ko is no pair of the recipe; known: en-de, en-fr"):
        read("en-ko", "en-de", "en-fr")
    with pytest.raises(TrainingError, match="put its languages in front, as in en-de:FILE"):
        read_inputs([str(path)], recipe("en-de", "en-fr"))
    assert [pair.source for pair in read_inputs([str(path)], parse_recipe(SINGLE, ""))] == ["Open"]


def test_prepared_text_is_tagged_and_held_out_in_all_languages(tmp_path: Path) -> None:
    german, french, back = LanguagePair("en", "de"), LanguagePair("en", "fr"), LanguagePair("de", "en")
    pairs = [
        Pair("Open", "Öffnen", "a", german),
        Pair("Open", "Ouvrir", "a", french),
        Pair("open.", "Ouvre", "a", french),
        Pair("Öffnen", "Open", "a", back),
        Pair("⟦fr⟧ Save", "Sichern", "a", german),
        Pair("Close", "Schließen", "held-out", german),
        Pair("Close", "Fermer", "a", french),  # held out of another pair
        Pair("Zumachen", "close", "a", back),  # held out on the other side
        Pair("New", "Nouveau", "test", french),
    ]
    report = prepare(pairs, recipe("en-de", "en-fr", "de-en"), tmp_path)
    assert read_pairs(tmp_path / "train.tsv") == [
        ("⟦de⟧ Open", "Öffnen"),
        ("⟦fr⟧ Open", "Ouvrir"),
        ("⟦en⟧ Öffnen", "Open"),
    ]
    assert read_pairs(tmp_path / "development.en-de.tsv") == [("⟦de⟧ Close", "Schließen")]
    assert read_pairs(tmp_path / "test.en-fr.tsv") == read_pairs(tmp_path / "test.tsv") == [("⟦fr⟧ New", "Nouveau")]
    assert report.dropped == {"duplicate source": 1, "language tag": 1, "in held-out text": 2}
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["language_pairs"]["train"] == {"en-de": 1, "en-fr": 1, "de-en": 1}
    with pytest.raises(TrainingError, match="need their languages"):
        prepare([Pair("Open", "Öffnen", "a")], recipe("en-de", "en-fr"), tmp_path / "other")


def test_small_languages_are_repeated_apart_from_each_other(tmp_path: Path) -> None:
    german, french = LanguagePair("en", "de"), LanguagePair("en", "fr")
    pairs = [Pair(f"word {number}", f"Wort {number}", "a", german) for number in range(8)]
    pairs += [Pair(f"word {number}", f"mot {number}", "a", french) for number in range(2)]
    pairs.append(Pair("Close", "Fermer", "held-out", french))
    report = prepare(pairs, recipe("en-de", "en-fr", language_temperature=2.0), tmp_path)
    sources = [source for source, _ in read_pairs(tmp_path / "train.tsv") if source.startswith("⟦fr⟧")]
    assert sources == ["⟦fr⟧ word 0", "⟦fr⟧ word 1"] * 2  # (2 / 8) ** (1 / 2) of the larger
    assert report.copies == {"en-de": 8, "en-fr": 4}
    assert report.to_dict()["kept"] == {"train": 10, "development": 1, "test": 0}


def test_shares_follow_the_temperature() -> None:
    groups = np.repeat(np.array([0, 1, 2], np.uint8), [9000, 1000, 90])
    is_kept = np.ones(len(groups), np.bool_)
    is_kept[::7] = False
    sizes = np.bincount(groups[is_kept])
    for temperature in (1.0, 2.0, 5.0, 1e9):
        copies = num_copies(groups, is_kept, temperature)
        assert not copies[~is_kept].any()
        written = np.bincount(groups, weights=copies)
        np.testing.assert_allclose(written / written[0], (sizes / sizes[0]) ** (1 / temperature), atol=1e-3)
        for group in range(3):
            of_group = copies[is_kept & (groups == group)]
            assert of_group.max() - of_group.min() <= 1


def test_sources_are_tagged_for_evaluation() -> None:
    many = recipe("en-de", "en-fr")
    assert tagged(["Open", "⟦fr⟧ Open"], many, "en-de") == ["⟦de⟧ Open", "⟦fr⟧ Open"]
    assert tagged(["Open"], parse_recipe(SINGLE, ""), None) == ["Open"]
    with pytest.raises(TrainingError, match="give --languages, one of en-de, en-fr"):
        tagged(["Open"], many, None)


def test_the_shipped_recipe_is_the_bundled_models_with_other_languages() -> None:
    several, one = load_recipe("en-mul-software"), load_recipe("en-ko-software")
    assert [pair.name for pair in several.pairs] == ["en-de", "en-fr", "en-es"]
    assert (several.model, several.vocabulary.size) == (one.model, one.vocabulary.size)


@pytest.mark.parametrize("name", ["en-ko-software", "ko-en-software", "en-mul-software"])
def test_what_a_shipped_recipe_holds_out_is_in_the_corpus(name: str) -> None:
    shipped = load_recipe(name)
    languages = {code for pair in shipped.pairs for code in (pair.source, pair.target)} - {"en"}
    gathered = {source.name for source in SOURCES if languages & set(source.languages)}
    assert {*shipped.prepare.development_origins, *shipped.prepare.test_origins} <= gathered


def test_a_tag_is_one_piece() -> None:
    text = ["⟦de⟧ open the file", "die datei öffnen", "⟦fr⟧ open the file", "ouvrir le fichier"] * 10
    settings = VocabularySettings(size=60, kind="bpe", character_coverage=1.0, byte_fallback=False)
    vocabulary = Vocabulary.train(text, settings, symbols=["⟦de⟧", "⟦fr⟧"])
    pieces = vocabulary.pieces()
    assert [pieces[index] for index in vocabulary.encode(["⟦de⟧ open"])[0]][:2] == ["▁", "⟦de⟧"]
