from __future__ import annotations

from pathlib import Path

import pytest

from training.__main__ import main
from training.evaluation.preservation import ALL, measure_preservation, read_test_set
from training.evaluation.spans import KINDS, count_spans, spans


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("%s을(를) %1$d번", "placeholder", ["%s", "%1$d"]),
        (
            "%(name)s 님, {0} {{ x }} ${VAR} $HOME %1",
            "placeholder",
            ["%(name)s", "{0}", "{{ x }}", "${VAR}", "$HOME", "%1"],
        ),
        ("%d%% of 50% done", "placeholder", ["%d", "%%"]),
        ("https://example.com/a?b=1.", "url", ["https://example.com/a?b=1"]),
        ("help@example.com으로", "e-mail", ["help@example.com"]),
        ("/etc/hosts를 and/or ~/x.txt.", "path", ["/etc/hosts", "~/x.txt"]),
        ('<a href="/x">여기</a>를', "tag", ['<a href="/x">', "</a>"]),
        ("Q&amp;A &#8230; R&D", "entity", ["&amp;", "&#8230;"]),
        ("버전 2.4.1을 v3 쓰기", "version", ["2.4.1", "v3"]),
        ("2024-03-05에 14:00부터", "date", ["2024-03-05", "14:00"]),
        ("1,234.56원, 3개", "number", ["1,234.56", "3"]),
        ("`a b`로 --force를 well-known", "option", ["--force"]),
        ("Ctrl+Shift+T는", "key", ["Ctrl+Shift+T"]),
    ],
)
def test_spans_are_found_where_they_end(text: str, kind: str, expected: list[str]) -> None:
    assert [span.text for span in spans(text) if span.kind == kind] == expected


def test_both_languages_of_the_test_set_have_the_same_spans() -> None:
    english, korean = read_test_set("en"), read_test_set("ko")
    assert len(english) == len(set(english)) == 150
    for one, other in zip(english, korean, strict=True):
        assert count_spans(one) == count_spans(other) != {}
    assert set(measure_preservation(english, korean)) == {*KINDS, ALL}


def test_lost_changed_and_added_spans_count() -> None:
    sources = ["Open %s and %s.", "Open %d files.", "See <b>3</b>."]
    found = measure_preservation(sources, ["%s 열기", "%d개와 %d개", "<b>3</b>"])
    assert (found["placeholder"].num_spans, found["placeholder"].num_kept) == (3, 2)
    assert (found["placeholder"].num_sentences, found["placeholder"].num_exact) == (2, 0)
    assert found["tag"].exact_share == found["number"].kept_share == 1
    assert found[ALL].num_sentences == 3
    assert found[ALL].num_exact == 1
    assert "url" not in found


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preserve", "--language", "en", "--sources"]) == 0
    (tmp_path / "copy.txt").write_text(capsys.readouterr().out)
    (tmp_path / "nothing.txt").write_text("\n" * 150)
    systems = ["--translations", str(tmp_path / "copy.txt"), "--translations", str(tmp_path / "nothing.txt")]
    assert main(["preserve", "--language", "en", *systems]) == 0
    assert "| url | 7 | 7 | 100.0 | 100.0 | 0.0 | 0.0 |" in capsys.readouterr().out
    (tmp_path / "plain.txt").write_text("nothing to keep\n")
    plain = str(tmp_path / "plain.txt")
    assert main(["preserve", "--file", plain, "--translations", plain]) == 2
