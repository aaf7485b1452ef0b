"""python -m service.client: translate the arguments, a file, or standard input.

Exit codes: 0 done; 2 the request is wrong; 3 no such model or language pair; 4 the service cannot be reached or is
shutting down; 5 busy or too late, worth another try; 1 anything else.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
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
    parser.add_argument("--address", default="127.0.0.1:50051", help="host:port (default: %(default)s)")
    parser.add_argument("--model", default="", help="the model's name")
    parser.add_argument("--source-language", default="", help="BCP-47 code")
    parser.add_argument("--target-language", default="", help="BCP-47 code")
    parser.add_argument("--stream", action="store_true", help="print the translation as it grows")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for each text (default: %(default)s)")
    _add_decoding(parser)
    return parser


def _add_decoding(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--beam-size", type=int, help="above 1: beam search")
    parser.add_argument("--num-hypotheses", type=int, help="print that many translations of each text, with scores")
    parser.add_argument("--length-penalty", type=float)
    parser.add_argument(
        "--length-normalization", choices=["gnmt", "tokens"], help="tokens: as Hugging Face's transformers"
    )
    parser.add_argument("--early-stopping", action=argparse.BooleanOptionalAction)
    parser.add_argument("--max-target-tokens", type=int)
    parser.add_argument("--min-target-tokens", type=int)
    parser.add_argument("--temperature", type=float, help="above 0: sample")
    parser.add_argument("--top-k", type=int)
    parser.add_argument("--top-p", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--target-prefix", help="what the translation begins with")
    parser.add_argument("--repetition-penalty", type=float)
    parser.add_argument("--no-repeat-ngram-size", type=int)
    parser.add_argument(
        "--forbid", dest="forbidden_phrases", action="append", default=[], metavar="PHRASE", help="may be repeated"
    )
    parser.add_argument(
        "--term", dest="terminology", action=_Terms, default={}, metavar="SOURCE=TARGET", help="may be repeated"
    )
    parser.add_argument("--return-alternatives", action="store_true", default=None)


class _Terms(argparse.Action):
    """Collects SOURCE=TARGET."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,
    ) -> None:
        source, separator, target = str(values).partition("=")
        if not separator:
            parser.error(f"{option_string} {values}: expected SOURCE=TARGET")
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), source: target})


if __name__ == "__main__":
    sys.exit(main())
