"""Who gets how many rows, on paper."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.memory_budget import Demand, MemoryBudget
from service.errors import MemoryBudgetError

MIB = 2**20


def demand(name: str, weights: int, row: int, max_rows: int = 64, min_rows: int = 8) -> Demand:
    """Sizes in MiB."""
    return Demand(name, weights * MIB, row * MIB, max_rows, min_rows)


def test_without_a_limit_everyone_has_all_rows() -> None:
    budget = MemoryBudget()
    assert [
        granted.num_rows for granted in budget.plan([demand("a", 10, 1), demand("b", 10, 9, max_rows=5, min_rows=5)])
    ] == [
        64,
        5,
    ]
    assert budget.reserve(demand("c", 10**6, 10**3)).num_rows == 64


@pytest.mark.parametrize(
    ("limit", "rows", "left"),
    [
        (1000, [64, 64], 762),
        (357, [64, 64], 119),  # 2 × 55 + 64 + 64, and 119 for a new version of either
        (356, [63, 63], 120),
        (189, [8, 8], 63),  # the least with room for a swap
        (188, [39, 39], 0),  # no room for a swap at all, so all of it is used
        (126, [8, 8], 0),
    ],
)
def test_rows_are_shared_fairly_with_room_for_a_swap(limit: int, rows: list[int], left: int) -> None:
    budget = MemoryBudget(limit * MIB)
    granted = budget.plan([demand("a", 55, 1), demand("b", 55, 1)])
    assert [reservation.num_rows for reservation in granted] == rows
    assert limit * MIB - budget.used_bytes == left * MIB


def test_who_has_no_use_for_rows_leaves_them_to_the_others() -> None:
    budget = MemoryBudget(100 * MIB)
    granted = budget.plan([demand("a", 0, 1, max_rows=4, min_rows=1), demand("b", 0, 1, min_rows=1)])
    assert [reservation.num_rows for reservation in granted] == [4, 48]


def test_models_that_do_not_fit_are_refused_with_figures() -> None:
    budget = MemoryBudget(125 * MIB)
    both = [demand("a", 55, 1), demand("b", 55, 1)]
    with pytest.raises(MemoryBudgetError, match=r"a, b take at least 126\.0 MiB; .* leaves 125\.0 MiB of 125\.0 MiB"):
        budget.plan(both)
    budget.plan(both[:1])
    with pytest.raises(MemoryBudgetError, match=r"b takes 55\.0 MiB of weights and at least 8\.0 MiB of KV cache"):
        budget.reserve(demand("b", 55, 1))


def test_versions_change_places_for_ever_with_the_same_rows() -> None:
    budget = MemoryBudget(300 * MIB)
    served = dict(zip("ab", budget.plan([demand("a", 55, 1), demand("b", 20, 2)]), strict=True))
    rows = {name: reservation.num_rows for name, reservation in served.items()}
    for name in "abbaab":
        fresh = budget.reserve(served[name].demand)
        assert fresh.num_rows == rows[name]
        budget.release(served[name])
        budget.release(served[name])
        served[name] = fresh


@given(
    st.integers(1, 500),
    st.lists(
        st.builds(demand, st.just("a"), st.integers(0, 50), st.integers(1, 5), st.integers(8, 64)),
        min_size=1,
        max_size=4,
    ),
)
def test_more_is_never_granted_than_there_is(limit: int, demands: list[Demand]) -> None:
    budget = MemoryBudget(limit * MIB)
    try:
        granted = budget.plan(demands)
    except MemoryBudgetError:
        assert sum(one.num_bytes(one.min_rows) for one in demands) > limit * MIB
        return
    assert budget.used_bytes == sum(reservation.num_bytes for reservation in granted) <= limit * MIB
    assert all(one.demand.min_rows <= one.num_rows <= one.demand.max_rows for one in granted)
    for reservation in granted:
        budget.release(reservation)
    assert budget.used_bytes == 0
