"""python -m tests.deploy.picture [OUTPUT]: the dashboard as a picture, from a minute of the real programs under load.

Grafana's layout and colours, drawn by matplotlib from what Prometheus answers to the very queries of the panels.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.processes import REPOSITORY
from tests.deploy.dashboard import Panel, Target, panels
from tests.deploy.monitored import Monitored, monitored
from tests.deploy.prometheus_api import Series

OUTPUT = REPOSITORY / "docs" / "images" / "dashboard.png"
LOAD_SECONDS = 75.0
CELL, ROW_HEIGHT, WIDTH = 0.30, 0.36, 16.0
"""Inches: height of a unit of Grafana's grid, of a heading, width of the whole."""
BACKGROUND, CARD, EDGE, TEXT, FAINT = "#111217", "#181b1f", "#2c3235", "#d8d9da", "#8e9297"
COLOURS = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#37872d", "#fa6400", "#96d98d")
MAX_LEGENDS = 6


def main(output: Path = OUTPUT) -> None:
    """Run everything, draw it."""
    with tempfile.TemporaryDirectory() as directory, monitored(Path(directory), LOAD_SECONDS) as running:
        figure = draw(running)
    figure.savefig(output, dpi=100, facecolor=BACKGROUND)


def draw(running: Monitored) -> Figure:
    """All panels, where Grafana has them."""
    mpl.rcParams.update({"font.size": 7.5, "text.color": TEXT, "axes.edgecolor": EDGE, "font.family": "DejaVu Sans"})
    every = list(panels())
    rows = list(dict.fromkeys(panel.row for panel in every))
    height = sum(_height(every, row) * CELL + ROW_HEIGHT for row in rows) + 0.1
    figure = pyplot.figure(figsize=(WIDTH, height))
    top = height
    for row in rows:
        figure.text(0.008, (top - ROW_HEIGHT / 2) / height, f"⌄  {row}", fontsize=10, va="center", weight="bold")
        top -= ROW_HEIGHT
        of_row = [panel for panel in every if panel.row == row]
        first = min(panel.position[1] for panel in of_row)
        for panel in of_row:
            x, y, width, lines = panel.position
            bottom = top - (y - first + lines) * CELL
            place = (x / 24 + 0.003, bottom / height + 0.0008, width / 24 - 0.006, lines * CELL / height - 0.0016)
            _panel(figure, panel, running, place)
        top -= _height(every, row) * CELL
    return figure


def _height(every: Sequence[Panel], row: str) -> int:
    places = [panel.position for panel in every if panel.row == row]
    return max(y + lines for _, y, _, lines in places) - min(y for _, y, _, _ in places)


def _panel(figure: Figure, panel: Panel, running: Monitored, place: tuple[float, float, float, float]) -> None:
    card = figure.add_axes(place, facecolor=CARD)
    card.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
    inches = place[3] * figure.get_figheight()
    card.text(0.02, 1 - 0.16 / inches, panel.title, va="center", fontsize=8.5)
    if panel.kind == "table":
        _table(card, running.api.at(panel.targets[0].expression, running.end), inches)
        return
    found = [(target, series) for target in panel.targets for series in _series(running, target)]
    if panel.kind == "stat":
        text = shown(found[0][1].values[-1], panel.unit) if found else "No data"
        card.text(0.5, 0.42, text, fontsize=19, ha="center", va="center", color=COLOURS[0])
    elif not found:
        card.text(0.5, 0.5, "No data", ha="center", color=FAINT, fontsize=9)
    else:
        x, y, width, height = place
        below = 0.28 + 0.15 * min(len(found), MAX_LEGENDS + 1)
        part = below / figure.get_figheight()
        left = 0.6 / WIDTH
        axes = figure.add_axes((x + left, y + part, width - left - 0.006, height - part - 0.3 / figure.get_figheight()))
        _lines(axes, panel, found, running)
        _legend(card, panel, found, inches)


def _series(running: Monitored, target: Target) -> list[Series]:
    found = running.api.over(target.expression, running.begin, running.end)
    return sorted((one for one in found if one.samples), key=lambda one: -max(one.values))


def _lines(axes: Axes, panel: Panel, found: Sequence[tuple[Target, Series]], running: Monitored) -> None:
    axes.set_facecolor(CARD)
    if panel.is_stacked:
        moments = sorted({round(seconds) for _, series in found for seconds, _ in series.samples})
        levels = [[{round(s): v for s, v in one.samples}.get(moment, 0.0) for moment in moments] for _, one in found]
        shades = [COLOURS[index % len(COLOURS)] for index in range(len(found))]
        axes.stackplot([moment - running.begin for moment in moments], levels, colors=shades, alpha=0.5)
    else:
        for index, (_, series) in enumerate(found):
            moments = [seconds - running.begin for seconds, _ in series.samples]
            axes.plot(moments, series.values, linewidth=1.1, color=COLOURS[index % len(COLOURS)])
    axes.set_xlim(0, running.end - running.begin)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0) if low < 0 else 0, high if high > 0 else 1)
    axes.grid(color=EDGE, linewidth=0.6)
    axes.tick_params(colors=FAINT, labelsize=6.5, length=0, pad=2)
    axes.spines[:].set_visible(False)
    axes.locator_params(axis="y", nbins=4)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:.0f} s"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: shown(value, panel.unit)))


def _legend(card: Axes, panel: Panel, found: Sequence[tuple[Target, Series]], inches: float) -> None:
    for index, (target, series) in enumerate(found[:MAX_LEGENDS]):
        level = (0.12 + 0.15 * (min(len(found), MAX_LEGENDS) - index - 1)) / inches
        card.text(0.02, level, "▬", color=COLOURS[index % len(COLOURS)], va="center", fontsize=7)
        name = target.name(series.labels)
        card.text(0.06, level, name, va="center", color=TEXT, fontsize=6.8)
        last = f"{shown(series.values[-1], panel.unit)}   max {shown(max(series.values), panel.unit)}"
        card.text(0.98, level, last, va="center", ha="right", color=FAINT, fontsize=6.8)


def _table(card: Axes, found: Sequence[Series], inches: float) -> None:
    names = ("instance", "model", "version", "precision", "provider", "sha256")
    for line, cells in enumerate([{name: name for name in names}, *(series.labels for series in found)]):
        for column, name in enumerate(names):
            text = cells[name][:24] if name != "sha256" or not line else f"{cells[name][:12]}…"
            card.text(0.02 + column / 6.1, 1 - (0.5 + line * 0.24) / inches, text, color=TEXT if line else FAINT)


def shown(value: float, unit: str) -> str:
    """A number as Grafana writes it."""
    if unit == "percentunit":
        return f"{value * 100:.3g} %" if abs(value) < 10 else f"{value * 100:.0f} %"
    if unit in ("s", "ms"):
        seconds = value / 1000 if unit == "ms" else value
        scales = ((60.0, "min", 60.0), (1.0, "s", 1.0), (1e-3, "ms", 1e-3), (0.0, "µs", 1e-6))
        _, name, scale = next(one for one in scales if abs(seconds) >= one[0])
        return f"{seconds / scale:.3g} {name}" if seconds else "0 s"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB" if value < 2**30 else f"{value / 2**30:.2f} GiB"
    suffix = {"reqps": " req/s", "short": ""}.get(unit, unit.replace("suffix:", ""))
    number = f"{value / 1000:.3g} k" if abs(value) >= 1e4 else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return number + suffix


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
