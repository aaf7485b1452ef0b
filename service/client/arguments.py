"""Flags that several commands of the client have."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from service.client.client import Client, DecodingArguments
from service.client.credentials import Credentials

CREDENTIAL_VARIABLE = "SEQ2SERVE_TOKEN"


def add_connection(
    parser: argparse.ArgumentParser, *, source_language: str = "", target_language_help: str = "BCP-47 code"
) -> None:
    """Which service, what it is shown, and which of its models."""
    parser.add_argument(
        "--address",
        default="127.0.0.1:50051",
        help="host:port, all addresses of the host taking part, or ipv4:HOST:PORT,HOST:PORT (default: %(default)s)",
    )
    parser.add_argument("--tls", action="store_true", help="encrypt, and check the service's certificate")
    parser.add_argument("--tls-ca", type=Path, metavar="FILE", help="PEM of its authorities; default: the system's")
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="PEM of the client's own certificate")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM of that certificate's private key")
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"what the client's token is in; default: ${CREDENTIAL_VARIABLE}",
    )
    parser.add_argument("--model", default="", help="the model's name")
    default_source = " (default: %(default)s)" if source_language else ""
    parser.add_argument("--source-language", default=source_language, help=f"BCP-47 code{default_source}")
    parser.add_argument("--target-language", default="", help=target_language_help)


def add_decoding(parser: argparse.ArgumentParser) -> None:
    """How to decode; see `DecodingArguments`."""
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
    parser.add_argument(
        "--span-protection",
        choices=["keep", "require", "off"],
        help="of placeholders, tags, addresses and code; require: an error where one is lost",
    )


def decoding_of(options: argparse.Namespace) -> DecodingArguments:
    """What the flags of `add_decoding` say."""
    return DecodingArguments(**{name: getattr(options, name) for name in DecodingArguments.__dataclass_fields__})


def credentials_of(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Credentials:
    """What the flags of `add_connection` and the environment say.

    Raises:
        ValueError: they do not fit together, or the token's file cannot be read.
    """
    return Credentials(
        tls=options.tls,
        ca_file=options.tls_ca,
        certificate_file=options.tls_certificate,
        key_file=options.tls_key,
        token=_token(options.token_file, environment),
    )


def client_of(options: argparse.Namespace) -> Client:
    """A client as the flags of `add_connection` and `add_decoding`, and --timeout, say; see `credentials_of`."""
    return Client(
        options.address,
        model=options.model,
        source_language=options.source_language,
        target_language=options.target_language,
        decoding=decoding_of(options),
        timeout_seconds=options.timeout,
        credentials=credentials_of(options),
    )


def _token(file: Path | None, environment: Mapping[str, str]) -> str | None:
    if file is None:
        return environment.get(CREDENTIAL_VARIABLE, "").strip() or None
    try:
        token = file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ValueError(f"--token-file {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"--token-file {file}: not ASCII") from None
    if not token:
        raise ValueError(f"--token-file {file}: is empty")
    return token


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
