"""Tags in front of a source: they tell the model where a pair comes from (Caswell et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping

from training.readers import Pair

OPENING, CLOSING = "⟦", "⟧"


def tagged(pair: Pair, tags: Mapping[str, str]) -> Pair:
    """The pair with its origin's tag, such as `⟦bt⟧ `, in front of the source; as it is where its origin has none."""
    name = tags.get(pair.origin)
    return Pair(f"{symbol(name)} {pair.source}", pair.target, pair.origin) if name else pair


def symbol(name: str) -> str:
    """A tag as text has it, and as the vocabulary must know it: one symbol."""
    return f"{OPENING}{name}{CLOSING}"
