"""The pairs of one language: cleaned, one for each source text, with where they come from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.atomic import new_file
from training.corpus.cleaning import clean, duplicate_key, fault, template
from training.corpus.text import Entry

HEADER = "source\ttarget\torigin\tlicence\n"
MAX_NEAR_DUPLICATES = 3
"""Sources that differ in numbers, placeholders, case and punctuation only."""
HISTOGRAM_WORDS = (1, 2, 3, 5, 8, 13, 21, 34, 55)


@dataclass(frozen=True)
class Line:
    """A kept pair."""

    entry: Entry
    origin: str
    licence: str


@dataclass
class Corpus:
    """Pairs gathered so far."""

    language: str
    reserved: Collection[str] = frozenset()
    """Duplicate keys of sources that belong to test sets."""
    lines: dict[str, Line] = field(default_factory=dict)
    """By duplicate key, in the order of sources."""
    _datasheet: list[dict[str, Any]] = field(default_factory=list)
    _missing: list[dict[str, str]] = field(default_factory=list)
    _templates: Counter[str] = field(default_factory=Counter)

    def add(
        self,
        origin: str,
        licence: str,
        entries: Iterable[Entry],
        files: list[dict[str, Any]],
        is_interface: bool = True,
    ) -> int:
        """Clean a source's entries and keep what is new; of several translations, the most frequent, then the first.

        Returns how many were kept.
        """
        found: Counter[Entry] = Counter(entries)
        choices: dict[str, Counter[Entry]] = {}
        dropped: Counter[str] = Counter()
        for raw, count in found.items():
            entry = clean(raw, is_interface)
            reason = fault(entry, self.language)
            if reason is None:
                choices.setdefault(duplicate_key(entry.source), Counter())[entry] += count
            else:
                dropped[reason] += count
        num_kept = 0
        for key, counts in choices.items():
            reason = self._refuse(key, next(iter(counts)).source)
            dropped[reason or "duplicate"] += counts.total() - (reason is None)
            if reason is None:
                self.lines[key] = Line(counts.most_common(1)[0][0], origin, licence)
                num_kept += 1
        self._datasheet.append(
            {
                "origin": origin,
                "licence": licence,
                "files": files,
                "found": found.total(),
                "dropped": {reason: count for reason, count in sorted(dropped.items()) if count},
                "kept": num_kept,
            }
        )
        return num_kept

    def miss(self, origin: str, reason: str) -> None:
        """Note a source that could not be had."""
        self._missing.append({"origin": origin, "reason": reason})

    def write(self, directory: Path, stem: str) -> Path:
        """Write STEM.tsv and STEM.datasheet.json; returns the path of the first.

        The same packages give the same bytes.
        """
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{stem}.tsv"
        with new_file(path) as file:
            file.write(HEADER.encode())
            for line in self.lines.values():
                fields = (line.entry.source, line.entry.target, line.origin, line.licence)
                file.write(("\t".join(fields) + "\n").encode())
        with new_file(directory / f"{stem}.datasheet.json") as file:
            file.write((json.dumps(self._describe(), indent=2, ensure_ascii=False) + "\n").encode())
        return path

    def _refuse(self, key: str, source: str) -> str | None:
        if key in self.reserved:
            return "in a test set"
        if key in self.lines:
            return "duplicate"
        self._templates[template(source)] += 1
        return "near duplicate" if self._templates[template(source)] > MAX_NEAR_DUPLICATES else None

    def _describe(self) -> dict[str, Any]:
        lengths: Counter[int] = Counter()
        licences: Counter[str] = Counter()
        for line in self.lines.values():
            num_words = len(line.entry.source.split())
            lengths[max(bound for bound in HISTOGRAM_WORDS if bound <= num_words)] += 1
            licences[line.licence] += 1
        return {
            "languages": f"en-{self.language}",
            "pairs": len(self.lines),
            "pairs_by_source_words": {f"{bound}+": lengths[bound] for bound in HISTOGRAM_WORDS},
            "pairs_by_licence": dict(sorted(licences.items())),
            "sources": self._datasheet,
            "missing": self._missing,
        }
