"""Prepared text, encoded once into ids on the disk, so that training data need not fit into memory."""

from __future__ import annotations

import hashlib
import itertools
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from training.atomic import locked, new_directory
from training.augmentation import AugmentationSettings, augmented
from training.errors import TrainingError
from training.protected_spans import ProtectedSpanSettings, protect_pair
from training.recipe import DataSettings
from training.sequences import Sequences, SequenceWriter
from training.vocabulary import END_ID, Vocabulary

FORMAT = 2
PAIRS_AT_A_TIME = 50_000


@dataclass(frozen=True)
class Reading:
    """How text is read on its way to ids."""

    protected_spans: ProtectedSpanSettings = ProtectedSpanSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    seed: int = 1
    version: int | None = None
    """Of the training text. None reads the text as it is, with protected spans as symbols."""

    def pairs(self, pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """What the model is to read and to write."""
        if self.version is not None:
            return augmented(pairs, self.augmentation, self.protected_spans, self.seed, self.version)
        return (protect_pair(source, target, self.protected_spans) for source, target in pairs)

    def encode(self, vocabulary: Vocabulary, texts: list[str], place: int) -> list[list[int]]:
        """Ids of each text; `place` is how many came before."""
        if self.version is None or not self.augmentation.sampling_alpha:
            return vocabulary.encode(texts)
        seed = zlib.crc32(f"{self.seed} {self.version} {place}".encode())
        return vocabulary.sample(texts, self.augmentation.sampling_alpha, seed)


def encoded(
    path: Path,
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    settings: DataSettings,
    reading: Reading,
) -> tuple[Sequences, Sequences]:
    """The ids of a prepared TSV file, mapped from `encoded/` beside it; encoded first where they are not there yet.

    Pairs longer than the settings allow are left out. Sources end with end of sentence, targets carry neither end nor
    beginning. The directory's name is a hash of the text, how it is read, both vocabularies and the limits, so that
    whatever changes is encoded anew. It is written by one process at a time, in chunks, and appears whole or not.

    Raises:
        TrainingError: the file is missing or holds no pair that fits, or the encoded files cannot be written
            or are damaged.
    """
    if not path.is_file():
        raise TrainingError(f"{path} is missing: run `python -m training prepare` first")
    id_type = "<u2" if max(len(source_vocabulary), len(target_vocabulary)) <= 2**16 else "<i4"
    key = _key(path, source_vocabulary, target_vocabulary, settings, reading)
    directory = path.parent / "encoded" / f"{path.stem}-{key}"
    try:
        directory.parent.mkdir(exist_ok=True)
        with locked(directory.parent / "lock"):
            if not directory.is_dir():
                pairs = _fitting_pairs(path, source_vocabulary, target_vocabulary, settings, reading)
                _write(directory, pairs, id_type, origin=path)
    except OSError as error:
        raise TrainingError(f"{directory} cannot be written: {error}") from None
    try:
        return Sequences.map(directory, "source", id_type), Sequences.map(directory, "target", id_type)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{directory} is damaged ({error}): delete it, and it is made again") from None


def iterate_pairs(path: Path) -> Iterator[tuple[str, str]]:
    """The (source, target) texts of a prepared TSV file, one after another.

    Raises:
        TrainingError: the file is missing, or a line has fewer than two columns.
    """
    if not path.is_file():
        raise TrainingError(f"{path} is missing: run `python -m training prepare` first")
    with path.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, start=1):
            columns = line.rstrip("\n").split("\t")
            if len(columns) < 2:
                raise TrainingError(f"{path}:{number}: expected source, tab, target")
            yield columns[0], columns[1]


def _key(
    path: Path,
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    settings: DataSettings,
    reading: Reading,
) -> str:
    with path.open("rb") as file:
        text = hashlib.file_digest(file, "sha256").hexdigest()
    vocabularies = [hashlib.sha256(v.model).hexdigest() for v in (source_vocabulary, target_vocabulary)]
    limits = [settings.max_source_tokens, settings.max_target_tokens]
    how = msgspec.to_builtins(reading)
    return hashlib.sha256(json.dumps([FORMAT, text, vocabularies, limits, how]).encode()).hexdigest()[:16]


def _fitting_pairs(
    path: Path,
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    settings: DataSettings,
    reading: Reading,
) -> Iterator[list[tuple[list[int], list[int]]]]:
    pairs, num_read = reading.pairs(iterate_pairs(path)), 0
    while chunk := list(itertools.islice(pairs, PAIRS_AT_A_TIME)):
        sources = reading.encode(source_vocabulary, [source for source, _ in chunk], num_read)
        targets = reading.encode(target_vocabulary, [target for _, target in chunk], num_read)
        num_read += len(chunk)
        yield [
            ([*source, END_ID], target)
            for source, target in zip(sources, targets, strict=True)
            if 0 < len(source) < settings.max_source_tokens and 0 < len(target) < settings.max_target_tokens
        ]


def _write(directory: Path, chunks: Iterator[list[tuple[list[int], list[int]]]], id_type: str, origin: Path) -> None:
    num_pairs = 0
    with new_directory(directory) as temporary:
        with (
            SequenceWriter(temporary, "source", id_type) as sources,
            SequenceWriter(temporary, "target", id_type) as targets,
        ):
            for chunk in chunks:
                sources.append([source for source, _ in chunk])
                targets.append([target for _, target in chunk])
                num_pairs += len(chunk)
        if not num_pairs:
            raise TrainingError(f"{origin} holds no pair within data.max_source_tokens and data.max_target_tokens")
