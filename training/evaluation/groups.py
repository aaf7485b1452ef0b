"""Parts of a test set: by domain, by length of the source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from training.readers import Pair

LENGTHS = ((1, 5), (6, 10), (11, 20), (21, 30), (31, 40), (41, None))
"""Source words of each group, both ends included; None: no end."""
MIN_SENTENCES = 30
"""A smaller group has no score worth printing."""
OTHERS = "others"


@dataclass(frozen=True)
class Group:
    """Some sentences of a test set."""

    name: str
    indices: list[int]

    def of(self, texts: Sequence[str]) -> list[str]:
        """The group's part of something that has one text for each sentence."""
        return [texts[index] for index in self.indices]


def by_origin(pairs: Sequence[Pair]) -> list[Group]:
    """Groups of the same document or package, the largest first; small ones together as `others`, if that is enough."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for index, pair in enumerate(pairs):
        found[pair.origin].append(index)
    groups = [Group(name, indices) for name, indices in found.items() if len(indices) >= MIN_SENTENCES]
    rest = [index for indices in found.values() if len(indices) < MIN_SENTENCES for index in indices]
    groups.sort(key=lambda group: (-len(group.indices), group.name))
    return _large([*groups, Group(OTHERS, sorted(rest))])


def by_length(pairs: Sequence[Pair]) -> list[Group]:
    """Groups of like numbers of words in the source, shortest first; small ones are left out."""
    numbers = [len(pair.source.split()) for pair in pairs]
    groups = []
    for shortest, longest in LENGTHS:
        name = f"{shortest}+" if longest is None else f"{shortest}–{longest}"
        chosen = [index for index, number in enumerate(numbers) if number >= shortest and (longest or number) >= number]
        groups.append(Group(name, chosen))
    return _large(groups)


def _large(groups: Sequence[Group]) -> list[Group]:
    return [group for group in groups if len(group.indices) >= MIN_SENTENCES]
