"""The subcommands that measure translations: evaluate, everyday, preserve, examples, noise, baseline."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import TrainingError

if TYPE_CHECKING:
    from training.evaluation.systems import System
    from training.readers import Pair

# Written out here, so that other commands need not import what measures.
DIRECTIONS = ("en-ko", "ko-en")
LANGUAGES = ("en", "ko")
NOISES = ("typos", "lower", "upper", "unpunctuated", "unspaced")
BASELINES = ("copy", "dictionary", "apertium")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to a command line."""
    _add_evaluate(commands.add_parser("evaluate", help="compare translations of a test set with its references"))
    _add_everyday(commands.add_parser("everyday", help="score and check translations of 200 everyday sentences"))
    _add_preserve(commands.add_parser("preserve", help="count placeholders, tags and numbers that came through"))
    _add_examples(commands.add_parser("examples", help="print a page of examples drawn at random"))
    _add_noise(commands.add_parser("noise", help="print a text as hurried people write it"))
    _add_baseline(commands.add_parser("baseline", help="print simple translations to compare with"))


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    _add_systems(command)
    _add_data(command)
    command.add_argument(
        "--output", type=Path, help="write source, the first system's translation and reference as TSV"
    )
    command.add_argument("--report", type=Path, metavar="FILE.md|DIRECTORY", help="write tables in Markdown")
    command.add_argument(
        "--bootstrap",
        type=int,
        default=1000,
        metavar="SAMPLES",
        help="for confidence intervals and significance; 0: neither (default: %(default)s)",
    )
    command.set_defaults(run=_evaluate)


def _add_everyday(command: argparse.ArgumentParser) -> None:
    _add_systems(command)
    command.add_argument("--direction", choices=DIRECTIONS, required=True)
    command.add_argument("--sources", action="store_true", help="print the sentences to translate, and nothing else")
    command.add_argument("--train", metavar="FILE", help="leave out what these pairs have, as --input of prepare")
    command.add_argument(
        "--pairs", action="store_true", help="print sentence, reference and category as TSV for --data"
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="write the same as JSON")
    command.set_defaults(run=_everyday)


def _add_preserve(command: argparse.ArgumentParser) -> None:
    _add_systems(command)
    sources = command.add_mutually_exclusive_group(required=True)
    sources.add_argument("--language", choices=LANGUAGES, help="the project's own test set in this language")
    sources.add_argument("--file", type=Path, help="sources, one a line")
    command.add_argument("--sources", action="store_true", help="print the sentences to translate, and nothing else")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the same as JSON")
    command.set_defaults(run=_preserve)


def _add_examples(command: argparse.ArgumentParser) -> None:
    _add_systems(command)
    _add_data(command)
    command.add_argument("--count", type=int, default=40, help="default: %(default)s")
    command.add_argument("--seed", type=int, default=1, help="of the draw (default: %(default)s)")
    command.set_defaults(run=_examples)


def _add_noise(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", type=Path, help="UTF-8 text, one sentence a line")
    command.add_argument("--kind", choices=NOISES, required=True)
    command.add_argument("--seed", type=int, default=1, help="of typos (default: %(default)s)")
    command.set_defaults(run=_noise)


def _add_baseline(command: argparse.ArgumentParser) -> None:
    command.add_argument("kind", choices=BASELINES)
    _add_data(command)
    command.add_argument("--train", metavar="FILE", help="dictionary: learn from these pairs, as --input of prepare")
    command.add_argument("--mode", help="apertium: its name of the direction, such as eng-spa")
    command.set_defaults(run=_baseline)


def _add_systems(command: argparse.ArgumentParser) -> None:
    command.add_argument("checkpoint", type=Path, nargs="?", help="translate with this one")
    command.add_argument(
        "--languages", metavar="PAIR", help="of a checkpoint with several pairs, such as en-de: tag the sources"
    )
    command.add_argument(
        "--translations",
        "--system",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="take these instead, a line for each sentence; may be repeated; others are compared with the first",
    )


def _add_data(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", required=True, metavar="FILE", help="test set: as --input of prepare")
    command.add_argument("--limit", type=int, help="first so many pairs only")


def _evaluate(options: argparse.Namespace) -> int:
    from training.evaluation import report

    pairs = _read_pairs(options)
    systems = _systems(options, [pair.source for pair in pairs])
    measured = report.measure(pairs, systems, options.bootstrap)
    print(json.dumps(report.to_dict(measured), indent=2, ensure_ascii=False))
    if options.output:
        with options.output.open("w", encoding="utf-8") as file:
            for pair, translation in zip(pairs, systems[0].translations, strict=True):
                file.write(f"{pair.source}\t{translation}\t{pair.target}\n")
    if options.report:
        path = options.report if options.report.suffix == ".md" else options.report / "evaluation.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(report.to_markdown(measured, f"Evaluation on {Path(options.data).name}"), encoding="utf-8")
    return 0


def _everyday(options: argparse.Namespace) -> int:
    from training.evaluation import everyday
    from training.evaluation.systems import System
    from training.readers import read_input

    entries = everyday.read_entries(options.direction)
    sources = [entry.source for entry in entries]
    if options.sources:
        return _print_lines(sources)
    if options.pairs:
        return _print_lines([f"{entry.source}\t{entry.references[0]}\t{entry.category}" for entry in entries])
    systems = _systems(options, sources)
    if options.train:
        kept = everyday.unseen(entries, read_input(options.train))
        if not kept:
            raise TrainingError(f"--train {options.train} has all of the sentences: nothing is left to measure")
        print(f"{len(entries) - len(kept)} of {len(entries)} sentences are in {options.train}: left out\n")
        entries = [entries[place] for place in kept]
        systems = [System(system.name, [system.translations[place] for place in kept]) for system in systems]
    results = {system.name: everyday.measure_everyday(entries, system.translations) for system in systems}
    print(everyday.to_markdown(results))
    for name, result in results.items():
        print(f"\n{name}: {len(result.failures)} failed\n\n{everyday.failures_to_markdown(result)}")
    _write_json(options.json, {name: asdict(result) for name, result in results.items()})
    return 0


def _preserve(options: argparse.Namespace) -> int:
    from training.evaluation import preservation
    from training.evaluation.systems import read_lines

    sources = preservation.read_test_set(options.language) if options.language else read_lines(options.file)
    if options.sources:
        return _print_lines(sources)
    systems = _systems(options, sources)
    results = {system.name: preservation.measure_preservation(sources, system.translations) for system in systems}
    if not results[systems[0].name]:
        raise TrainingError(f"{options.file} has nothing that must come through, such as placeholders or numbers")
    print(preservation.to_markdown(results))
    _write_json(
        options.json, {name: {kind: asdict(row) for kind, row in rows.items()} for name, rows in results.items()}
    )
    return 0


def _examples(options: argparse.Namespace) -> int:
    from training.evaluation import examples

    pairs = _read_pairs(options)
    systems = _systems(options, [pair.source for pair in pairs])
    print(examples.to_markdown(pairs, systems, options.count, options.seed, Path(options.data).name), end="")
    return 0


def _noise(options: argparse.Namespace) -> int:
    from training.evaluation.noise import add_noise
    from training.evaluation.systems import read_lines

    return _print_lines([add_noise(line, options.kind, options.seed) for line in read_lines(options.file)])


def _baseline(options: argparse.Namespace) -> int:
    sources = [pair.source for pair in _read_pairs(options)]
    if options.kind == "copy":
        return _print_lines(sources)
    if options.kind == "apertium":
        from training.evaluation import apertium

        if not options.mode:
            raise TrainingError("baseline apertium needs --mode, such as eng-spa")
        return _print_lines(apertium.translate(sources, options.mode))
    from training.evaluation import dictionary
    from training.readers import read_input

    if not options.train:
        raise TrainingError("baseline dictionary needs --train")
    learned = dictionary.learn((pair.source, pair.target) for pair in read_input(options.train))
    return _print_lines([learned.translate(source) for source in sources])


def _read_pairs(options: argparse.Namespace) -> list[Pair]:
    from training.readers import read_input

    pairs = list(itertools.islice(read_input(options.data), options.limit))
    if not pairs:
        raise TrainingError(f"{options.data} holds no pairs")
    return pairs


def _systems(options: argparse.Namespace, sources: list[str]) -> list[System]:
    from training.evaluation.systems import read_systems, translate_with

    if (options.checkpoint is None) == (not options.translations):
        raise TrainingError("it takes either a checkpoint or --translations")
    if options.checkpoint:
        return [translate_with(options.checkpoint, sources, options.languages)]
    return read_systems(options.translations, len(sources))


def _print_lines(lines: Sequence[str]) -> int:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _write_json(path: Path | None, content: dict[str, Any]) -> None:
    if path is not None:
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
