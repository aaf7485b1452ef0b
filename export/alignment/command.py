"""python -m export alignment BUNDLE --pairs FILE: choose the attention that alignments are drawn from.

Prints how much of the reference each choice finds, and writes the best into the bundle's manifest. Nothing else of the
bundle changes. Give it pairs that the model was not trained on.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import msgspec

from export.alignment.choice import MIN_LINKS, Comparison, Measured, compare
from export.alignment.held_out import of_files
from export.errors import ExportError
from service.bundle.bundle import Bundle
from service.bundle.manifest import FILE_NAME, Manifest
from service.bundle.runtime import Runtime


def run(arguments: list[str]) -> None:
    """Choose for one bundle.

    Raises:
        ExportError: the pairs cannot be read, or there is nothing to choose.
        BundleError: the bundle is damaged.
    """
    options = _parser().parse_args(arguments)
    bundle = Bundle.load(options.bundle, Runtime.start("cpu"))
    pairs = of_files(bundle, options.pairs)
    comparison = compare(bundle, pairs)
    if comparison is None:
        raise ExportError(
            f"{options.bundle}: nothing to choose: the model has no attention, or {len(pairs)} pairs give fewer than "
            f"{MIN_LINKS} links to measure by"
        )
    print(report(comparison))
    if not options.dry_run:
        rewrite(options.bundle, msgspec.structs.replace(bundle.manifest, alignment=comparison.chosen))


def report(comparison: Comparison, number: int = 8) -> str:
    """The best choices and the default, as a Markdown table."""
    shown = list(comparison.measured[:number])
    if comparison.default not in shown:
        shown.append(comparison.default)
    rows = [f"| {_row(one, comparison)} |" for one in shown]
    return "\n".join(
        [
            f"| attention | {comparison.num_anchors} anchors | {comparison.num_words} words | mean |",
            "|---|---:|---:|---:|",
            *rows,
        ]
    )


def rewrite(directory: Path, manifest: Manifest) -> None:
    """Put a manifest in the place of the old one, whole or not at all: a service may be watching."""
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=".") as temporary:
        manifest.save(Path(temporary))
        os.replace(Path(temporary) / FILE_NAME, directory / FILE_NAME)


def _row(one: Measured, comparison: Comparison) -> str:
    note = " (default)" if one == comparison.default else ""
    return f"{one.alignment.description}{note} | {one.anchors:.1%} | {one.words:.1%} | {one.agreement:.1%}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export alignment", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path, help="its manifest.json is written anew")
    parser.add_argument(
        "--pairs",
        action="append",
        required=True,
        metavar="[LANGUAGES:]FILE",
        help="held-out text as prepare --input reads it; may be repeated, such as for each language pair",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the figures and leave the bundle alone")
    return parser
