from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import msgspec
import polib
import pytest

from training.data import read_pairs
from training.errors import TrainingError
from training.prepare import clean_text, prepare
from training.readers import Pair, read_input
from training.recipe import PrepareSettings, Recipe
from training.vocabulary import Vocabulary, VocabularySettings

RECIPE = Recipe(
    name="test",
    source_language="en",
    target_language="ko",
    prepare=PrepareSettings(development_origins=("held-out",), test_origins=("test",), max_characters=60),
)


def test_cleaning_duplicates_and_leaks(tmp_path: Path) -> None:
    pairs = [
        Pair("Open\u00a0 file", "파일 열기", "a"),
        Pair("open file.", "파일을 엽니다", "a"),
        Pair("Save", "저장", "a"),
        Pair("Same", "Same", "a"),
        Pair("Empty", "  ", "a"),
        Pair("Latin", "nur Latein", "a"),
        Pair("x" * 61, "가", "a"),
        Pair("A short one with words", "가", "a"),
        Pair("Held out", "보류", "held-out"),
        Pair("held out", "다른", "a"),
        Pair("Close", "닫기", "test"),
        Pair("Close", "닫음", "held-out"),
    ]
    report = prepare(pairs, RECIPE, tmp_path)
    assert read_pairs(tmp_path / "train.tsv") == [("Open file", "파일 열기"), ("Save", "저장")]
    assert read_pairs(tmp_path / "development.tsv") == [("Held out", "보류")]
    assert read_pairs(tmp_path / "test.tsv") == [("Close", "닫기")]
    assert report.dropped == {
        "duplicate source": 1,
        "identical": 1,
        "empty": 1,
        "script": 1,
        "too long": 1,
        "length ratio": 1,
        "in held-out text": 1,
    }
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["kept"] == {"train": 2, "development": 1, "test": 1}


def test_given_held_out_text_stays_whole_and_first(tmp_path: Path) -> None:
    pairs = [Pair("Open", "열기", "a"), Pair("save", "저장", "held-out"), Pair("New", "새로", "held-out")]
    development = [Pair("Save", "저장", "news"), Pair("SAVE", "SAVE", "news"), Pair("Close", "", "news")]
    test = [Pair("Close", "닫기", "more"), Pair("new", "새", "more")]
    report = prepare([*pairs, Pair("close.", "닫음", "a")], RECIPE, tmp_path, development, test)
    assert read_pairs(tmp_path / "train.tsv") == [("Open", "열기")]
    assert read_pairs(tmp_path / "development.tsv") == [("Save", "저장"), ("SAVE", "SAVE"), ("Close", "")]
    assert read_pairs(tmp_path / "test.tsv") == [("Close", "닫기"), ("new", "새")]
    assert report.to_dict()["origins"] == {"train": {"a": 1}, "development": {"news": 3}, "test": {"more": 2}}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "development.tsv",
        "report.json",
        "test.tsv",
        "train.tsv",
    ]


def test_held_out_origins_that_no_input_has_are_told(tmp_path: Path) -> None:
    settings = PrepareSettings(development_origins=("held-out", "mistyped"), test_origins=("other",))
    recipe = msgspec.structs.replace(RECIPE, prepare=settings)
    report = prepare([Pair("Open", "열기", "a"), Pair("Save", "저장", "held-out")], recipe, tmp_path)
    assert report.to_dict()["missing_origins"] == ["mistyped", "other"]


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no pair is left for development"):
        prepare([Pair("Save", "저장", "a")], RECIPE, tmp_path)


def test_text_is_composed_and_spaces_are_single() -> None:
    assert clean_text("\u1112\u1161\u11ab\tA\u00a0\u200a B\n") == "한 A B"


def test_readers(tmp_path: Path) -> None:
    content = "source\ttarget\torigin\nOpen\t열기\tpackage\nSave\t저장\n"
    (tmp_path / "a.tsv").write_text(content)
    with gzip.open(tmp_path / "a.tsv.gz", "wt") as file:
        file.write(content)
    with lzma.open(tmp_path / "a.tsv.xz", "wt") as file:
        file.write(content)
    for name in ("a.tsv", "a.tsv.gz", "a.tsv.xz"):
        assert list(read_input(str(tmp_path / name))) == [Pair("Open", "열기", "package"), Pair("Save", "저장", name)]
    (tmp_path / "en").write_text("Open\nSave\n")
    (tmp_path / "ko").write_text("열기\n저장\n")
    aligned = list(read_input(f"{tmp_path}/en,{tmp_path}/ko"))
    assert aligned == [Pair("Open", "열기", "en"), Pair("Save", "저장", "en")]


@pytest.mark.parametrize("kind", ["po", "mo"])
def test_catalogs(tmp_path: Path, kind: str) -> None:
    catalog = polib.POFile()
    catalog.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    catalog.append(polib.POEntry(msgid="Open", msgstr="열기"))
    if kind == "po":  # a compiled catalog has no such entries
        catalog.append(polib.POEntry(msgid="Fuzzy", msgstr="애매", flags=["fuzzy"]))
    catalog.append(polib.POEntry(msgid="%d file", msgid_plural="%d files", msgstr_plural={0: "파일 %d개"}))
    path = tmp_path / f"x.{kind}"
    catalog.save(str(path)) if kind == "po" else catalog.save_as_mofile(str(path))
    found = {(pair.source, pair.target) for pair in read_input(str(path))}
    assert {("Open", "열기"), ("%d file", "파일 %d개")} <= found
    assert ("Fuzzy", "애매") not in found


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", b"one column\n", "a.tsv:1: expected source, tab, target"),
        ("a.tsv", b"a\t\xff\n", "not UTF-8"),
        ("a.tsv.gz", b"not gzip", "cannot be unpacked"),
        ("a.csv", b"", "expected .tsv, .po, .mo, or SOURCE,TARGET"),
        ("a.mo", b"nonsense", "not a gettext catalog"),
    ],
)
def test_wrong_input_is_told(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TrainingError, match=message):
        list(read_input(str(tmp_path / name)))


def test_files_of_unequal_length_are_told(tmp_path: Path) -> None:
    (tmp_path / "en").write_text("a\nb\n")
    (tmp_path / "ko").write_text("가\n")
    with pytest.raises(TrainingError, match="ko ends before line 2: .* are not aligned"):
        list(read_input(f"{tmp_path}/en,{tmp_path}/ko"))
    with pytest.raises(TrainingError, match="missing"):
        list(read_input(str(tmp_path / "none.tsv")))


def test_a_vocabulary_spells_what_it_does_not_know() -> None:
    sentences = ["파일을 열 수 없습니다", "open the file", "save the document", "문서를 저장합니다"] * 20
    vocabulary = Vocabulary.train(sentences, VocabularySettings(size=292, character_coverage=0.98))
    for text in ("open the file", "뷁 🙂 word"):
        assert vocabulary.decode(vocabulary.encode([text])[0]) == text
    again = Vocabulary.train(sentences, VocabularySettings(size=292, character_coverage=0.98))
    assert again.encode(["save the file"]) == vocabulary.encode(["save the file"])
    with pytest.raises(TrainingError, match="vocabulary.size 5000"):
        Vocabulary.train(sentences, VocabularySettings(size=5000))
