"""python -m bench.terminology: what required terms do to translations.

Sixty sentences, each with one term and what it must become; many of these are not what a model would choose. They are
translated with and without the term by a running service, or by one that is started with a bundle.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.processes import our_server
from service.client import Client, DecodingArguments
from service.words import has_word
from training.evaluation.comparison import Figure, compare
from training.evaluation.systems import System

MAX_ROWS = 64


@dataclass(frozen=True)
class Case:
    """A sentence, a term of it, what the term must become, and a translation with that."""

    source: str
    term: str
    target_term: str
    reference: str

    def is_applied(self, translation: str) -> bool:
        """Whether the term is there; a particle may follow."""
        return has_word(translation, self.target_term)


def main() -> None:
    """Translate, print a table, and where a required term is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench.terminology", description=__doc__)
    parser.add_argument("--address", help="HOST:PORT of a service; default: one is started with --bundle")
    parser.add_argument("--bundle", type=Path, default=Path("models/en-ko-software"))
    parser.add_argument("--beam-size", type=int, help="default: the server's")
    options = parser.parse_args()
    cases = read_cases()
    with _service(options.address, options.bundle) as address:
        decoding = DecodingArguments(beam_size=options.beam_size)
        systems = [
            System("without", [_translate(address, case, decoding) for case in cases]),
            System("required", [_translate(address, case, _requiring(case, decoding)) for case in cases]),
        ]
    print(report(cases, systems))


def read_cases() -> list[Case]:
    """The sentences, in the order of the file."""
    path = Path(__file__).parent / "terminology_en_ko.tsv"
    _, *lines = path.read_text(encoding="utf-8").splitlines()
    return [Case(*line.split("\t")) for line in lines]


def report(cases: Sequence[Case], systems: Sequence[System]) -> str:
    """A line for each system, then the cases whose term the last one lacks."""
    figures = compare(systems, [case.reference for case in cases], ["chrf"]).figures
    lines = [_line(cases, system, figures[system.name]["chrf"]) for system in systems]
    lines += [
        f"missing: {case.term} → {case.target_term}: {translation}"
        for case, translation in zip(cases, systems[-1].translations, strict=True)
        if not case.is_applied(translation)
    ]
    return "\n".join(lines)


def _line(cases: Sequence[Case], system: System, chrf: Figure) -> str:
    applied = sum(case.is_applied(text) for case, text in zip(cases, system.translations, strict=True))
    text = f"{system.name:9} {applied} of {len(cases)} terms, chrF2 {chrf.score:.1f} ± {chrf.confidence:.1f}"
    return text if chrf.p_value is None else f"{text} (p = {chrf.p_value:.3f})"


def _requiring(case: Case, decoding: DecodingArguments) -> DecodingArguments:
    return replace(decoding, terminology={case.term: case.target_term})


def _translate(address: str, case: Case, decoding: DecodingArguments) -> str:
    # Options belong to a client; another client for each sentence costs little here.
    with Client(address, decoding=decoding, source_language="en", target_language="ko") as client:
        return client.translate(case.source)


@contextlib.contextmanager
def _service(address: str | None, bundle: Path) -> Iterator[str]:
    if address is not None:
        yield address
        return
    with our_server(bundle, len(os.sched_getaffinity(0)), MAX_ROWS) as server:
        yield server.address


if __name__ == "__main__":
    main()
