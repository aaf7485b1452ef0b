"""Synthetic pairs: their origin, their tag, and that nothing held out comes in with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.__main__ import main
from training.data import read_pairs
from training.errors import TrainingError
from training.prepare import prepare
from training.readers import Pair
from training.recipe import PrepareSettings, Recipe, parse_recipe
from training.synthetic import read_synthetic
from training.tags import tagged

RECIPE = Recipe(
    name="test",
    source_language="en",
    target_language="ko",
    prepare=PrepareSettings(
        development_origins=("held-out",), development_share=0.999, tags={"back-translated": "bt", "held-out": "no"}
    ),
)


def test_a_tag_is_one_symbol_and_a_space() -> None:
    pair = Pair("Open", "열기", "back-translated")
    assert tagged(pair, {"back-translated": "bt"}) == Pair("⟦bt⟧ Open", "열기", "back-translated")
    assert tagged(pair, {"other": "bt"}) is pair


def test_synthetic_pairs_are_tagged_and_never_held_out(tmp_path: Path) -> None:
    recipe = Recipe(
        name="test",
        source_language="en",
        target_language="ko",
        prepare=PrepareSettings(development_origins=("held-out",), tags={"back-translated": "bt", "held-out": "no"}),
    )
    pairs = [Pair("Open", "열기", "human"), Pair("Save", "저장", "held-out")]
    synthetic = [
        Pair("Open", "열어", "back-translated"),  # the human's comes first
        Pair("save.", "보관", "back-translated"),  # its source is held out
        Pair("Store", "저 장.", "back-translated"),  # its target is held out
        Pair("Quit", "끝", "held-out"),  # synthetic, whatever the origin is called
        Pair("Close", "닫기", "back-translated"),
        Pair("", "빈", "back-translated"),  # what the service refused
    ]
    report = prepare(pairs, recipe, tmp_path, synthetic=synthetic)
    assert read_pairs(tmp_path / "train.tsv") == [("Open", "열기"), ("⟦no⟧ Quit", "끝"), ("⟦bt⟧ Close", "닫기")]
    assert read_pairs(tmp_path / "development.tsv") == [("Save", "저장")]
    assert report.dropped["target in held-out text"] == 1
    assert report.dropped["in held-out text"] == 1
    assert report.dropped["empty"] == 1


def test_targets_of_given_test_text_do_not_come_back(tmp_path: Path) -> None:
    test, development = [Pair("Close", "닫기", "x")], [Pair("New", "새로", "x")]
    synthetic = [Pair("Shut", "닫기", "bt"), Pair("Fresh", "새로", "bt"), Pair("Quit", "끝내기", "bt")]
    prepare([], RECIPE, tmp_path, development, test, synthetic)
    assert read_pairs(tmp_path / "train.tsv") == [("Quit", "끝내기")]


def test_the_command_reads_what_bulk_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bt.tsv").write_text("Close\t닫기\t-0.1234\tEND\n\t저장\t\tINVALID_FIELD\n")
    (tmp_path / "human.tsv").write_text("Open\t열기\thuman\nNew\t새로\theld\n")
    (tmp_path / "recipe.yaml").write_text(
        "{name: t, source_language: en, target_language: ko, "
        "prepare: {development_origins: [held], tags: {back-translated: bt}}}"
    )
    arguments = ["prepare", str(tmp_path / "recipe.yaml"), "--input", str(tmp_path / "human.tsv")]
    arguments += ["--output", str(tmp_path / "data"), "--synthetic"]
    assert main([*arguments, f"back-translated={tmp_path}/bt.tsv"]) == 0
    lines = (tmp_path / "data/train.tsv").read_text()
    assert lines == "Open\t열기\thuman\n⟦bt⟧ Close\t닫기\tback-translated\n"
    assert json.loads(capsys.readouterr().out)["dropped"]["empty"] == 1
    assert main([*arguments, f"{tmp_path}/bt.tsv"]) == 2
    assert "expected ORIGIN=FILE" in capsys.readouterr().err


def test_wrong_names_are_told() -> None:
    for name in ("1", "a b", "", "⟦bt⟧"):  # numbers are protected spans
        content = {"name": "t", "source_language": "en", "target_language": "ko", "prepare": {"tags": {"x": name}}}
        with pytest.raises(TrainingError, match="prepare.tags"):
            parse_recipe(content, "test")
    with pytest.raises(TrainingError, match="expected ORIGIN=FILE"):
        read_synthetic("=file.tsv", RECIPE)


def test_synthetic_pairs_of_several_languages_name_theirs(tmp_path: Path) -> None:
    several = parse_recipe({"name": "t", "language_pairs": ["en-de", "en-fr", "de-en"]}, "test")
    (tmp_path / "bt.tsv").write_text("Open\tÖffnen\n")
    [pair] = read_synthetic(f"bt=en-de:{tmp_path}/bt.tsv", several)
    assert pair == Pair("Open", "Öffnen", "bt", several.pairs[0])
    for specification in ("bt=bt.tsv", "bt=fr-en:bt.tsv"):
        with pytest.raises(TrainingError, match="put its pair in front"):
            read_synthetic(specification, several)
