from __future__ import annotations

import json
from pathlib import Path

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.ter import TER

from training.__main__ import main
from training.errors import TrainingError
from training.evaluation.comparison import compare, metrics_for
from training.evaluation.groups import MIN_SENTENCES, by_length, by_origin
from training.evaluation.report import measure, to_dict, to_markdown
from training.evaluation.systems import System, read_systems
from training.readers import Pair

WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def sentences(number: int) -> list[str]:
    return [" ".join(WORDS[(index + place * index) % 10] for place in range(4 + index % 9)) for index in range(number)]


def damaged(texts: list[str], every: int) -> list[str]:
    return [text.replace("two", "zwei") if index % every == 0 else text for index, text in enumerate(texts)]


def test_scores_are_sacrebleus_and_differences_are_tested() -> None:
    references = sentences(120)
    bad, worse = damaged(references, 3), damaged(references, 1)
    systems = [System("bad", bad), System("same", list(bad)), System("worse", worse)]
    compared = compare(systems, references, ("bleu", "ter"), num_samples=200)
    bleu = {name: figures["bleu"] for name, figures in compared.figures.items()}
    assert bleu["bad"].score == pytest.approx(BLEU().corpus_score(bad, [references]).score)
    assert compared.figures["worse"]["ter"].score == pytest.approx(TER().corpus_score(worse, [references]).score)
    assert bleu["bad"].p_value is None
    assert bleu["same"].p_value is not None
    assert bleu["same"].p_value > 0.5
    assert bleu["worse"].p_value is not None
    assert bleu["worse"].p_value < 0.01
    assert bleu["bad"].confidence is not None
    assert 0 < bleu["bad"].confidence < 20
    assert "bs:200" in compared.signatures["bleu"]


def test_without_samples_there_is_neither_confidence_nor_significance() -> None:
    references = sentences(10)
    systems = [System("a", references), System("b", damaged(references, 1))]
    figure = compare(systems, references, ("chrf",), num_samples=0).figures["b"]["chrf"]
    assert figure.confidence is None
    assert figure.p_value is None


def test_korean_references_get_bleu_of_characters() -> None:
    assert metrics_for(["A file and a folder"]) == ("bleu", "chrf", "ter")
    korean = ["파일 name을 열 수 없습니다."]
    assert {"bleu", "bleu_char", "chrf", "ter"} <= set(metrics_for(korean))
    systems = [System("near", ["파일 name을 열 수 없었습니다."])]
    figures = compare(systems, korean, ("bleu", "bleu_char"), num_samples=0).figures["near"]
    assert figures["bleu_char"].score > figures["bleu"].score + 10


def test_groups_by_origin_and_length() -> None:
    pairs = [Pair("a " * (1 + index % 2 * 20), "b", "large") for index in range(2 * MIN_SENTENCES)]
    pairs += [Pair("a", "b", f"small-{index % 5}") for index in range(MIN_SENTENCES)]
    assert [(group.name, len(group.indices)) for group in by_origin(pairs)] == [("large", 60), ("others", 30)]
    assert [(group.name, len(group.indices)) for group in by_length(pairs)] == [("1–5", 60), ("21–30", 30)]
    assert by_length(pairs)[1].indices == list(range(1, 60, 2))


def test_the_report_names_every_system_and_part() -> None:
    references = sentences(80)
    pairs = [Pair(text, text, "guide" if index < 40 else "manual") for index, text in enumerate(references)]
    measured = measure(pairs, [System("perfect", references), System("poor", damaged(references, 1))], 100)
    content = to_dict(measured)
    assert content["chrf"] == pytest.approx(100)
    assert content["systems"]["poor"]["by_origin"]["guide"]["num_sentences"] == 40
    page = to_markdown(measured, "Title")
    assert "| perfect | 100.0 ± 0.0 |" in page
    assert "\\*)" in page
    assert "| manual | 40 | 100.0 |" in page


def test_the_command_compares_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    references = sentences(20)
    (tmp_path / "data.tsv").write_text("".join(f"{text}\t{text}\tguide\n" for text in references))
    (tmp_path / "a.txt").write_text("\n".join(references) + "\n")
    (tmp_path / "b.txt").write_text("\n".join(damaged(references, 1)) + "\n")
    flags = ["--data", str(tmp_path / "data.tsv"), "--translations", str(tmp_path / "a.txt")]
    flags += ["--translations", f"second={tmp_path / 'b.txt'}", "--report", str(tmp_path / "new"), "--bootstrap", "50"]
    assert main(["evaluate", *flags]) == 0
    assert list(json.loads(capsys.readouterr().out)["systems"]) == ["a", "second"]
    assert "| second |" in (tmp_path / "new" / "evaluation.md").read_text()


def test_files_that_do_not_fit_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n")
    assert read_systems([str(path)], 2) == [System("a", ["one", "two"])]
    with pytest.raises(TrainingError, match="2 translations of 3 sentences"):
        read_systems([str(path)], 3)
    with pytest.raises(TrainingError, match="two systems are called a"):
        read_systems([str(path), str(path)], 2)
    with pytest.raises(TrainingError, match=r"missing\.txt"):
        read_systems([f"x={tmp_path / 'missing.txt'}"], 2)
