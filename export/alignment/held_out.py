"""Pairs that a model was not trained on, as it reads them: from a checkpoint, or from files."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from export.errors import ExportError
from service.bundle.bundle import Bundle
from service.bundle.manifest import LanguagePair
from service.text.protected_spans import SpanProtector
from training import language_pairs
from training.errors import TrainingError
from training.readers import read_input

MAX_PAIRS = 20_000


@dataclass(frozen=True)
class HeldOutPair:
    """Ids of a pair, without ends of sentence."""

    prefix_ids: tuple[int, ...]
    """What tells the model the languages."""
    source_ids: tuple[int, ...]
    target_ids: tuple[int, ...]


def of_checkpoint(bundle: Bundle, pairs: Iterable[tuple[Sequence[int], Sequence[int]]]) -> list[HeldOutPair]:
    """Those that a run kept of its development text: sources with tag and end of sentence, targets without."""
    prefixes = [pair.source_prefix_ids for pair in bundle.manifest.pairs]
    found: list[HeldOutPair] = []
    for source, target in pairs:
        text = tuple(source[:-1])
        prefix = next((prefix for prefix in prefixes if text[: len(prefix)] == prefix), None)
        if prefix is not None:
            found.append(HeldOutPair(prefix, text[len(prefix) :], tuple(target)))
    return _readable(bundle, found)


def of_files(bundle: Bundle, specifications: Sequence[str]) -> list[HeldOutPair]:
    """The first pairs of files.

    Args:
        bundle: says what is protected, how text is cut, and how languages are told.
        specifications: `[LANGUAGES:]FILE` each, as `prepare --input` reads them; a model of several language pairs
            needs the languages, such as `en-de:held-out.tsv`, or sources that begin with their tags.

    Raises:
        ExportError: a file cannot be read, or it does not say its languages.
    """
    found: list[HeldOutPair] = []
    for specification in specifications:
        try:
            languages, file = language_pairs.split_name(specification)
            for source, target, pair in itertools.islice(_texts(bundle, languages, file), MAX_PAIRS):
                found.append(_encoded(bundle, source, target, pair))
        except (TrainingError, ValueError) as error:
            raise ExportError(f"pairs {specification}: {error}") from None
    return _readable(bundle, found)


def _texts(
    bundle: Bundle, languages: language_pairs.LanguagePair | None, file: str
) -> Iterator[tuple[str, str, LanguagePair]]:
    pairs = {
        language_pairs.LanguagePair(pair.source_language, pair.target_language): pair for pair in bundle.manifest.pairs
    }
    if languages is not None and languages not in pairs:
        told = ", ".join(pair.name for pair in bundle.manifest.pairs)
        raise ValueError(f"the model does not translate {languages.name}; it translates {told}")
    tags = language_pairs.tags(list(pairs))
    for read in read_input(file):
        tag, _, rest = read.source.partition(" ")
        tagged = [pair for pair in pairs if tags.get(pair.target) == tag]
        known = [languages] if languages is not None else tagged or list(pairs)
        if len(known) != 1:
            raise ValueError("a model of several language pairs needs the languages: en-de:FILE")
        yield rest if known[0] in tagged else read.source, read.target, pairs[known[0]]


def _encoded(bundle: Bundle, source: str, target: str, pair: LanguagePair) -> HeldOutPair:
    spans = bundle.manifest.protected_spans
    protected = SpanProtector(spans.symbols, spans.patterns).protect(source)
    return HeldOutPair(
        pair.source_prefix_ids,
        tuple(bundle.source_tokenizer.encode(protected.text)),
        tuple(bundle.target_tokenizer.encode(protected.cover(target))),
    )


def _readable(bundle: Bundle, pairs: Iterable[HeldOutPair]) -> list[HeldOutPair]:
    limits = bundle.manifest.limits
    return [
        pair
        for pair in pairs
        if pair.source_ids
        and pair.target_ids
        and len(pair.prefix_ids) + len(pair.source_ids) < limits.max_source_tokens
        and len(pair.target_ids) <= limits.max_target_tokens
    ]
