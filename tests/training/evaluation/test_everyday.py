from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from training.__main__ import main
from training.errors import TrainingError
from training.evaluation.everyday import DIRECTIONS, Check, Direction, measure_everyday, read_entries, unseen
from training.readers import Pair

CATEGORIES = {
    "greetings": 10,
    "questions": 10,
    "numbers": 12,
    "time": 12,
    "negation": 12,
    "politeness": 12,
    "homonyms": 16,
    "korean_homonyms": 16,
    "pronouns": 12,
    "idioms": 10,
    "dialogue": 8,
    "requests": 10,
    "comparisons": 8,
    "conditionals": 10,
    "family": 8,
    "shopping": 8,
    "travel": 8,
    "weather": 8,
    "feelings": 10,
}


def test_there_are_200_in_their_categories() -> None:
    entries = read_entries("en-ko")
    assert len({entry.id for entry in entries}) == len({entry.source for entry in entries}) == 200
    assert Counter(entry.category for entry in entries) == CATEGORIES
    assert {entry.id for entry in read_entries("ko-en")} <= {entry.id for entry in entries}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_every_reference_passes_its_checks_and_no_source_does(direction: Direction) -> None:
    for entry in read_entries(direction):
        assert entry.checks, entry.id
        for reference in entry.references:
            assert not entry.failed(reference), (entry.id, reference)
        assert entry.failed(entry.source), entry.id


@pytest.mark.parametrize(
    ("id_", "wrong"),
    [
        ("negation-01", "저는 고기를 먹어요."),
        ("numbers-01", "사과 네 개와 배 두 개를 샀어요."),
        ("homonyms-01", "그녀는 강둑에 돈을 넣었어요."),
        ("homonyms-02", "우리는 은행에 앉아서 배를 구경했어요."),
        ("pronouns-04", "트로피가 너무 작아서 여행 가방에 들어가지 않아요."),
        ("idioms-02", "내일 오디션에서 다리를 부러뜨려!"),
        ("comparisons-01", "우리 아버지는 형보다 키가 커요."),
        ("politeness-04", "폐하, 손님들이 도착했어."),
    ],
)
def test_checks_find_what_they_are_for(id_: str, wrong: str) -> None:
    [entry] = [entry for entry in read_entries("en-ko") if entry.id == id_]
    assert entry.failed(wrong)


def test_a_check_matches_in_any_case_or_must_not() -> None:
    assert Check("snow", is_wanted=True).passes("Snow fell.")
    assert not Check("snow", is_wanted=False).passes("Snow fell.")


def test_results_by_category() -> None:
    entries = read_entries("en-ko")
    translations = [entry.references[-1] for entry in entries]
    result = measure_everyday(entries, translations)
    assert result.categories["all"].num_passed == 200
    assert result.categories["all"].chrf == pytest.approx(100)
    translations[0] = ""
    result = measure_everyday(entries, translations)
    assert result.categories["greetings"].num_passed == 9
    assert result.categories["numbers"].num_passed == 12
    assert [failure.entry.id for failure in result.failures] == ["greetings-01"]
    with pytest.raises(TrainingError, match="199 translations of 200"):
        measure_everyday(entries, translations[1:])


def test_what_training_text_has_is_found_on_both_sides() -> None:
    entries = read_entries("en-ko")
    pairs = [
        Pair("see you  TOMORROW", "x", "a"),
        Pair("x", entries[0].references[-1], "a"),
        Pair("See you", "봐요", "a"),
    ]
    assert unseen(entries, pairs) == [1, 2, *range(4, 200)]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["everyday", "--direction", "en-ko", "--sources"]) == 0
    (tmp_path / "copy.txt").write_text(capsys.readouterr().out)
    assert main(["everyday", "--direction", "en-ko", "--pairs"]) == 0
    assert capsys.readouterr().out.startswith("Good morning. Did you sleep well?\t좋은")
    flags = ["--translations", str(tmp_path / "copy.txt"), "--json", str(tmp_path / "result.json")]
    assert main(["everyday", "--direction", "en-ko", *flags]) == 0
    printed = capsys.readouterr().out
    assert "copy: 200 failed" in printed
    assert "- weather-08: The rainy season" in printed
    assert json.loads((tmp_path / "result.json").read_text())["copy"]["categories"]["all"]["num_passed"] == 0
    (tmp_path / "train.tsv").write_text("See you tomorrow!\tx\tx\n")
    assert main(["everyday", "--direction", "en-ko", *flags, "--train", str(tmp_path / "train.tsv")]) == 0
    printed = capsys.readouterr().out
    assert "1 of 200 sentences are in" in printed
    assert "copy: 199 failed" in printed
    (tmp_path / "train.tsv").write_text("".join(f"{entry.source}\tx\tx\n" for entry in read_entries("en-ko")))
    assert main(["everyday", "--direction", "en-ko", *flags, "--train", str(tmp_path / "train.tsv")]) == 2
