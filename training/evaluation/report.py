"""The report of a comparison: as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from training.evaluation.comparison import TITLES, Comparison, Figure, compare, is_unspaced, metrics_for
from training.evaluation.groups import Group, by_length, by_origin
from training.evaluation.markdown import table
from training.evaluation.systems import System
from training.readers import Pair

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Report:
    """Scores of all sentences and of parts of them."""

    all: Comparison
    by_origin: dict[str, Comparison]
    by_length: dict[str, Comparison]
    """By words of the source."""


def measure(pairs: Sequence[Pair], systems: Sequence[System], num_samples: int) -> Report:
    """Compare systems on a test set.

    Args:
        pairs: sources with references.
        systems: at least one; the first is the baseline.
        num_samples: bootstrap samples for all sentences; parts get plain scores.
    """
    references = [pair.target for pair in pairs]
    # TER is slow and says little about a part beside the others.
    metrics = ("bleu_char" if is_unspaced(references) else "bleu", "chrf")

    def parts(groups: Sequence[Group]) -> dict[str, Comparison]:
        return {group.name: compare(_part(systems, group), group.of(references), metrics, 0) for group in groups}

    return Report(
        compare(systems, references, metrics_for(references), num_samples),
        parts(by_origin(pairs)),
        parts(by_length(pairs)),
    )


def to_dict(report: Report) -> dict[str, Any]:
    """As JSON: the first system's scores and signatures at the top, every system's under `systems`."""
    first = next(iter(report.all.figures.values()))
    return {
        **{name: figure.score for name, figure in first.items()},
        **{f"{name}_signature": signature for name, signature in report.all.signatures.items()},
        "num_sentences": report.all.num_sentences,
        "systems": {
            name: {
                **{metric: asdict(figure) for metric, figure in figures.items()},
                "by_origin": _parts_to_dict(report.by_origin, name),
                "by_length": _parts_to_dict(report.by_length, name),
            }
            for name, figures in report.all.figures.items()
        },
    }


def to_markdown(report: Report, title: str) -> str:
    """Tables of all sentences, by domain and by length.

    Args:
        report: what `measure` returns.
        title: of the page.
    """
    metrics = ", ".join(f"{TITLES[name]} `{signature}`" for name, signature in report.all.signatures.items())
    sections = [
        f"# {title}",
        _legend(report.all),
        _overview(report.all),
    ]
    for heading, parts in (("By domain", report.by_origin), ("By words of the source", report.by_length)):
        if parts:
            sections += [f"## {heading}", *_parts(parts)]
    sections += ["## Signatures", f"sacrebleu: {metrics}."]
    return "\n\n".join(sections) + "\n"


def _legend(comparison: Comparison) -> str:
    figures = list(comparison.figures.values())
    text = f"{comparison.num_sentences} sentences. Less TER is better, more of the others."
    text += " chrF2 and BLEU of characters do not see spaces."
    if figures[0]["chrf"].confidence is not None:
        text += " ± is half of the 95 % confidence interval (bootstrap)."
    if len(figures) > 1:
        text += " In brackets: the difference from the first system"
        text += f"; an asterisk where paired bootstrap resampling gives p < {SIGNIFICANT}." if "±" in text else "."
    return text


def _part(systems: Sequence[System], group: Group) -> list[System]:
    return [System(system.name, group.of(system.translations)) for system in systems]


def _parts_to_dict(parts: dict[str, Comparison], system: str) -> dict[str, Any]:
    return {
        name: {
            **{metric: figure.score for metric, figure in part.figures[system].items()},
            "num_sentences": part.num_sentences,
        }
        for name, part in parts.items()
    }


def _overview(comparison: Comparison) -> str:
    first = next(iter(comparison.figures.values()))
    rows = (
        (name, *(_written(figure, first[metric]) for metric, figure in figures.items()))
        for name, figures in comparison.figures.items()
    )
    return table(("system", *(TITLES[metric] for metric in first)), rows)


def _written(figure: Figure, baseline: Figure) -> str:
    text = f"{figure.score:.1f}"
    if figure.confidence is not None:
        text += f" ± {figure.confidence:.1f}"
    if figure is not baseline:
        text += f" ({figure.score - baseline.score:+.1f}"
        text += "*)" if figure.p_value is not None and figure.p_value < SIGNIFICANT else ")"
    return text


def _parts(parts: dict[str, Comparison]) -> list[str]:
    """A table for each metric: a row for each part, a column for each system."""
    systems = next(iter(parts.values())).figures
    metrics = next(iter(systems.values()))
    return [
        table(
            (TITLES[metric], "sentences", *systems),
            (
                (name, str(part.num_sentences), *(f"{part.figures[system][metric].score:.1f}" for system in systems))
                for name, part in parts.items()
            ),
        )
        for metric in metrics
    ]
