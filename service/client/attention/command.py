"""The client's flags --attention and --png: what a model looks at, drawn."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any, TextIO

from numpy.typing import NDArray

from service.client.attention.attention import Attention, Kind
from service.client.attention.terminal import draw, printable
from service.client.client import Client

NAMES: dict[Kind, str] = {
    "cross": "cross-attention",
    "encoder": "encoder self-attention",
    "decoder": "decoder self-attention",
}


def add_attention(parser: argparse.ArgumentParser) -> None:
    """What to draw of a text and its translation."""
    parser.add_argument(
        "--attention", action="store_true", help="draw what the model looks at; each text is one sentence"
    )
    parser.add_argument("--png", type=Path, metavar="FILE", help="write the drawing of the only text as a picture")
    parser.add_argument("--font", type=Path, metavar="FILE", help="for --png; default: an installed one that fits")
    parser.add_argument("--target", default="", help="the translation to explain; default: the model's own")
    parser.add_argument("--kind", choices=list(NAMES), default="cross", help="of attention (default: %(default)s)")
    parser.add_argument("--layer", type=int, help="from 0; default: the mean of all")
    parser.add_argument("--head", type=int, help="of --layer, from 0; default: the mean of all")


def is_asked_for(options: argparse.Namespace) -> bool:
    """Whether the flags say to draw instead of translating."""
    return bool(options.attention or options.png)


def show(client: Client, options: argparse.Namespace, output: TextIO) -> None:
    """Draw every text that was given.

    Raises:
        ValueError: the flags do not fit together, or the model has no such attention.
    """
    if not options.text or ((options.png or options.target) and len(options.text) > 1):
        raise ValueError("--attention draws texts that are arguments; --png and --target are for one text")
    if options.head is not None and options.layer is None:
        raise ValueError("--head needs --layer")
    for text in options.text:
        found = client.attend(text, options.target, kinds=(options.kind,), layer=options.layer, head=options.head)
        weights = _chosen(found, options)
        title = _title(found, options)
        rows, columns = found.labels(options.kind)
        if options.png:
            _save(options, weights, rows, columns, title)
        if options.attention:
            width = shutil.get_terminal_size().columns
            drawing = draw(weights, rows, columns, width, _is_colored(output))
            texts = f"{printable(found.source)}\n{printable(found.target)}"
            print(f"{texts}\n{title}\n\n{drawing}\n", file=output, flush=True)


def _chosen(found: Attention, options: argparse.Namespace) -> NDArray[Any]:
    kind: Kind = options.kind
    if kind not in found.maps:
        raise ValueError(f"{found.model} has no {NAMES[kind]}")
    if options.layer is None:
        return found.means[kind]
    mean: NDArray[Any] = found.maps[kind][0].mean(axis=0)
    return mean


def _title(found: Attention, options: argparse.Namespace) -> str:
    layer = "mean of all layers" if options.layer is None else f"layer {options.layer}"
    head = "mean of all heads" if options.head is None else f"head {options.head}"
    return f"{NAMES[options.kind]}, {layer}, {head}, {found.model} {found.model_version}"


def _save(options: argparse.Namespace, weights: NDArray[Any], rows: list[str], columns: list[str], title: str) -> None:
    try:
        from service.client.attention.picture import save
    except ImportError:
        raise ValueError("--png needs Pillow: pip install 'seq2serve[pictures]'") from None
    save(options.png, weights, rows, columns, title, options.font)


def _is_colored(output: TextIO) -> bool:
    return output.isatty() and not os.environ.get("NO_COLOR")
