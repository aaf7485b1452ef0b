"""The command line: python -m training corpus | prepare | vocabulary | train | study | evaluate."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from training import corpus
from training.errors import TrainingError
from training.study import command as study

if TYPE_CHECKING:
    import torch

    from training.recipe import Recipe


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; returns the exit code: 0, or 2 for a mistake in input or settings."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except TrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(title="commands", required=True)

    command = commands.add_parser("corpus", help="gather parallel text from free software's translations")
    corpus.add_arguments(command)
    command.set_defaults(run=corpus.run)

    command = commands.add_parser("prepare", help="clean, remove duplicates, split by document or package")
    _add_recipe(command)
    command.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="FILE",
        help="FILE.tsv, FILE.po, FILE.mo, or SOURCE,TARGET[,ORIGIN]; text also as .gz or .xz; may be repeated",
    )
    for split in ("development", "test"):
        command.add_argument(
            f"--{split}",
            action="append",
            default=[],
            metavar="FILE",
            help=f"as --input: kept whole as {split} text; may be repeated",
        )
    command.add_argument("--output", type=Path, required=True, help="directory of prepared text")
    command.set_defaults(run=_prepare)

    command = commands.add_parser("vocabulary", help="learn subwords from prepared text")
    _add_recipe(command)
    command.add_argument("--data", type=Path, required=True, help="directory of prepared text")
    command.set_defaults(run=_vocabulary)

    command = commands.add_parser("train", help="train a model; resumes where the output directory has a checkpoint")
    _add_recipe(command)
    command.add_argument("--data", type=Path, required=True, help="directory of prepared text with its vocabulary")
    command.add_argument("--output", type=Path, required=True, help="directory of checkpoints")
    command.add_argument("--device", default="auto", help="cpu, cuda, or auto (default)")
    command.set_defaults(run=_train)

    command = commands.add_parser("study", help="train several systems on the same text, serve them, write a report")
    study.add_arguments(command)
    command.set_defaults(run=study.run)

    command = commands.add_parser("evaluate", help="translate a test set and print BLEU and chrF")
    command.add_argument("checkpoint", type=Path, nargs="?", help="translate with this one")
    command.add_argument("--translations", type=Path, help="score this file instead: a translation for each pair")
    command.add_argument("--data", required=True, metavar="FILE", help="as --input of prepare")
    command.add_argument("--limit", type=int, help="first so many pairs only")
    command.add_argument("--output", type=Path, help="write source, translation and reference as TSV")
    command.set_defaults(run=_evaluate)
    return parser


def _add_recipe(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", help="a YAML file, or the name of one in training/recipes")
    command.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="change one setting; may be repeated"
    )


def _prepare(options: argparse.Namespace) -> int:
    from training.prepare import prepare
    from training.readers import read_input
    from training.recipe import load_recipe

    recipe = load_recipe(options.recipe, tuple(options.set))
    pairs, development, test = (
        itertools.chain.from_iterable(read_input(specification) for specification in specifications)
        for specifications in (options.input, options.development, options.test)
    )
    report = prepare(pairs, recipe, options.output, development, test).to_dict()
    print(json.dumps({key: report[key] for key in ("read", "dropped", "kept")}, indent=2))
    return 0


def _vocabulary(options: argparse.Namespace) -> int:
    from training.build_vocabularies import build_vocabularies
    from training.recipe import load_recipe

    source, target = build_vocabularies(load_recipe(options.recipe, tuple(options.set)), options.data)
    print(f"{options.data}/source.model: {len(source)} pieces; target.model: {len(target)} pieces")
    return 0


def _train(options: argparse.Namespace) -> int:
    from training.process_group import joined
    from training.recipe import load_recipe

    recipe = load_recipe(options.recipe, tuple(options.set))
    with joined(options.device) as device:
        _train_on(device, recipe, options)
    return 0


def _train_on(device: torch.device, recipe: Recipe, options: argparse.Namespace) -> None:
    from training.data import ParallelData
    from training.process_group import ProcessGroup
    from training.provenance import describe_provenance
    from training.trainer import Trainer, count_parameters
    from training.vocabulary import Vocabulary

    source = Vocabulary.load(options.data / "source.model")
    target = Vocabulary.load(options.data / "target.model")
    train = ParallelData.read(options.data / "train.tsv", source, target, recipe.data)
    development = ParallelData.read(options.data / "development.tsv", source, target, recipe.data)
    provenance = describe_provenance(options.data) if ProcessGroup.current().is_first else None
    trainer = Trainer(recipe, source, target, train, development, options.output, device, provenance)
    is_resumed = trainer.resume()
    if trainer.processes.is_first:
        print(
            f"{recipe.name}: {count_parameters(trainer.model):,} parameters, {len(train):,} pairs, "
            + (f"{trainer.processes.size} processes on " if trainer.processes.size > 1 else "")
            + f"{device.type}, "
            + (f"resumed at step {trainer.step}" if is_resumed else "from the beginning"),
            flush=True,
        )
    trainer.run()


def _evaluate(options: argparse.Namespace) -> int:
    from training.evaluate import score
    from training.readers import read_input

    pairs = list(itertools.islice(read_input(options.data), options.limit))
    if not pairs:
        raise TrainingError(f"{options.data} holds no pairs")
    if (options.checkpoint is None) == (options.translations is None):
        raise TrainingError("evaluate takes either a checkpoint or --translations")
    if options.checkpoint:
        translations = _translate(options.checkpoint, [pair.source for pair in pairs])
    else:
        translations = _read_lines(options.translations)
    if len(translations) != len(pairs):
        raise TrainingError(f"{len(translations)} translations of {len(pairs)} sentences")
    print(json.dumps(asdict(score(translations, [pair.target for pair in pairs])), indent=2))
    if options.output:
        with options.output.open("w", encoding="utf-8") as file:
            for pair, translation in zip(pairs, translations, strict=True):
                file.write(f"{pair.source}\t{translation}\t{pair.target}\n")
    return 0


def _translate(path: Path, texts: list[str]) -> list[str]:
    from training.checkpoint import Checkpoint
    from training.search import translate

    checkpoint = Checkpoint.load(path)
    limits = checkpoint.recipe.data
    return translate(
        checkpoint.build_model(),
        checkpoint.source_vocabulary,
        checkpoint.target_vocabulary,
        texts,
        min(limits.max_source_tokens, limits.max_target_tokens),
    )


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"--translations {path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
