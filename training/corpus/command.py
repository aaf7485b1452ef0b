"""python -m training corpus: gather, clean, write TSV files and their datasheets."""

from __future__ import annotations

import argparse
from pathlib import Path

from training.corpus.cleaning import duplicate_key
from training.corpus.debian import LANGUAGES, Archive
from training.corpus.gathering import add_descriptions, add_source, miss
from training.corpus.pairs import Corpus
from training.corpus.sources import DESCRIPTIONS, SOURCES, Source
from training.corpus.test_sets import TEST_SETS, gather_test_set


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the subcommand."""
    names = [DESCRIPTIONS, *(source.name for source in SOURCES)]
    pairs = [f"en-{language}" for language in LANGUAGES]
    parser.add_argument(
        "--languages", nargs="+", default=["en-ko"], choices=pairs, metavar="en-XX", help=", ".join(pairs)
    )
    parser.add_argument("--output", type=Path, required=True, help="directory for TSV files and datasheets")
    parser.add_argument("--cache", type=Path, help="directory for downloads; default: OUTPUT/cache")
    parser.add_argument("--sources", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--budget-mebibytes", type=float, help="packages of so much for each language, most pairs for a megabyte first"
    )
    parser.add_argument("--update", action="store_true", help="fetch package lists anew: newer packages")
    parser.add_argument("--strict", action="store_true", help="a source that is missing is an error")
    parser.add_argument(
        "--test-sets",
        nargs="*",
        choices=list(TEST_SETS),
        metavar="NAME",
        help=f"write test.NAME.en-XX.tsv instead, of all or these: {', '.join(TEST_SETS)}; gather them first, so that "
        "the corpus leaves them out",
    )


def run(arguments: argparse.Namespace) -> int:
    """Gather language pairs, or test sets for them; prints what each source gave."""
    archive = Archive(arguments.cache or arguments.output / "cache", arguments.update)
    for pair in arguments.languages:
        language = pair.removeprefix("en-")
        if arguments.test_sets is not None:
            names = arguments.test_sets or [name for name in TEST_SETS if language in TEST_SETS[name].languages]
            for name in names:
                gather_test_set(name, archive, language, arguments.output, arguments.strict)
        else:
            _gather(archive, language, arguments)
    return 0


def _gather(archive: Archive, language: str, arguments: argparse.Namespace) -> None:
    corpus = Corpus(language, _reserved(arguments.output, language))
    if DESCRIPTIONS in arguments.sources:
        add_descriptions(archive, corpus, arguments.strict)
    spent: dict[str, int] = {}
    wanted = [source for source in SOURCES if source.name in arguments.sources and language in source.languages]
    archive.offers([name for source in wanted for name in source.packages(language) if ":" not in name])
    for source in wanted:
        sizes = _sizes(archive, source, language)
        total = sum({**spent, **sizes}.values())
        if arguments.budget_mebibytes is not None and total > arguments.budget_mebibytes * 2**20:
            miss(corpus, source.name, "over the budget", is_strict=False)
            continue
        spent |= sizes
        add_source(archive, corpus, source, arguments.strict)
    path = corpus.write(arguments.output, f"en-{language}")
    print(f"{path}: {len(corpus.lines)} pairs from {sum(spent.values()) / 2**20:.0f} MiB of packages")


def _sizes(archive: Archive, source: Source, language: str) -> dict[str, int]:
    names = source.packages(language)
    offers = archive.offers([name for name in names if ":" not in name])
    return {name: offer.num_bytes for name, offer in offers.items()}


def _reserved(output: Path, language: str) -> frozenset[str]:
    keys: set[str] = set()
    for path in sorted(output.glob(f"test.*.en-{language}.tsv")):
        with path.open(encoding="utf-8") as file:
            next(file, None)
            keys.update(duplicate_key(line.partition("\t")[0]) for line in file)
    return frozenset(keys)
