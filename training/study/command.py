"""python -m training study: from raw pairs to a report."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from training.errors import TrainingError

if TYPE_CHECKING:
    from training.recipe import Recipe

NUM_SERVED_SENTENCES = 400


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    command.add_argument("study", help="a YAML file, or the name of one in training/studies")
    command.add_argument("--input", action="append", default=[], metavar="FILE", help="as --input of prepare")
    command.add_argument(
        "--output", type=Path, required=True, help="data, checkpoints and bundles; resumes what is there"
    )
    command.add_argument("--report", type=Path, required=True, help="directory of the report")
    command.add_argument("--device", default="auto", help="cpu, cuda, or auto (default)")
    command.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="change the recipe that all share"
    )


def run(options: argparse.Namespace) -> int:
    """Prepare, train, translate, serve, report; what is done already is not done again, but for the measuring."""
    from training.data import read_pairs
    from training.process_group import joined
    from training.study.quality import measure_quality
    from training.study.report import machine, write_report
    from training.study.results import collect
    from training.study.settings import load_study
    from training.study.speed import export, served_tokens_per_second, write_sentences
    from training.study.training import train

    study = load_study(options.study, tuple(options.set))
    data, output = options.output / "data", options.output
    names = [system.name for system in study.systems]
    kept = _prepare(study.recipe_of(study.systems[0]), options.input, data)
    with joined(options.device) as device:
        train(study, data, output, device)
    quality = {
        name: measure_quality(output / name / "best.pt", data / "test.tsv", output / name / "test.tsv")
        for name in names
    }
    for name in names:
        export(output / name / "best.pt", output / "models" / name, name)
    sentences = output / "sentences.txt"
    write_sentences(data / "test.tsv", sentences, NUM_SERVED_SENTENCES)
    rates = served_tokens_per_second(output / "models", names, sentences, output)
    development = read_pairs(data / "development.tsv")
    results = [
        collect(system, output, development, quality[system.name], rates[system.name]) for system in study.systems
    ]
    facts = {
        "pairs": ", ".join(f"{number:,} {split}" for split, number in kept.items()),
        "recipe": f"`training/studies/{study.name}.yaml`; {results[0].num_target_tokens:,} target tokens each",
        "machine": machine(),
    }
    print(write_report(study, results, facts, options.report))
    return 0


def _prepare(recipe: Recipe, inputs: list[str], data: Path) -> dict[str, int]:
    """Prepared text in `data`, made if it is not there; returns how many pairs each split has."""
    from training.inputs import read_inputs
    from training.prepare import prepare

    report = data / "report.json"
    if not report.is_file():
        if not inputs:
            raise TrainingError(f"{data} holds no prepared text: give --input")
        prepare(read_inputs(inputs, recipe), recipe, data)
    kept: dict[str, int] = json.loads(report.read_text(encoding="utf-8"))["kept"]
    return kept
