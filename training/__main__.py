"""The command line: python -m training corpus | prepare | vocabulary | train | evaluate | caption-train | …"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from training import corpus
from training.captioning import commands as captioning
from training.errors import TrainingError
from training.evaluation import commands as evaluation
from training.recipe_arguments import add_recipe
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
    add_recipe(command)
    command.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="FILE",
        help="FILE.tsv, FILE.po, FILE.mo, or SOURCE,TARGET[,ORIGIN]; text also as .gz or .xz; may be repeated; of a "
        "recipe with several language pairs en-de:FILE, which is read in every direction that the recipe has",
    )
    command.add_argument(
        "--synthetic",
        action="append",
        default=[],
        metavar="ORIGIN=FILE",
        help="pairs of which a model wrote one side, all of one origin, such as back-translated=bt.tsv.gz: for "
        "training alone; may be repeated; of a recipe with several language pairs ORIGIN=en-de:FILE, which is read in "
        "this direction only",
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
    add_recipe(command)
    command.add_argument("--data", type=Path, required=True, help="directory of prepared text")
    command.add_argument(
        "--from", dest="origin", type=Path, metavar="CHECKPOINT", help="take a trained model's vocabulary over"
    )
    command.set_defaults(run=_vocabulary)

    command = commands.add_parser("train", help="train a model; resumes where the output directory has a checkpoint")
    add_recipe(command)
    command.add_argument("--data", type=Path, required=True, help="directory of prepared text with its vocabulary")
    command.add_argument("--output", type=Path, required=True, help="directory of checkpoints")
    command.add_argument(
        "--initialize-from", type=Path, metavar="CHECKPOINT", help="begin with a trained model's weights"
    )
    command.add_argument("--device", default="auto", help="cpu, cuda, or auto (default)")
    command.set_defaults(run=_train)

    command = commands.add_parser("study", help="train several systems on the same text, serve them, write a report")
    study.add_arguments(command)
    command.set_defaults(run=study.run)

    command = commands.add_parser("average", help="the mean of several checkpoints' weights, of one run or of several")
    command.add_argument("checkpoints", type=Path, nargs="+", help=".pt files of one model")
    command.add_argument("--output", type=Path, required=True, help="a .pt file")
    command.set_defaults(run=_average)

    evaluation.add_commands(commands)
    captioning.add_commands(commands)
    return parser


def _prepare(options: argparse.Namespace) -> int:
    from training.inputs import read_inputs
    from training.prepare import prepare
    from training.recipe import load_recipe
    from training.synthetic import read_synthetic

    recipe = load_recipe(options.recipe, tuple(options.set))
    pairs, development, test = (
        read_inputs(specifications, recipe) for specifications in (options.input, options.development, options.test)
    )
    synthetic = itertools.chain.from_iterable([read_synthetic(one, recipe) for one in options.synthetic])
    report = prepare(pairs, recipe, options.output, development, test, synthetic).to_dict()
    print(json.dumps({key: report[key] for key in ("read", "dropped", "kept")}, indent=2))
    if report["missing_origins"]:
        print(f"warning: held out, but in no input: {report['missing_origins']}", file=sys.stderr)
    return 0


def _vocabulary(options: argparse.Namespace) -> int:
    from training.build_vocabularies import build_vocabularies, extend_vocabularies
    from training.checkpoint import Checkpoint
    from training.recipe import load_recipe

    recipe = load_recipe(options.recipe, tuple(options.set))
    if options.origin:
        source, target = extend_vocabularies(recipe, Checkpoint.load(options.origin), options.data)
    else:
        source, target = build_vocabularies(recipe, options.data, options.data)
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
    from training.checkpoint import Checkpoint
    from training.data import read_texts
    from training.process_group import ProcessGroup
    from training.provenance import describe_provenance
    from training.trainer import Trainer, count_parameters
    from training.vocabulary import Vocabulary

    source = Vocabulary.load(options.data / "source.model")
    target = Vocabulary.load(options.data / "target.model")
    train, development = read_texts(recipe, options.data, source, target)
    provenance = describe_provenance(options.data) if ProcessGroup.current().is_first else None
    trainer = Trainer(recipe, source, target, train, development, options.output, device, provenance)
    is_resumed = trainer.resume()
    if options.initialize_from and not is_resumed:
        trainer.initialize(Checkpoint.load(options.initialize_from))
    origin = f"with the weights of {options.initialize_from}" if options.initialize_from else "from the beginning"
    if trainer.processes.is_first:
        print(
            f"{recipe.name}: {count_parameters(trainer.model):,} parameters, {len(train[0]):,} pairs, "
            + (f"{trainer.processes.size} processes on " if trainer.processes.size > 1 else "")
            + f"{device.type}, "
            + (f"resumed at step {trainer.step}" if is_resumed else origin),
            flush=True,
        )
    trainer.run()


def _average(options: argparse.Namespace) -> int:
    from training.checkpoint import average

    average(options.checkpoints).save(options.output)
    print(f"{options.output}: the mean of {len(options.checkpoints)} checkpoints")
    return 0


if __name__ == "__main__":
    sys.exit(main())
