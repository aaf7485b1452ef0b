"""The memory of rows on a device holds what the host's would, whatever is written, moved and copied in which order."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from export.row_graphs import main as write_row_graphs
from service.bundle.state_spec import StateArray
from service.device import row_graphs as files
from service.engine.batch import Array, EncodedSource
from service.engine.device_memory import Arena, PinnedArena, Uploads
from service.engine.device_store import DeviceStore, EncodedBatch, Member
from service.engine.kv_cache import Continuation, KVCache, Row
from service.engine.state_store import HostStore, Span
from service.errors import BundleError, DeviceError
from tests.service.host_device import HostBuffer, HostDevice, HostStream, host_placement, memory_at, row_graphs

SPEC = (
    StateArray(name="key", dtype="float16", shape=("rows", 2, "source", 4), owner="source", update="in_place"),
    StateArray(name="value", dtype="float16", shape=("rows", 2, "source", 4), owner="source", update="in_place"),
    StateArray(name="self", dtype="float32", shape=("rows", 3, "target", 2), owner="hypothesis", update="in_place"),
    StateArray(name="hidden", dtype="float32", shape=("rows", 6), owner="hypothesis", update="replace"),
    StateArray(name="memory", dtype="int64", shape=("rows", "source", 1), owner="source", update="none"),
)
MAX_ROWS, SOURCE, TARGET = 7, 5, 6


def make_store(device: HostDevice | None = None, spec: tuple[StateArray, ...] = SPEC) -> DeviceStore:
    return DeviceStore(spec, MAX_ROWS, SOURCE, TARGET, host_placement(device), row_graphs())


def rows_of(store: DeviceStore, name: str) -> Array:
    store.flush()
    return memory_at(store.address(name), store.shape(name, MAX_ROWS), store.dtype(name))


class Encoder:
    """Gives the same random sources to a store of each kind."""

    def __init__(self, store: DeviceStore, generator: np.random.Generator) -> None:
        self.store, self.generator = store, generator
        self.kept: list[object] = []

    def encode(self, lengths: list[int]) -> list[tuple[EncodedSource, EncodedSource]]:
        longest, values = max(lengths), []
        arrays: dict[str, Array] = {}
        for pool in self.store.pools:
            buffer = HostBuffer(pool.encoded_bytes(len(lengths), longest))
            self.kept.append(buffer)
            values.append(buffer.address)
            for index, name in enumerate(pool.names if pool.shape.is_from_encoder else ()):
                array = next(array for array in SPEC if array.name == name)
                shape = array.buffer_shape(len(lengths), longest, 0)
                address = buffer.address + index * pool.encoded_stride(len(lengths), longest)
                arrays[name] = memory_at(address, shape, self.store.dtype(name))
                arrays[name][...] = self.generator.integers(1, 1000, shape)
        batch = EncodedBatch(len(lengths), longest, values, buffer)
        return [
            (
                EncodedSource(length, {name: array[place] for name, array in arrays.items()}),
                EncodedSource(length, Member(batch, place)),
            )
            for place, length in enumerate(lengths)
        ]


@pytest.mark.parametrize("seed", range(12))
def test_random_traffic_leaves_the_same_state_as_on_the_host(seed: int) -> None:
    chance = random.Random(seed)
    host = KVCache(SPEC, MAX_ROWS, SOURCE, TARGET)
    store = make_store()
    device = KVCache(SPEC, MAX_ROWS, SOURCE, TARGET, store)
    encoder = Encoder(store, np.random.default_rng(seed))
    held: list[tuple[list[Row], list[Row]]] = []
    for number in range(60):
        lengths = [chance.randint(1, SOURCE) for _ in range(chance.randint(0, min(3, host.num_free_rows)))]
        for ours, theirs in encoder.encode(lengths) if lengths else []:
            held.append(([host.open(number, ours, 1)], [device.open(number, theirs, 1)]))
        if held and chance.random() < 0.3:
            gone = held.pop(chance.randrange(len(held)))
            host.close(gone[0])
            device.close(gone[1])
        if not host.num_rows:
            continue
        assert host.batch().num_rows == device.batch().num_rows
        step(host, store)
        compare(host, device, store)
        held = advance(host, device, held, chance)
        device.check_integrity(by_owner([rows for _, rows in held]))


def by_owner(held: list[list[Row]]) -> dict[int, list[Row]]:
    owners: dict[int, list[Row]] = {}
    for rows in held:
        owners.setdefault(rows[0].owner, []).extend(rows)
    return owners


def step(host: KVCache, store: DeviceStore) -> None:
    """As a model would, write into both what the tokens so far say."""
    assert isinstance(host.store, HostStore)
    memory = {name: rows_of(store, name) for name in ("self", "hidden")}
    for arrays in (host.store.arrays, memory):
        for row in range(host.num_rows):
            position, token = host.positions[row], host.token_ids[row]
            arrays["self"][row, :, position] = token + np.arange(6).reshape(3, 2)
            arrays["hidden"][row] = arrays["hidden"][row] * 2 % 1000 + token


def compare(host: KVCache, device: KVCache, store: DeviceStore) -> None:
    """Everything that a model may read."""
    assert isinstance(host.store, HostStore)
    for row in range(host.num_rows):
        source, target = host.source_lengths[row], host.positions[row] + 1
        assert (device.source_lengths[row], device.positions[row]) == (source, target - 1)
        assert device.token_ids[row] == host.token_ids[row]
        read = {"key": np.s_[:, :source], "value": np.s_[:, :source], "memory": np.s_[:source]}
        for name, ours in host.store.arrays.items():
            part = read.get(name, np.s_[:, :target] if name == "self" else np.s_[:])
            np.testing.assert_array_equal(rows_of(store, name)[row][part], ours[row][part], err_msg=name)


def advance(
    host: KVCache, device: KVCache, held: list[tuple[list[Row], list[Row]]], chance: random.Random
) -> list[tuple[list[Row], list[Row]]]:
    """Beams branch, go on and end."""
    plans: list[tuple[list[Row], list[Row], list[int], list[int]]] = []
    num_free = host.num_free_rows
    for ours, theirs in held:
        if host.positions[[row.index for row in ours]].max() + 2 >= TARGET or chance.random() < 0.1:
            host.close(ours)
            device.close(theirs)
            continue
        width = chance.randint(1, min(3, len(ours) + num_free))
        num_free -= max(0, width - len(ours))
        parents = [chance.randrange(len(ours)) for _ in range(width)]
        plans.append((ours, theirs, parents, [chance.randint(3, 40) for _ in parents]))
    on_host = host.advance([Continuation(ours, parents, tokens) for ours, _, parents, tokens in plans])
    on_device = device.advance([Continuation(theirs, parents, tokens) for _, theirs, parents, tokens in plans])
    return list(zip(on_host, on_device, strict=True))


def test_rows_that_change_places_do_not_read_what_was_just_written() -> None:
    store = make_store()
    hidden = rows_of(store, "hidden")
    hidden[:, 0] = np.arange(MAX_ROWS)
    host = HostStore(SPEC, MAX_ROWS, SOURCE, TARGET)
    host.arrays["hidden"][:, 0] = np.arange(MAX_ROWS)
    for start, end in ((0, 3), (1, 0), (3, 1), (2, 5), (5, 2), (4, 4)):
        for each in (store, host):
            each.copy(start, end, Span(0, 1, 1))
    np.testing.assert_array_equal(rows_of(store, "hidden")[:, 0], host.arrays["hidden"][:, 0])


def test_many_moves_wait_for_nothing_but_a_full_staging_memory() -> None:
    device, stream = HostDevice(), HostStream(1)
    uploads = Uploads(device, stream, 4)
    addresses = uploads.put([1, 2], [3])
    assert [int(memory_at(address, (1,), np.dtype(np.int64))[0]) for address in addresses] == [1, 3]
    assert stream.num_synchronized == 0
    uploads.put([4, 5])
    assert stream.num_synchronized == 1
    uploads.reset()
    uploads.put([6, 7])
    assert stream.num_synchronized == 1


def test_the_decoder_waits_for_the_encoder_only_where_rows_were_written() -> None:
    store = make_store()
    stream = store.placement.decoder_stream
    assert isinstance(stream, HostStream)
    store.flush()
    assert stream.waited_for == []
    encoder = Encoder(store, np.random.default_rng(0))
    store.write(2, encoder.encode([3])[0][1])
    store.flush()
    assert stream.waited_for == [store.placement.encoder_stream]


def test_rows_that_are_not_in_use_can_be_stepped() -> None:
    store = make_store()
    assert store.numbers.source_lengths.tolist() == [1] * MAX_ROWS
    store.numbers.positions[:] = range(MAX_ROWS)
    store.upload_numbers()
    for name in ("token_ids", "positions", "source_lengths"):
        expected = getattr(store.numbers, name)
        found = memory_at(store.number_address(name), (MAX_ROWS,), expected.dtype)
        assert found.tolist() == expected.tolist()
        assert store.number_address(name) % 256 == 0


def test_every_array_begins_where_kernels_like_it() -> None:
    store = make_store()
    assert all(store.address(array.name) % 256 == 0 for array in SPEC)
    host = HostStore(SPEC, MAX_ROWS, SOURCE, TARGET)
    assert host.num_bytes <= store.num_bytes < host.num_bytes + 256 * len(SPEC)


def test_state_of_odd_size_is_refused_by_name() -> None:
    odd = StateArray(name="flags", dtype="bool", shape=("rows", 3), owner="hypothesis", update="replace")
    with pytest.raises(BundleError, match=r"state flags: a position of it takes 3 bytes.*--device cpu"):
        make_store(spec=(odd,))


def test_a_device_that_is_full_says_so() -> None:
    with pytest.raises(DeviceError, match="asked for"):
        make_store(HostDevice(free_bytes=1000))


def test_an_arena_grows_and_is_used_again() -> None:
    device = HostDevice()
    arena = Arena(device)
    arena.reset(1024)
    first = arena.take(1)
    assert arena.take(5) == first + 256
    arena.reset(512)
    assert arena.take(512) == first
    with pytest.raises(AssertionError):
        arena.take(1024)
    arena.reset(4096)
    assert arena.take(4096) % 256 == 0


def test_a_pinned_arena_brings_arrays_to_the_device() -> None:
    device = HostDevice()
    arena = PinnedArena(device)
    arena.reset(2 * 256)
    arrays = [np.arange(6, dtype=np.int64).reshape(2, 3), np.ones((3, 4), np.float32)[:, ::2]]
    addresses = [arena.upload(array, HostStream(1)) for array in arrays]
    for array, address in zip(arrays, addresses, strict=True):
        np.testing.assert_array_equal(memory_at(address, array.shape, array.dtype), array)


def test_the_graphs_of_rows_are_what_export_writes(tmp_path: Path) -> None:
    write_row_graphs(tmp_path)
    directory = Path(files.__file__).parent / "graphs"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in directory.iterdir()
    }


def test_moves_take_little_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows move, and of however many arrays."""
    whole, parted = make_store(), make_store()
    for store in (whole, parted):
        for name in ("self", "hidden", "key", "value", "memory"):
            memory = rows_of(store, name)
            memory[...] = np.arange(memory.size).reshape(memory.shape) % 251
        for start, end in ((0, 4), (1, 5), (5, 2)):
            store.copy(start, end, Span(0, TARGET, SOURCE))
    whole.flush()
    monkeypatch.setattr("service.engine.device_rows.MAX_MOVED_BYTES", 1)
    parted.flush()
    for array in SPEC:
        np.testing.assert_array_equal(rows_of(parted, array.name), rows_of(whole, array.name))


def test_a_move_that_failed_is_not_asked_for_again() -> None:
    store = make_store()
    mover = store._mover
    real, mover.graphs = mover.graphs, None  # type: ignore[assignment]
    store.copy(0, 1, Span(0, 1, 1))
    with pytest.raises(AttributeError):
        store.flush()
    mover.graphs = real
    rows_of(store, "hidden")[0] = 7
    store.flush()
    assert rows_of(store, "hidden")[1].tolist() == [0] * 6
