"""The pictures of a study's report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

mpl.use("agg")

from matplotlib import pyplot as plt

from training.study.results import Point, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (6.4, 4.0)
DOTS_PER_INCH = 120


def plot_all(results: Sequence[Result], directory: Path) -> tuple[str, ...]:
    """Draw every picture into a directory; returns the file names."""
    names = ("loss-by-tokens.png", "loss-by-time.png", "bleu-by-length.png")
    _plot_curves(results, lambda point: point.target_tokens / 1e6, "million target tokens", directory / names[0])
    _plot_curves(results, lambda point: point.seconds / 60, "minutes of training", directory / names[1])
    _plot_lengths(results, directory / names[2])
    return names


def _plot_curves(results: Sequence[Result], place: Callable[[Point], float], label: str, path: Path) -> None:
    figure, axes = plt.subplots(figsize=SIZE)
    for result in results:
        axes.plot(
            [place(p) for p in result.curve], [p.loss for p in result.curve], marker=".", label=result.system.name
        )
    axes.set_ylabel("development loss (nats per token)")
    _finish(axes, label)
    figure.savefig(path, dpi=DOTS_PER_INCH, bbox_inches="tight")
    plt.close(figure)


def _plot_lengths(results: Sequence[Result], path: Path) -> None:
    figure, axes = plt.subplots(figsize=SIZE)
    for result in results:
        groups = result.quality.by_length
        axes.plot(list(groups), [scores.bleu for scores in groups.values()], marker="o", label=result.system.name)
    axes.set_ylabel("BLEU")
    axes.set_ylim(bottom=0)
    _finish(axes, "words of the source")
    figure.savefig(path, dpi=DOTS_PER_INCH, bbox_inches="tight")
    plt.close(figure)


def _finish(axes: Axes, label: str) -> None:
    axes.set_xlabel(label)
    axes.grid(alpha=0.3)
    axes.legend()
