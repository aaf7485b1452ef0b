"""python -m service.client: translate the arguments, a file, or standard input; or describe pictures (--image).

`python -m service.client bulk --help`: files of any size, in a way that survives interruption.
`python -m service.client po --help`: fill message catalogs.

Exit codes: 0 done; 2 the request is wrong; 3 no such model or language pair; 4 the service cannot be reached or is
shutting down; 5 busy or too late, worth another try; 6 not let in: no valid credentials, or no permission; 1 anything
else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

import grpc

from service.client import bulk, catalogs
from service.client.arguments import add_connection, add_decoding, client_of
from service.client.client import Client, LineError
from service.client.pictures import add_pictures, check_pictures, describe

EXIT_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 2,
    grpc.StatusCode.FAILED_PRECONDITION: 2,
    grpc.StatusCode.UNIMPLEMENTED: 2,
    grpc.StatusCode.NOT_FOUND: 3,
    grpc.StatusCode.UNAVAILABLE: 4,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 5,
    grpc.StatusCode.DEADLINE_EXCEEDED: 5,
    grpc.StatusCode.UNAUTHENTICATED: 6,
    grpc.StatusCode.PERMISSION_DENIED: 6,
}


COMMANDS: dict[str, Callable[[list[str]], None]] = {"bulk": bulk.run, "po": catalogs.run}
"""What the first argument may ask for instead of being a text; `-- bulk` translates the word."""


def main(arguments: list[str] | None = None) -> int:
    """Translate; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    run = COMMANDS.get(given[0]) if given else None
    try:
        if run:
            run(given[1:])
        else:
            _run(given)
    except grpc.RpcError as error:
        print(f"error: {error.code().name}: {error.details()}", file=sys.stderr)
        return EXIT_CODES.get(error.code(), 1)
    except LineError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CODES.get(error.code, 1)
    except TimeoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return 5
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _run(arguments: list[str]) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    check_pictures(parser, options)
    with client_of(options) as client:
        run = describe if options.image else _translate
        run(client, options, sys.stdout)


def _translate(client: Client, options: argparse.Namespace, output: TextIO) -> None:
    if options.text:
        for text in options.text:
            if options.num_hypotheses is not None:
                for found in client.hypotheses(text):
                    print(f"{found.score:.4f}\t{found.text}", file=output, flush=True)
                continue
            pieces = client.stream(text) if options.stream else iter([client.translate(text)])
            for piece in pieces:
                print(piece, end="", file=output, flush=True)
            print(file=output)
        return
    with _open(options.file) as lines:
        for translation in client.translate_all(_without_ends(lines)):
            print(translation, file=output, flush=True)


def _open(file: Path | None) -> TextIO:
    if file is None:
        sys.stdin.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        return sys.stdin
    return file.open(encoding="utf-8")


def _without_ends(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line.rstrip("\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m service.client", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", nargs="*", help="texts to translate; without any, lines of --file or standard input")
    parser.add_argument("--file", type=Path, help="translate this UTF-8 file line by line")
    add_pictures(parser)
    add_connection(parser)
    parser.add_argument("--stream", action="store_true", help="print the translation as it grows")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for each text (default: %(default)s)")
    add_decoding(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
