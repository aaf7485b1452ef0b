"""python -m service.client bulk INPUT --output OUTPUT: translate a file of any size.

Each line of OUTPUT: source, translation, log-probability per token, and END or, where the translation was cut off,
LENGTH; separated by tabs, in the order of INPUT. A text that the service refuses has an empty translation and the
reason. While it grows it is OUTPUT.partial; run the same command again after an interruption. OUTPUT.json tells what it
was made from.
"""

from __future__ import annotations

import argparse
import secrets
import threading
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.client.arguments import add_connection, add_decoding, client_of, decoding_of
from service.client.bulk.chunks import in_chunks, in_order
from service.client.bulk.journal import Journal
from service.client.bulk.outcome import RowFormat
from service.client.bulk.output import Output
from service.client.bulk.progress import Progress, summary
from service.client.bulk.requests import Requests
from service.client.bulk.text_input import TextInput

MAX_TEXTS = 128


def run(arguments: list[str]) -> None:
    """Translate a file; prints a summary.

    Raises:
        ValueError, OSError: input, output or settings do not fit; the message says what to do.
        grpc.RpcError: the request is wrong, or the service did not answer for too long.
    """
    options = _parser().parse_args(arguments)
    settings = _settings(options)
    with TextInput(options.input, options.column) as texts, Output(options.output, options.input, settings) as output:
        if output.is_complete:
            for _ in output.remaining(texts):
                pass
        else:
            _translate(options, settings["seed"], texts, output)
        print(f"{options.output}: {summary(output.counts)}")


def _translate(options: argparse.Namespace, seed: int | None, texts: TextInput, output: Output) -> None:
    stopped = threading.Event()
    row_format = RowFormat(options.swap, options.min_score, options.drop_cut_off)
    progress = Progress(output.counts)
    first = output.counts.texts
    with client_of(options) as client:
        requests = Requests(client, seed, options.patience, stopped)
        chunks = in_chunks(output.remaining(texts), options.batch_size, first)
        try:
            with closing(in_order(chunks, requests.translate, options.requests)) as results:
                for chunk, outcomes in results:
                    output.add(chunk, outcomes, row_format)
                    progress.tell(output.counts, texts.share_read)
        finally:
            stopped.set()
            progress.end()
    output.finish()


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """What decides the output, in plain values. Sampling gets a seed, so that a run that goes on draws as it began."""
    decoding = {name: value for name, value in asdict(decoding_of(options)).items() if value not in (None, [], {})}
    seed = options.seed
    if options.temperature and seed is None:
        earlier = Journal.load(options.output.with_name(f"{options.output.name}.json"))
        seed = earlier.settings.get("seed") if earlier else secrets.randbits(32)
    names = ("column", "model", "source_language", "target_language", "swap", "min_score", "drop_cut_off", "batch_size")
    return {**{name: getattr(options, name) for name in names}, **decoding, "seed": seed}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service.client bulk",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", type=Path, help="UTF-8 text, one text a line; also .gz and .xz")
    parser.add_argument("--output", type=Path, required=True, help="a TSV file; also .gz and .xz")
    parser.add_argument("--column", type=_positive, help="translate this column of a TSV file, from 1; default: lines")
    parser.add_argument("--swap", action="store_true", help="write the translation before the source")
    parser.add_argument("--min-score", type=float, help="leave out translations of less log-probability per token")
    parser.add_argument("--drop-cut-off", action="store_true", help="leave out translations that reached their limit")
    parser.add_argument("--requests", type=_positive, default=4, help="under way at a time (default: %(default)s)")
    parser.add_argument(
        "--batch-size", type=_batch_size, default=MAX_TEXTS, help="texts in a request (default and limit: %(default)s)"
    )
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for each request (default: %(default)s)")
    parser.add_argument(
        "--patience",
        type=float,
        default=300.0,
        help="seconds to go on trying while the service is away or busy (default: %(default)s)",
    )
    add_connection(parser)
    add_decoding(parser)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value}: must be at least 1")
    return value


def _batch_size(text: str) -> int:
    value = _positive(text)
    if value > MAX_TEXTS:
        raise argparse.ArgumentTypeError(f"{value}: limits 1 to {MAX_TEXTS}")
    return value
