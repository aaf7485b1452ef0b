"""python -m service.client --image FILE …: what pictures show."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from service.client.client import Client


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """Flags of the pictures to describe."""
    parser.add_argument("--image", type=Path, nargs="+", metavar="FILE", help="describe these PNG or JPEG files")
    parser.add_argument(
        "--json", action="store_true", help="with --image: a line of JSON each, with the words and where they look"
    )


def check_pictures(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a message where flags do not go together."""
    if options.json and not options.image:
        parser.error("--json: only with --image")
    if options.image and (options.text or options.file or options.stream):
        parser.error("--image: not together with texts, --file or --stream")


def describe(client: Client, options: argparse.Namespace, output: TextIO) -> None:
    """Print a line for each picture, or with --num-hypotheses for each of its captions."""
    for path in options.image:
        caption = client.caption(path.read_bytes(), with_words=options.json)
        if options.json:
            lines = [json.dumps({"file": str(path), **asdict(caption)}, ensure_ascii=False)]
        elif options.num_hypotheses is not None:
            lines = [f"{found.score:.4f}\t{found.text}" for found in caption.hypotheses]
        else:
            lines = [caption.text]
        for line in lines:
            print(line, file=output, flush=True)
