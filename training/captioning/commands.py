"""python -m training caption-prepare | caption-train | caption-evaluate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.captioning.examples import Example


def add_commands(commands: Any) -> None:
    """Put the subcommands into `commands`, an argparse object."""
    command = commands.add_parser("caption-prepare", help="gather captioned stamps, render scenes, compute features")
    _add_recipe(command)
    command.add_argument(
        "--encoder-weights", type=Path, required=True, metavar="FILE.pth", help="of EfficientNet-Lite0"
    )
    command.add_argument("--output", type=Path, required=True, help="directory of prepared pictures")
    command.add_argument("--cache", type=Path, help="directory for downloads; default: OUTPUT/cache")
    command.add_argument("--stamps", type=Path, metavar="FOLDER", help="unpacked stamps, instead of downloading them")
    command.set_defaults(run=_prepare)

    command = commands.add_parser(
        "caption-train", help="train a captioner; resumes where its directory has a checkpoint"
    )
    _add_recipe(command)
    command.add_argument("--data", type=Path, required=True, help="directory of prepared pictures")
    command.add_argument("--output", type=Path, required=True, help="directory of checkpoints")
    command.set_defaults(run=_train)

    command = commands.add_parser("caption-evaluate", help="scores by kind of picture and language")
    command.add_argument("checkpoint", type=Path, help="a .pt file of caption-train")
    command.add_argument("--data", type=Path, required=True, help="directory of prepared pictures")
    command.add_argument("--json", type=Path, metavar="FILE", help="also write the scores for the model card")
    command.add_argument("--examples", type=Path, metavar="FILE", help="also write every caption, as TSV")
    command.set_defaults(run=_evaluate)


def _add_recipe(command: argparse.ArgumentParser) -> None:
    command.add_argument("recipe", help="a YAML file, or the name of one in training/recipes")
    command.add_argument(
        "--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="change one setting; may be repeated"
    )


def _prepare(options: argparse.Namespace) -> int:
    from training.captioning.prepare import prepare
    from training.captioning.settings import load_caption_recipe

    recipe = load_caption_recipe(options.recipe, tuple(options.set))
    cache = options.cache or options.output / "cache"
    print(prepare(recipe, options.output, cache, options.stamps, options.encoder_weights))
    return 0


def _train(options: argparse.Namespace) -> int:
    from training.captioning.data import CaptionData
    from training.captioning.examples import read_examples
    from training.captioning.prepare import describe_data, example_pictures, read_prepared
    from training.captioning.settings import load_caption_recipe
    from training.captioning.trainer import CaptionTrainer
    from training.provenance import code_commit

    recipe = load_caption_recipe(options.recipe, tuple(options.set))
    examples = read_examples(options.data)
    prepared = read_prepared(recipe, options.data)
    splits = (_of_split(examples, split) for split in ("train", "development"))
    train, development = (CaptionData(part, prepared.features, prepared.vocabulary, recipe) for part in splits)
    provenance = {**describe_data(options.data, examples), "commit": code_commit()}
    pictures = example_pictures(recipe, examples)
    trainer = CaptionTrainer(recipe, train, development, prepared.weights, pictures, options.output, provenance)
    is_resumed = trainer.resume()
    where = f"resumed at step {trainer.step}" if is_resumed else "from the beginning"
    print(f"{recipe.name}: {len(train.examples):,} pictures, {where}", flush=True)
    trainer.run()
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from training.captioning.checkpoint import CaptionCheckpoint
    from training.captioning.evaluate import card_scores, evaluate, table
    from training.captioning.examples import read_examples
    from training.captioning.prepare import read_prepared

    checkpoint = CaptionCheckpoint.load(options.checkpoint)
    examples = read_examples(options.data)
    prepared = read_prepared(checkpoint.recipe, options.data)
    results, told = evaluate(checkpoint, examples, prepared.features)
    print(table(results))
    if options.json:
        options.json.write_text(json.dumps(card_scores(results), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.examples:
        options.examples.write_text("".join("\t".join(line) + "\n" for line in told), encoding="utf-8")
    return 0


def _of_split(examples: list[Example], split: str) -> list[Example]:
    return [example for example in examples if example.split == split]
