from __future__ import annotations

import numpy as np
import pytest

from service.engine.batch import Array, EncodedSource
from service.engine.kv_cache import Continuation, KVCache, Row
from service.engine.state_store import HostStore
from tests.service.toy import BEGIN, SPEC


def source(*numbers: int) -> EncodedSource:
    return EncodedSource(len(numbers), {"memory": np.array([*numbers, -1, -1]), "total": np.array([len(numbers)])})


def make_cache(max_rows: int = 3) -> KVCache:
    return KVCache(SPEC, max_rows, source_capacity=4, target_capacity=6)


def arrays(cache: KVCache) -> dict[str, Array]:
    assert isinstance(cache.store, HostStore)
    return cache.store.arrays


def advance(cache: KVCache, rows: list[Row], parents: list[int], token_ids: list[int]) -> list[Row]:
    return cache.advance([Continuation(rows, parents, token_ids)])[0]


def say(cache: KVCache, row: Row, token: int) -> Row:
    """One step of the row: what the model would store for its current token, then the next token."""
    arrays(cache)["history"][row.index, cache.positions[row.index], 0] = cache.token_ids[row.index]
    arrays(cache)["total"][row.index] += cache.token_ids[row.index]
    return advance(cache, [row], [0], [token])[0]


def history(cache: KVCache, row: Row) -> list[int]:
    values: list[int] = arrays(cache)["history"][row.index, : cache.positions[row.index], 0].tolist()
    return values


def test_a_row_begins_with_its_source_and_the_begin_token() -> None:
    cache = make_cache()
    assert cache.open(7, source(5, 6), BEGIN).index == 0
    batch = cache.batch()
    assert batch.num_rows == 1
    assert batch.token_ids.tolist() == [BEGIN]
    assert batch.positions.tolist() == [0]
    assert batch.source_lengths.tolist() == [2]
    assert batch.state["memory"][0, :2].tolist() == [5, 6]
    assert batch.state["total"].tolist() == [[2]]


def test_a_source_that_cannot_be_read_takes_no_row() -> None:
    cache = make_cache()
    row = cache.open(1, source(5, 6), BEGIN)
    with pytest.raises(KeyError):
        cache.open(2, EncodedSource(2, {}), BEGIN)
    cache.check_integrity({1: [row]})
    assert cache.batch().num_rows == 1
    assert cache.open(3, source(7), BEGIN).index == 1


def test_the_last_row_moves_into_a_hole_with_all_it_holds() -> None:
    cache = make_cache()
    rows = [cache.open(owner, source(owner, owner), BEGIN) for owner in (1, 2, 3)]
    say(cache, rows[2], 9)
    cache.close([rows[0]])
    assert rows[2].index == 2  # nothing moves before the next step
    batch = cache.batch()
    assert rows[2].index == 0
    assert batch.state["memory"][0, :2].tolist() == [3, 3]
    assert history(cache, rows[2]) == [BEGIN]
    assert batch.positions.tolist() == [1, 0]
    cache.check_integrity({3: [rows[2]], 2: [rows[1]]})


def test_a_new_row_fills_a_hole_and_nothing_moves() -> None:
    cache = make_cache()
    rows = [cache.open(owner, source(owner), BEGIN) for owner in (1, 2, 3)]
    cache.close([rows[1]])
    assert cache.open(4, source(4), BEGIN).index == 1
    cache.batch()
    assert rows[2].index == 2


def test_closing_the_last_rows_moves_nothing() -> None:
    cache = make_cache()
    rows = [cache.open(owner, source(owner), BEGIN) for owner in (1, 2, 3)]
    cache.close(rows[1:])
    assert cache.batch().num_rows == 1
    cache.check_integrity({1: [rows[0]]})


def test_children_after_the_first_are_copied_with_the_source() -> None:
    cache = make_cache()
    first = say(cache, cache.open(1, source(5, 6), BEGIN), 7)
    children = advance(cache, [first], [0, 0], [8, 9])
    assert [child.index for child in children] == [0, 1]
    assert children[0] is first
    batch = cache.batch()
    assert batch.token_ids.tolist() == [8, 9]
    assert batch.state["memory"][:, :2].tolist() == [[5, 6], [5, 6]]
    assert history(cache, children[1])[:1] == [BEGIN]
    cache.check_integrity({1: children})


def test_a_copy_writes_only_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = make_cache(max_rows=2)
    rows = [say(cache, cache.open(1, source(5), BEGIN), 7)]
    rows = advance(cache, rows, [0, 0], [8, 9])
    rows = [say(cache, row, token) for row, token in zip(rows, (10, 11), strict=True)]
    arrays(cache)["memory"][1] = 77  # the source stays where it is: nobody writes here
    arrays(cache)["history"][1, 0] = 55  # shared by both, so not written either
    copied = advance(cache, rows, [0, 0], [12, 13])
    assert copied[0] is rows[0]
    assert copied[1] is not rows[1] or copied[1].index == 1
    assert arrays(cache)["memory"][1, 0] == 77
    assert arrays(cache)["history"][1, 0] == 55
    assert arrays(cache)["history"][1, 1:3, 0].tolist() == arrays(cache)["history"][0, 1:3, 0].tolist()
    assert arrays(cache)["total"][1] == arrays(cache)["total"][0]
    assert cache.batch().token_ids.tolist() == [12, 13]


def test_rows_without_children_are_closed() -> None:
    cache = make_cache()
    row = say(cache, cache.open(1, source(5), BEGIN), 7)
    rows = advance(cache, [row], [0, 0, 0], [1, 2, 3])
    left = advance(cache, rows, [1], [4])
    assert left == [rows[1]]
    assert cache.num_rows == 1
    assert cache.batch().token_ids.tolist() == [4]
    cache.check_integrity({1: left})


def test_the_batch_is_a_view_of_the_buffers() -> None:
    cache = make_cache()
    cache.open(1, source(1), BEGIN)
    cache.batch().state["history"][0, 0] = 42
    assert arrays(cache)["history"][0, 0, 0] == 42
    assert cache.batch() is cache.batch()


def test_limits_are_errors() -> None:
    cache = make_cache(max_rows=1)
    with pytest.raises(ValueError, match="does not fit 4"):
        cache.open(1, source(1, 2, 3, 4, 5), BEGIN)
    row = cache.open(1, source(1), BEGIN)
    with pytest.raises(ValueError, match="no free row"):
        cache.open(2, source(1), BEGIN)
    with pytest.raises(ValueError, match="no free row"):
        advance(cache, [row], [0, 0], [1, 2])
    cache.close([row])
    with pytest.raises(ValueError, match="not in use"):
        cache.close([row])
    row = cache.open(3, source(1), BEGIN)
    for token in range(5):
        advance(cache, [row], [0], [token])
    with pytest.raises(ValueError, match="full at 6"):
        advance(cache, [row], [0], [9])


def test_integrity_notices_a_lost_row() -> None:
    cache = make_cache()
    cache.open(1, source(1), BEGIN)
    with pytest.raises(AssertionError):
        cache.check_integrity({})


def test_usage_counts_positions() -> None:
    cache = make_cache()
    row = cache.open(1, source(1), BEGIN)
    advance(cache, [row], [0], [3])
    assert cache.usage()["self"] == pytest.approx(1 / 18)
    assert cache.num_bytes == 3 * 4 * 8 + 3 * 6 * 8 + 3 * 8
