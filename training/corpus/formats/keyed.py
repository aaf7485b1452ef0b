"""Strings by key on both sides."""

from __future__ import annotations

from collections.abc import Iterator

from training.corpus.text import Entry


def pair_up(sources: dict[str, str], targets: dict[str, str]) -> Iterator[Entry]:
    """Entries of the keys that both sides have, in the order of the source."""
    for key, source in sources.items():
        if key in targets:
            yield Entry(source, targets[key])
