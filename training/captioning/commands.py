"""python -m training caption-prepare | caption-train | caption-evaluate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.recipe_arguments import add_recipe

if TYPE_CHECKING:
    import torch

    from training.captioning.examples import Example
    from training.captioning.settings import CaptionRecipe


def add_commands(commands: Any) -> None:
    """Put the subcommands into `commands`, an argparse object."""
    command = commands.add_parser("caption-prepare", help="gather captioned stamps, render scenes, compute features")
    add_recipe(command)
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
    add_recipe(command)
    command.add_argument("--data", type=Path, required=True, help="directory of prepared pictures")
    command.add_argument("--output", type=Path, required=True, help="directory of checkpoints")
    command.set_defaults(run=_train)

    command = commands.add_parser("caption-evaluate", help="scores by kind of picture and language")
    command.add_argument("checkpoint", type=Path, help="a .pt file of caption-train")
    command.add_argument("--data", type=Path, required=True, help="directory of prepared pictures")
    command.add_argument("--json", type=Path, metavar="FILE", help="also write the scores for the model card")
    command.add_argument("--examples", type=Path, metavar="FILE", help="also write every caption, as TSV")
    command.set_defaults(run=_evaluate)


def _prepare(options: argparse.Namespace) -> int:
    from training.captioning.prepare import prepare
    from training.captioning.settings import load_caption_recipe

    recipe = load_caption_recipe(options.recipe, tuple(options.set))
    cache = options.cache or options.output / "cache"
    print(prepare(recipe, options.output, cache, options.stamps, options.encoder_weights))
    return 0


def _train(options: argparse.Namespace) -> int:
    from training.captioning.settings import load_caption_recipe
    from training.process_group import joined

    recipe = load_caption_recipe(options.recipe, tuple(options.set))
    with joined("cpu") as device:
        _train_on(device, recipe, options)
    return 0


def _train_on(device: torch.device, recipe: CaptionRecipe, options: argparse.Namespace) -> None:
    from training.captioning.data import CaptionData
    from training.captioning.examples import read_examples
    from training.captioning.prepare import describe_data, example_pictures, read_prepared
    from training.captioning.trainer import CaptionTrainer
    from training.provenance import code_commit

    examples = read_examples(options.data)
    prepared = read_prepared(recipe, options.data)
    splits = (_of_split(examples, split) for split in ("train", "development"))
    train, development = (CaptionData(part, prepared.features, prepared.vocabulary, recipe) for part in splits)
    provenance = {**describe_data(options.data, examples), "commit": code_commit()}
    pictures = example_pictures(recipe, examples)
    trainer = CaptionTrainer(recipe, train, development, prepared.weights, pictures, options.output, device, provenance)
    is_resumed = trainer.resume()
    where = f"resumed at step {trainer.step}" if is_resumed else "from the beginning"
    if trainer.processes.is_first:
        print(f"{recipe.name}: {len(train.examples):,} pictures, {where}", flush=True)
    trainer.run()


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
