from __future__ import annotations

import stat
from pathlib import Path

import pytest

from training.__main__ import main
from training.errors import TrainingError
from training.evaluation import apertium
from training.evaluation.dictionary import learn
from training.evaluation.examples import draw

PAIRS = [
    ("the house", "das haus"),
    ("the book", "das buch"),
    ("a book", "ein buch"),
    ("a house", "ein haus"),
    ("the red house", "das rote haus"),
    ("a red book", "ein rotes buch"),
]


def test_the_dictionary_finds_what_belongs_together() -> None:
    learned = learn(PAIRS)
    assert learned.translate("The house, a book; %s unknown") == "das haus, ein buch; %s unknown"
    assert len(learned) == 5
    with pytest.raises(TrainingError, match="twice"):
        learn([("one", "eins")])
    with pytest.raises(TrainingError, match="twice"):
        learn([])


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = tmp_path / "test.tsv"
    path.write_text("The <b> house\tDas Haus\tguide\na book | two\tein Buch\tguide\n")
    return str(path)


def test_baselines_print_a_line_for_each_sentence(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.tsv").write_text("".join(f"{source}\t{target}\tx\n" for source, target in PAIRS))
    assert main(["baseline", "copy", "--data", data]) == 0
    assert capsys.readouterr().out == "The <b> house\na book | two\n"
    assert main(["baseline", "dictionary", "--data", data, "--train", str(tmp_path / "train.tsv")]) == 0
    assert capsys.readouterr().out == "das <b> haus\nein buch | two\n"
    assert main(["baseline", "dictionary", "--data", data]) == 2
    assert main(["baseline", "apertium", "--data", data]) == 2


def test_apertium_runs_as_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(TrainingError, match="not installed"):
        apertium.translate(["one"], "eng-spa")
    program = tmp_path / "apertium"
    program.write_text(
        '#!/bin/sh\n[ "$2" = eng-spa ] || { echo "no mode $2" >&2; exit 1; }\nexec /usr/bin/tr a-z A-Z\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert apertium.translate(["one", "two."], "eng-spa") == ["ONE", "TWO."]
    with pytest.raises(TrainingError, match="no mode eng-kor"):
        apertium.translate(["one"], "eng-kor")


def test_examples_are_drawn_by_seed_alone(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert draw(1000, 40, 1) == draw(1000, 40, 1) != draw(1000, 40, 2)
    assert len(set(draw(1000, 40, 1))) == 40
    assert draw(3, 40, 1) == [0, 1, 2]
    (tmp_path / "good.txt").write_text("Das Haus\nnein\n")
    assert main(["examples", "--data", data, "--system", f"good={tmp_path / 'good.txt'}"]) == 0
    page = capsys.readouterr().out
    assert "| good (100) | Das Haus |" in page
    assert "| source | The &lt;b&gt; house |" in page
    assert "| source | a book \\| two |" in page
