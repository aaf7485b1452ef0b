"""The command line: python -m export CHECKPOINT BUNDLE [--precision float32|int8|float16]."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from export.parity import ParityError
from export.writer import ExportError, ExportOptions, export, read_scores
from service.bundle.manifest import Precision
from service.errors import BundleError
from training.checkpoint import Checkpoint
from training.errors import TrainingError


def main(arguments: list[str] | None = None) -> int:
    """Export one checkpoint; returns the exit code: 0, 1 for a parity failure, 2 for a mistake in the arguments."""
    options = _parser().parse_args(arguments)
    try:
        checkpoint = Checkpoint.load(options.checkpoint)
        sentences = _read_sentences(options.sentences) if options.sentences else ()
        manifest = export(
            checkpoint,
            options.bundle,
            ExportOptions(
                precision=options.precision,
                name=options.name,
                version=options.version,
                licence=options.licence,
                sentences=sentences,
                scores=read_scores(options.scores) if options.scores else {},
                notes=options.notes,
            ),
        )
    except (ExportError, TrainingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (ParityError, BundleError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    total = sum(file.num_bytes for file in manifest.files.all())
    parity = manifest.parity
    print(
        f"{options.bundle}: {manifest.name} {manifest.version}, {manifest.precision}, {total / 1e6:.1f} MB; "
        f"{parity.identical_translations}/{parity.num_sentences} translations as PyTorch's, "
        f"log-probabilities within {parity.max_log_prob_difference:.1g}"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    parser.add_argument("checkpoint", type=Path, help="a .pt file that python -m training train wrote")
    parser.add_argument("bundle", type=Path, help="directory to write; must not exist")
    parser.add_argument("--precision", choices=get_args(Precision), default="float32")
    parser.add_argument("--name", help="what clients call the model; default: the recipe's name")
    parser.add_argument("--version", default="1")
    parser.add_argument("--licence", default="unspecified", help="for the model card")
    parser.add_argument("--notes", default="", help="what the model card should say beside the facts")
    parser.add_argument("--sentences", type=Path, help="source sentences for the parity check, one per line")
    parser.add_argument("--scores", type=Path, help="JSON: scores by test set, for the model card")
    return parser


def _read_sentences(path: Path) -> tuple[str, ...]:
    try:
        return tuple(line for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"--sentences {path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
