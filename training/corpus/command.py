"""python -m training corpus: gather, clean, write a TSV file and its datasheet."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.corpus.cleaning import clean, duplicate_key, fault
from training.corpus.debian import Archive
from training.corpus.sources import DESCRIPTIONS, DESCRIPTIONS_LICENCE, SOURCES, read_descriptions
from training.corpus.text import Entry
from training.errors import TrainingError

LANGUAGES = ("ko", "de", "fr", "es")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the subcommand."""
    names = [DESCRIPTIONS, *(source.name for source in SOURCES)]
    parser.add_argument(
        "--languages", default="en-ko", choices=[f"en-{language}" for language in LANGUAGES], help="default: en-ko"
    )
    parser.add_argument("--output", type=Path, required=True, help="directory for the TSV file and its datasheet")
    parser.add_argument("--cache", type=Path, help="directory for downloads; default: OUTPUT/cache")
    parser.add_argument("--sources", nargs="+", choices=names, default=names, help="default: all")


def run(arguments: argparse.Namespace) -> int:
    """Gather one language pair; prints what each source gave."""
    language = arguments.languages.removeprefix("en-")
    archive = Archive(arguments.cache or arguments.output / "cache", [language])
    corpus = Corpus(language)
    if DESCRIPTIONS in arguments.sources:
        _, digest, num_bytes = archive.descriptions(language)
        files = [{"name": f"Translation-{language}", "sha256": digest, "bytes": num_bytes}]
        corpus.add(DESCRIPTIONS, DESCRIPTIONS_LICENCE, read_descriptions(archive, language), files)
    for source in SOURCES:
        if source.name in arguments.sources:
            packages = {name: archive.package(name) for name in source.packages(language)}
            files = [
                {"name": package.name, "version": package.version, "sha256": package.sha256, "bytes": package.num_bytes}
                for package in packages.values()
            ]
            try:
                corpus.add(source.name, source.licence, source.read(packages, language), files)
            except (ValueError, OSError) as error:
                raise TrainingError(f"{source.name}: {error}") from error
    corpus.write(arguments.output)
    return 0


@dataclass
class Corpus:
    """Pairs gathered so far: one for each source text, with where it comes from."""

    language: str
    _lines: dict[str, tuple[Entry, str, str]] = field(default_factory=dict)
    _datasheet: list[dict[str, Any]] = field(default_factory=list)

    def add(self, origin: str, licence: str, entries: Iterable[Entry], files: list[dict[str, Any]]) -> None:
        """Clean a source's entries and keep what is new; of several translations, the most frequent, then the first."""
        choices: dict[str, Counter[Entry]] = {}
        dropped: Counter[str] = Counter()
        num_found = 0
        for raw in entries:
            num_found += 1
            entry = clean(raw)
            reason = fault(entry, self.language)
            if reason is None:
                choices.setdefault(duplicate_key(entry.source), Counter())[entry] += 1
            else:
                dropped[reason] += 1
        fresh = {key: counts for key, counts in choices.items() if key not in self._lines}
        for key, counts in fresh.items():
            self._lines[key] = (counts.most_common(1)[0][0], origin, licence)
        self._datasheet.append(
            {
                "origin": origin,
                "licence": licence,
                "files": files,
                "found": num_found,
                "dropped": dict(sorted(dropped.items())),
                "kept": len(fresh),
            }
        )
        print(f"{origin}: {num_found} found, {len(fresh)} kept", flush=True)

    def write(self, directory: Path) -> None:
        """Write en-xx.tsv and en-xx.datasheet.json. The same packages give the same bytes."""
        directory.mkdir(parents=True, exist_ok=True)
        name = f"en-{self.language}"
        with (directory / f"{name}.tsv").open("w", encoding="utf-8", newline="\n") as file:
            file.write("source\ttarget\torigin\tlicence\n")
            for entry, origin, licence in self._lines.values():
                file.write(f"{entry.source}\t{entry.target}\t{origin}\t{licence}\n")
        datasheet = {"languages": name, "pairs": len(self._lines), "sources": self._datasheet}
        (directory / f"{name}.datasheet.json").write_text(
            json.dumps(datasheet, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        print(f"{directory / name}.tsv: {len(self._lines)} pairs")
