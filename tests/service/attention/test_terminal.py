"""The map of characters."""

from __future__ import annotations

import re

import numpy as np

from service.client.attention.terminal import MAX_LABEL_HEIGHT, MAX_LABEL_WIDTH, draw, text_width

WEIGHTS = np.array([[0.9, 0.1, 0.0], [0.3, 0.5, 0.01]])


def test_darker_is_more_and_zero_is_a_dot() -> None:
    lines = draw(WEIGHTS, ["one", "b"], ["a", "b", "c"], width=80, is_colored=False).split("\n")
    assert lines == ["    a b c", "one ██░░·", "  b ▒▒▓▓"]


def test_korean_labels_stand_and_lie_in_their_width() -> None:
    lines = draw(WEIGHTS, ["파일", "é"], ["한국", "e\u0301x", "c"], width=80, is_colored=False).split("\n")
    assert lines[0] == "     한e\u0301"
    assert lines[1] == "     국x c"
    assert [text_width(line[: line.index("█")]) for line in lines if "█" in line] == [5]
    assert lines[3].startswith("   é ▒▒")


def test_what_is_too_wide_goes_on_below() -> None:
    weights = np.full((2, 7), 0.5)
    lines = draw(weights, ["a", "b"], list("1234567"), width=8, is_colored=False).split("\n")
    assert lines[0] == "columns 1 to 3 of 7:"
    assert lines[4:6] == ["columns 4 to 6 of 7:", "  4 5 6"]
    assert lines[-3:] == ["  7", "a ▓▓", "b ▓▓"]
    assert max(text_width(line) for line in lines if not line.startswith("columns")) <= 8


def test_colours_change_nothing_but_colours() -> None:
    plain = draw(WEIGHTS, ["one", "b"], ["a", "b", "c"], width=80, is_colored=False)
    colored = draw(WEIGHTS, ["one", "b"], ["a", "b", "c"], width=80, is_colored=True)
    without = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in without.split("\n")] == plain.split("\n")
    assert len(set(re.findall(r"\x1b\[38;5;(\d+)m", colored))) == 5


def test_labels_cannot_tear_the_map_or_command_the_terminal() -> None:
    long, evil = "x" * 100, "\x1b[2J\nz"
    lines = draw(np.array([[1.0, 1.0]]), [long], [long, evil], width=80, is_colored=False).split("\n")
    assert len(lines) == MAX_LABEL_HEIGHT + 1
    assert lines[-1] == "x" * (MAX_LABEL_WIDTH - 1) + "… ████"
    assert "\x1b" not in "".join(lines)


def test_nothing_to_draw() -> None:
    assert draw(np.zeros((0, 0)), [], [], width=80, is_colored=True) == ""
