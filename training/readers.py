"""Readers of parallel text: aligned files, TSV, and gettext catalogs (.po, .mo)."""

from __future__ import annotations

import gzip
import itertools
import lzma
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import polib

from training.errors import TrainingError
from training.language_pairs import LanguagePair


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence, its translation, and the document or package they come from."""

    source: str
    target: str
    origin: str
    languages: LanguagePair | None = None
    """None: those of the recipe, which has only one pair."""


def read_input(specification: str) -> Iterator[Pair]:
    """Read what `--input` names.

    Args:
        specification: `FILE.tsv[.gz|.xz]` (source, target and, if given, origin; a header line `source<TAB>target…`
            is skipped), `FILE.po`, `FILE.mo`, or `SOURCE,TARGET[,ORIGIN]`: text files, each also as .gz or .xz,
            aligned line by line, as `mtdata get --merge` writes them (train.eng.gz, train.deu.gz, train.meta.gz).
            Where a line names no origin, the file's name is its origin.

    Raises:
        TrainingError: a file is missing, not UTF-8, or malformed; the message names file and line.
    """
    paths = [Path(part) for part in specification.split(",")]
    if len(paths) in (2, 3):
        return _read_aligned(*paths)
    path = Path(specification)
    kind = path.with_suffix("").suffix if path.suffix in (".gz", ".xz") else path.suffix
    if kind == ".tsv":
        return _read_tsv(path)
    if kind in (".po", ".mo"):
        return _read_catalog(path)
    raise TrainingError(f"--input {specification}: expected .tsv, .po, .mo, or SOURCE,TARGET[,ORIGIN]")


def _read_tsv(path: Path) -> Iterator[Pair]:
    with _open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            columns = line.rstrip("\n").split("\t")
            if len(columns) < 2:
                raise TrainingError(f"{path}:{number}: expected source, tab, target")
            if number == 1 and columns[:2] == ["source", "target"]:
                continue
            yield Pair(columns[0], columns[1], columns[2] if len(columns) > 2 else path.name)


def _read_aligned(source_path: Path, target_path: Path, origin_path: Path | None = None) -> Iterator[Pair]:
    paths = [path for path in (source_path, target_path, origin_path) if path]
    with ExitStack() as stack:
        files = [stack.enter_context(_open_text(path)) for path in paths]
        for number, lines in enumerate(itertools.zip_longest(*files), start=1):
            if None in lines:
                ended = paths[lines.index(None)]
                raise TrainingError(f"{ended} ends before line {number}: {', '.join(map(str, paths))} are not aligned")
            source, target, *rest = (line.rstrip("\n") for line in lines)
            yield Pair(source, target, rest[0].split("\t")[0] if rest else source_path.name)


def _read_catalog(path: Path) -> Iterator[Pair]:
    if not path.is_file():
        raise TrainingError(f"{path} is missing")
    try:
        catalog = polib.mofile(str(path)) if path.suffix == ".mo" else polib.pofile(str(path))
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} is not a gettext catalog: {error}") from None
    for entry in catalog:
        if isinstance(entry, polib.POEntry) and (entry.obsolete or entry.fuzzy):
            continue
        if entry.msgid_plural:
            # Form 0 is the singular where a language has one, else the only form.
            yield Pair(entry.msgid, entry.msgstr_plural.get(0, ""), path.name)
        else:
            yield Pair(entry.msgid, entry.msgstr, path.name)


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    opener = openers.get(path.suffix, open)
    try:
        with opener(path, "rt", encoding="utf-8", newline="\n") as file:
            yield cast("IO[str]", file)
    except FileNotFoundError:
        raise TrainingError(f"{path} is missing") from None
    except UnicodeDecodeError as error:
        raise TrainingError(f"{path} is not UTF-8: {error}") from None
    except (gzip.BadGzipFile, lzma.LZMAError, EOFError) as error:
        raise TrainingError(f"{path} cannot be unpacked: {error}") from None
