"""python -m service.client: translate the arguments, a file, or standard input.

Exit codes: 0 done; 2 the request is wrong; 3 no such model or language pair; 4 the service cannot be reached or is
shutting down; 5 busy or too late, worth another try; 1 anything else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

import grpc

from service.client.client import Client, DecodingArguments

EXIT_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT: 2,
    grpc.StatusCode.UNIMPLEMENTED: 2,
    grpc.StatusCode.NOT_FOUND: 3,
    grpc.StatusCode.UNAVAILABLE: 4,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 5,
    grpc.StatusCode.DEADLINE_EXCEEDED: 5,
}


def main(arguments: list[str] | None = None) -> int:
    """Translate; returns the exit code."""
    options = _parser().parse_args(arguments)
    decoding = DecodingArguments(**{name: getattr(options, name) for name in DecodingArguments.__dataclass_fields__})
    try:
        with Client(
            options.address,
            model=options.model,
            source_language=options.source_language,
            target_language=options.target_language,
            decoding=decoding,
            timeout_seconds=options.timeout,
        ) as client:
            _translate(client, options, sys.stdout)
    except grpc.RpcError as error:
        print(f"error: {error.code().name}: {error.details()}", file=sys.stderr)
        return EXIT_CODES.get(error.code(), 1)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _translate(client: Client, options: argparse.Namespace, output: TextIO) -> None:
    if options.text:
        for text in options.text:
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
    parser.add_argument("--address", default="127.0.0.1:50051", help="host:port (default: %(default)s)")
    parser.add_argument("--model", default="", help="the model's name")
    parser.add_argument("--source-language", default="", help="BCP-47 code")
    parser.add_argument("--target-language", default="", help="BCP-47 code")
    parser.add_argument("--stream", action="store_true", help="print the translation as it grows")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for each text (default: %(default)s)")
    parser.add_argument("--max-target-tokens", type=int)
    parser.add_argument("--min-target-tokens", type=int)
    parser.add_argument("--temperature", type=float, help="above 0: sample")
    parser.add_argument("--top-k", type=int)
    parser.add_argument("--top-p", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--target-prefix", help="what the translation begins with")
    return parser


if __name__ == "__main__":
    sys.exit(main())
