from __future__ import annotations

import random

from service.engine.batch import offered
from service.engine.sources import GROUP_TOKENS, MAX_PADDING, group_by_length


def test_every_source_is_in_one_group_and_large_groups_have_little_padding() -> None:
    generator = random.Random(0)
    for _ in range(50):
        lengths = [generator.randint(1, 128) for _ in range(generator.randint(1, 64))]
        groups = group_by_length(lengths)
        assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
        for group in groups:
            longest, real = max(lengths[index] for index in group), sum(lengths[index] for index in group)
            padded = longest * len(group)
            assert padded <= GROUP_TOKENS or len(group) == 1 or real >= padded * (1 - MAX_PADDING)


def test_few_short_sources_go_together() -> None:
    assert group_by_length([3, 20, 7]) == [[1, 2, 0]]
    assert group_by_length([]) == []


def test_few_numbers_of_candidates_are_bound() -> None:
    rounded = [offered(number) for number in range(1, 40)]
    assert all(up >= number for number, up in enumerate(rounded, start=1))
    assert sorted(set(rounded)) == [1, 2, 3, 5, 9, 17, 33, 65]
