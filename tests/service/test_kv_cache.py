from __future__ import annotations

import numpy as np
import pytest

from service.engine.batch import EncodedSource
from service.engine.kv_cache import KVCache
from tests.service.toy import BEGIN, SPEC


def source(*numbers: int) -> EncodedSource:
    return EncodedSource(len(numbers), {"memory": np.array([*numbers, -1, -1]), "total": np.array([len(numbers)])})


def make_cache(max_rows: int = 3) -> KVCache:
    return KVCache(SPEC, max_rows, source_capacity=4, target_capacity=5)


def test_a_row_begins_with_its_source_and_the_begin_token() -> None:
    cache = make_cache()
    assert cache.add(7, source(5, 6), BEGIN) == 0
    batch = cache.batch()
    assert batch.num_rows == 1
    assert batch.token_ids.tolist() == [BEGIN]
    assert batch.positions.tolist() == [0]
    assert batch.source_lengths.tolist() == [2]
    assert batch.state["memory"][0, :2].tolist() == [5, 6]
    assert batch.state["total"].tolist() == [[2]]


def test_the_last_row_moves_into_a_retired_one_with_all_it_holds() -> None:
    cache = make_cache()
    for owner in (1, 2, 3):
        cache.add(owner, source(owner, owner), BEGIN)
    cache.arrays["history"][2, :2, 0] = (8, 9)  # stepped at position 1, not yet advanced
    cache.positions[2] = 1
    assert cache.retire(0) == 3
    batch = cache.batch()
    assert batch.state["memory"][0, :2].tolist() == [3, 3]
    assert batch.state["history"][0, :2, 0].tolist() == [8, 9]
    assert batch.positions.tolist() == [1, 0]
    cache.check_integrity({3: 0, 2: 1})


def test_retiring_the_last_row_moves_nothing() -> None:
    cache = make_cache()
    cache.add(1, source(1), BEGIN)
    cache.add(2, source(2), BEGIN)
    assert cache.retire(1) is None
    cache.check_integrity({1: 0})


def test_the_batch_is_a_view_of_the_buffers() -> None:
    cache = make_cache()
    cache.add(1, source(1), BEGIN)
    cache.batch().state["history"][0, 0] = 42
    assert cache.arrays["history"][0, 0, 0] == 42
    assert cache.batch() is cache.batch()


def test_limits_are_errors() -> None:
    cache = make_cache(max_rows=1)
    with pytest.raises(ValueError, match="does not fit 4"):
        cache.add(1, source(1, 2, 3, 4, 5), BEGIN)
    row = cache.add(1, source(1), BEGIN)
    with pytest.raises(ValueError, match="no free row"):
        cache.add(2, source(1), BEGIN)
    for token in range(4):
        cache.advance(row, token)
    with pytest.raises(ValueError, match="full at 5"):
        cache.advance(row, 9)
    with pytest.raises(ValueError, match="not in use"):
        cache.retire(1)


def test_integrity_notices_a_lost_row() -> None:
    cache = make_cache()
    cache.add(1, source(1), BEGIN)
    with pytest.raises(AssertionError):
        cache.check_integrity({})


def test_usage_counts_positions() -> None:
    cache = make_cache()
    row = cache.add(1, source(1), BEGIN)
    cache.advance(row, 3)
    assert cache.usage_ratio == pytest.approx(1 / 15)
    assert cache.num_bytes == 3 * 4 * 8 + 3 * 5 * 8 + 3 * 8
