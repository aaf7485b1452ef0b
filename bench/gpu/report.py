"""What parts of the run tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class CheckFailedError(Exception):
    """What was measured is not as it must be."""

    def __init__(self, message: str, figures: dict[str, Any]) -> None:
        """`figures`: what was measured all the same."""
        super().__init__(message)
        self.figures = figures


class Skipped(Exception):  # noqa: N818 - no error
    """This part has nothing to measure here; the message says why."""


def judge(goals: Mapping[str, bool]) -> dict[str, str]:
    """Say of each goal whether it is met; "met" or "missed", for the record. A goal that is missed is no failure."""
    judged = {goal: "met" if is_met else "missed" for goal, is_met in goals.items()}
    for goal, verdict in judged.items():
        print(f"  goal {verdict}: {goal}", flush=True)
    return judged


def print_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as what stands in them, numbers to the right."""
    lines = [list(map(str, row)) for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        print("  " + "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)), flush=True)
