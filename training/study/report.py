"""The report of a study: Markdown with tables, pictures and how it was made."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

from training.study.plots import plot_all
from training.study.results import Result, write_csv
from training.study.settings import Study


def write_report(study: Study, results: Sequence[Result], facts: dict[str, str], directory: Path) -> Path:
    """Write README.md, results.csv and the pictures; returns the path of the first.

    Args:
        study: what was trained.
        results: in the order of the study.
        facts: what a reader should know of data and machine, by name.
        directory: made by this function.
    """
    directory.mkdir(parents=True, exist_ok=True)
    write_csv(results, directory / "results.csv")
    pictures = plot_all(results, directory)
    sections = [
        f"# Study: {study.name}",
        "\n".join(f"- **{result.system.name}**: {result.system.description}" for result in results),
        "## Results",
        _overview(results),
        _comparison(results),
        "## BLEU by words of the source",
        _lengths(results),
        *(f"![{picture}]({picture})" for picture in pictures),
        "## How",
        _how(results, facts),
    ]
    path = directory / "README.md"
    path.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    return path


def machine() -> str:
    """The processor and how many cores this process may use."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.processor()
    return f"{name}, {len(os.sched_getaffinity(0))} of its cores"


def _overview(results: Sequence[Result]) -> str:
    header = (
        "system",
        "parameters",
        "BLEU",
        "chrF2",
        "development loss",
        "… per character",
        "training tokens/s",
        "training minutes",
        "served tokens/s",
    )
    rows = (
        (
            result.system.name,
            f"{result.num_parameters / 1e6:.2f} M",
            f"{result.quality.all.bleu:.1f}",
            f"{result.quality.all.chrf:.1f}",
            f"{result.best_loss:.3f}",
            f"{result.loss_per_character:.4f}",
            f"{result.training_tokens_per_second:.0f}",
            f"{result.seconds / 60:.1f}",
            f"{result.served_tokens_per_second:.0f}",
        )
        for result in results
    )
    return _table(header, rows)


def _how(results: Sequence[Result], facts: dict[str, str]) -> str:
    quality = results[0].quality.all
    lines = [
        *(f"{name}: {fact}" for name, fact in facts.items()),
        f"sacrebleu: `{quality.bleu_signature}`, `{quality.chrf_signature}`",
        "Translations are greedy, by the checkpoint with the best development loss.",
        "Systems were trained in turns, some steps of each, so that whatever slowed the machine slowed all of them.",
        "Training time includes validation. Loss: nats per target token; per character vocabularies compare.",
        "Served: float32 bundles, `python -m service.client --file` on the same machine; the median of three rounds.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _comparison(results: Sequence[Result]) -> str:
    """How soon each system was as good as each other one ended."""
    header = ("minutes until the loss that … ended with", *(result.system.name for result in results))
    rows = (
        (result.system.name, *(_minutes(result.seconds_to(other.loss_per_character)) for other in results))
        for result in results
    )
    return _table(header, rows)


def _lengths(results: Sequence[Result]) -> str:
    groups = results[0].quality.by_length
    header = ("words", "sentences", *(result.system.name for result in results))
    rows = (
        (name, str(scores.num_sentences), *(f"{result.quality.by_length[name].bleu:.1f}" for result in results))
        for name, scores in groups.items()
    )
    return _table(header, rows)


def _minutes(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds / 60:.1f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
