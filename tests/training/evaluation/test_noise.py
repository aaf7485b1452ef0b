from __future__ import annotations

from pathlib import Path

import pytest

from training.__main__ import main
from training.errors import TrainingError
from training.evaluation.commands import NOISES
from training.evaluation.noise import KINDS, add_noise
from training.evaluation.preservation import read_test_set
from training.evaluation.spans import count_spans

SENTENCE = "Please open the window before you leave the building."
KOREAN = "파일을 복사하기 전에 새로운 디렉터리를 만들어야 합니다."


def test_simple_kinds() -> None:
    assert add_noise("Open The %S File.", "lower", 1) == "open the %s file.".replace("%s", "%S".lower())
    assert add_noise("Open {name} now.", "upper", 1) == "OPEN {name} NOW."
    assert add_noise("Really?!", "unpunctuated", 1) == "Really"
    assert add_noise("?", "unpunctuated", 1) == "?"
    with pytest.raises(TrainingError, match="--kind loud"):
        add_noise("x", "loud", 1)


@pytest.mark.parametrize("text", [SENTENCE, KOREAN])
def test_typos_change_few_words_and_repeat_with_their_seed(text: str) -> None:
    variants = {add_noise(text, "typos", seed) for seed in range(20)}
    assert len(variants) > 5
    assert add_noise(text, "typos", 3) == add_noise(text, "typos", 3)
    for variant in variants:
        pairs = list(zip(text.split(), variant.split(), strict=True))
        assert 1 <= sum(one != other for one, other in pairs) <= 2
        assert all(abs(len(one) - len(other)) <= 1 for one, other in pairs)


def test_unspaced_joins_words() -> None:
    found = [add_noise(KOREAN, "unspaced", seed) for seed in range(10)]
    assert any(text != KOREAN for text in found)
    assert all(text.replace(" ", "") == KOREAN.replace(" ", "") for text in found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_what_must_come_through_stays(kind: str, language: str) -> None:
    for text in read_test_set(language):
        assert count_spans(add_noise(text, kind, 1)) == count_spans(text), text


def test_short_words_and_empty_lines_stay() -> None:
    for text in ("", "Go on", "%s", "네"):
        assert add_noise(text, "typos", 1) == text


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tuple(KINDS) == NOISES
    (tmp_path / "a.txt").write_text("Open it.\nNow!\n")
    assert main(["noise", "--kind", "upper", str(tmp_path / "a.txt")]) == 0
    assert capsys.readouterr().out == "OPEN IT.\nNOW!\n"
