"""From sources to pairs: download, read, clean."""

from __future__ import annotations

import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

from training.corpus.debian import Archive, Package
from training.corpus.formats.descriptions import pair_descriptions
from training.corpus.npm import npm_package
from training.corpus.pairs import Corpus
from training.corpus.sources import DESCRIPTIONS, DESCRIPTIONS_LICENCE, Packages, Source
from training.errors import TrainingError

READING_ERRORS = (
    TrainingError,
    OSError,
    EOFError,
    ValueError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
)
SOURCE_PREFIX = "src:"
NPM_PREFIX = "npm:"


def add_descriptions(archive: Archive, corpus: Corpus, is_strict: bool) -> None:
    """Add the translated package descriptions."""
    try:
        other, digest, num_bytes = archive.descriptions(corpus.language)
        files = [{"name": f"Translation-{corpus.language}", "sha256": digest, "bytes": num_bytes}]
        entries = pair_descriptions(archive.descriptions("en")[0], other, corpus.language)
        num_kept = corpus.add(DESCRIPTIONS, DESCRIPTIONS_LICENCE, entries, files, is_interface=False)
        print(f"{DESCRIPTIONS}: {num_kept} kept", flush=True)
    except READING_ERRORS as error:
        miss(corpus, DESCRIPTIONS, str(error), is_strict)


def add_source(archive: Archive, corpus: Corpus, source: Source, is_strict: bool) -> None:
    """Add a source's pairs, from what of its packages the archive has.

    Raises:
        TrainingError: it is missing, lacks a package or cannot be read, and `is_strict`.
    """
    try:
        packages, lacking = find_packages(archive, source.packages(corpus.language))
        for name, reason in lacking.items():
            miss(corpus, f"{source.name}: {name}", reason, is_strict)
        if not packages:
            return
        entries = source.read(packages, corpus.language)
        files = [describe(package) for package in packages.values()]
        num_kept = corpus.add(source.name, source.licence, list(entries), files, source.is_interface)
        print(f"{source.name}: {num_kept} kept", flush=True)
    except KeyError as error:
        miss(corpus, source.name, f"needs package {error}", is_strict)
    except READING_ERRORS as error:
        miss(corpus, source.name, str(error), is_strict)


def find_packages(archive: Archive, names: Sequence[str]) -> tuple[Packages, dict[str, str]]:
    """Packages that the archive has, by name, and for each of the others why not."""
    binary = [name for name in names if ":" not in name]
    offers = archive.offers(binary) if binary else {}
    packages = archive.packages(list(offers.values()))
    lacking = {name: "the archive has no such package" for name in binary if name not in offers}
    for name in names:
        try:
            if name.startswith(SOURCE_PREFIX):
                packages[name] = archive.source_package(name.removeprefix(SOURCE_PREFIX))
            elif name.startswith(NPM_PREFIX):
                packages[name] = npm_package(name.removeprefix(NPM_PREFIX), archive.cache)
        except TrainingError as error:
            lacking[name] = str(error)
    return packages, lacking


def describe(package: Package) -> dict[str, Any]:
    """A package's line in the datasheet."""
    return {
        "name": package.name,
        "version": package.version,
        "sha256": package.sha256,
        "bytes": package.num_bytes,
    }


def miss(corpus: Corpus, origin: str, reason: str, is_strict: bool) -> None:
    """Note on stderr and in the datasheet what could not be had.

    Raises:
        TrainingError: `is_strict`.
    """
    if is_strict:
        raise TrainingError(f"{origin}: {reason}")
    print(f"missing: {origin}: {reason}", file=sys.stderr)
    corpus.miss(origin, reason)
