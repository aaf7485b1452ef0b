"""The command line: python -m export [--from ORIGIN] CHECKPOINT… BUNDLE|FILE.pt [--precision float32|int8|float16].

`python -m export alignment --help`: choose the attention that an existing bundle's alignments are drawn from.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

import msgspec

from export.alignment import command as alignment
from export.caption_writer import export_captions
from export.errors import ExportError
from export.importers.bundle import import_bundle
from export.importers.g2p import import_g2p
from export.importers.marian import import_marian
from export.importers.netra import import_netra
from export.parity import ParityError
from export.trained import CheckpointEnsemble, Trained
from export.writer import ExportOptions, export, read_scores
from service.bundle.manifest import Manifest, Precision
from service.errors import BundleError
from training.captioning.checkpoint import CaptionCheckpoint
from training.checkpoint import Checkpoint
from training.errors import TrainingError

DIRECTORIES = {"bundle": import_bundle, "g2p-en": import_g2p, "netra-transliterate": import_netra}


def main(arguments: list[str] | None = None) -> int:
    """Export one checkpoint or an ensemble of several.

    Returns the exit code: 0, 1 for a parity failure, 2 for a mistake in the arguments.
    """
    given = sys.argv[1:] if arguments is None else arguments
    try:
        if given[:1] == ["alignment"]:
            alignment.run(given[1:])
            return 0
        options = _parser().parse_intermixed_args(given)
        manifest = _export(options)
    except (ExportError, TrainingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (ParityError, BundleError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    if manifest is None:
        return 0
    total = sum(file.num_bytes for file in manifest.files.all())
    parity = manifest.parity
    print(
        f"{options.bundle}: {manifest.name} {manifest.version}, {manifest.precision}, {total / 1e6:.1f} MB; "
        f"{parity.identical_translations}/{parity.num_sentences} translations as PyTorch's, "
        f"log-probabilities within {parity.max_log_prob_difference:.1g}"
    )
    if manifest.alignment is not msgspec.UNSET:
        print(
            f"alignments: {manifest.alignment.description}, {manifest.alignment.agreement:.0%} of the reference links"
        )
    return 0


def _export(options: argparse.Namespace) -> Manifest | None:
    """None where a checkpoint was written instead of a bundle."""
    chosen = ExportOptions(
        precision=options.precision,
        name=options.name,
        version=options.version,
        licence=options.licence,
        sentences=_read_sentences(options.sentences) if options.sentences else (),
        scores=read_scores(options.scores) if options.scores else {},
        notes=options.notes,
        alignment_pairs=tuple(options.alignment_pairs),
    )
    if options.origin == "captions":
        return export_captions(_only_captioner(options), options.bundle, chosen)
    checkpoint = _read_checkpoints(options)
    if options.bundle.suffix == ".pt":
        _save(checkpoint, options.bundle)
        return None
    return export(checkpoint, options.bundle, chosen)


def _only_captioner(options: argparse.Namespace) -> CaptionCheckpoint:
    if len(options.checkpoints) > 1:
        raise ExportError("--from captions takes one checkpoint: captioners make no ensembles")
    return CaptionCheckpoint.load(options.checkpoints[0])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument(
        "checkpoints",
        metavar="checkpoint",
        type=Path,
        nargs="+",
        help="a .pt file that python -m training train wrote; with --from, its directory; several make an ensemble: "
        "the mean of their probabilities",
    )
    parser.add_argument(
        "bundle",
        type=Path,
        help="directory to write; must not exist; FILE.pt: write a checkpoint instead, to train the model further",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        choices=["training", "captions", "marian", *DIRECTORIES],
        default="training",
        help="captions: a .pt file that python -m training caption-train wrote; marian: a Hugging Face directory of a "
        "Marian model, such as those of OPUS-MT, in safetensors; bundle: an int8 bundle of a Transformer; g2p-en and "
        "netra-transliterate: the folder with the weights in the PyPI package of that name",
    )
    parser.add_argument("--source-language", help="BCP-47 code; with --from marian; default: what the directory says")
    parser.add_argument("--target-language", help="likewise")
    parser.add_argument("--precision", choices=get_args(Precision), default="float32")
    parser.add_argument("--name", help="what clients call the model; default: the recipe's name")
    parser.add_argument("--version", default="1")
    parser.add_argument("--licence", default="unspecified", help="for the model card")
    parser.add_argument("--notes", default="", help="what the model card should say beside the facts")
    parser.add_argument("--sentences", type=Path, help="source sentences for the parity check, one per line")
    parser.add_argument("--scores", type=Path, help="JSON: scores by test set, for the model card")
    parser.add_argument(
        "--alignment-pairs",
        action="append",
        default=[],
        metavar="[LANGUAGES:]FILE",
        help="held-out pairs to choose by which attention alignments are drawn from; default: those that training kept",
    )
    return parser


def _read_checkpoints(options: argparse.Namespace) -> Trained:
    members = [_read_checkpoint(path, options) for path in options.checkpoints]
    return members[0] if len(members) == 1 else CheckpointEnsemble.of(members)


def _read_checkpoint(path: Path, options: argparse.Namespace) -> Checkpoint:
    if options.origin == "marian":
        return import_marian(path, options.source_language, options.target_language)
    if options.source_language or options.target_language:
        raise ExportError("--source-language and --target-language go with --from marian: others know their languages")
    if options.origin in DIRECTORIES:
        return DIRECTORIES[options.origin](path)
    return Checkpoint.load(path)


def _save(checkpoint: Trained, path: Path) -> None:
    if not isinstance(checkpoint, Checkpoint):
        raise ExportError(f"{path}: an ensemble has no checkpoint of its own")
    if path.exists():
        raise ExportError(f"{path} exists: remove it, or choose another file")
    checkpoint.save(path)
    print(f"{path}: {checkpoint.recipe.name}, to be given to python -m training train --initialize-from")


def _read_sentences(path: Path) -> tuple[str, ...]:
    try:
        return tuple(line for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"--sentences {path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
