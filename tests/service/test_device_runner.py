"""Bundles on a device say what they say on the host."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.parity import run_engine
from export.writer import ExportOptions, export
from service.bundle.bundle import Bundle
from service.bundle.runtime import Runtime
from service.engine.batch import EncodedSource
from service.engine.device_runner import DeviceRunner
from service.engine.device_store import DeviceStore
from service.engine.engine import Engine
from service.engine.kv_cache import KVCache
from service.engine.placed import place_bundle
from service.engine.scheduler import Scheduler
from service.errors import DeviceError
from service.request import DecodingOptions, FinishedEvent, Picture, Request, SamplingOptions, Source, Translation
from tests.conftest import Captioner
from tests.export.checkpoints import random_sources
from tests.export.recurrent import make_checkpoint as make_rnn
from tests.pictures import HEIGHT, NUM_CELLS, WIDTH
from tests.service.host_device import HostDevice, host_placement, row_graphs
from tests.training.recurrent import FAMILIES

LONGEST = 20


def on_device(bundle: Bundle, device: HostDevice | None = None) -> Bundle:
    return replace(bundle, placement=host_placement(device), row_graphs=row_graphs())


@pytest.fixture(scope="module")
def bundles(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    rnn = tmp_path_factory.mktemp("rnn") / "rnn"
    export(make_rnn(**FAMILIES["bahdanau"]), rnn, ExportOptions(precision="float16"))
    directories = {"transformer float32": models / "exact", "transformer int8": models / "small", "rnn float16": rnn}
    return {name: Bundle.load(directory, Runtime.start("cpu")) for name, directory in directories.items()}


KINDS = pytest.mark.parametrize("kind", ["transformer float32", "transformer int8", "rnn float16"])


def sources_of(bundle: Bundle, number: int) -> list[list[int]]:
    return random_sources(number, bundle.manifest.vocabulary.source_size, LONGEST, seed=1)


def same(found: Sequence[Sequence[Translation]], expected: Sequence[Sequence[Translation]]) -> None:
    assert [[one.token_ids for one in each] for each in found] == [[one.token_ids for one in each] for each in expected]
    log_probs = [[one.token_log_probs for one in each] for each in (*found, *expected)]
    half = len(log_probs) // 2
    for ours, theirs in zip(log_probs[:half], log_probs[half:], strict=True):
        for mine, yours in zip(ours, theirs, strict=True):
            # What is computed beside others is rounded as they make it, in float16 to 11 bits.
            np.testing.assert_allclose(mine, yours, rtol=0, atol=1e-3)


@KINDS
@pytest.mark.parametrize(
    "decoding",
    [
        DecodingOptions(12),
        DecodingOptions(12, beam_size=3, num_hypotheses=3),
        DecodingOptions(8, num_hypotheses=2, sampling=SamplingOptions(1.0, seed=3)),
    ],
    ids=["greedy", "beam", "samples"],
)
def test_a_device_decodes_as_the_host_does(kind: str, decoding: DecodingOptions, bundles: dict[str, Bundle]) -> None:
    bundle = bundles[kind]
    sources = sources_of(bundle, 24)
    expected = run_engine(bundle, sources, decoding)
    same(run_engine(on_device(bundle), sources, decoding), expected)
    same(run_engine(on_device(bundle), sources[:1], decoding), expected[:1])


@KINDS
def test_rows_that_come_and_go_in_random_order_keep_their_state(kind: str, bundles: dict[str, Bundle]) -> None:
    bundle, generator = bundles[kind], random.Random(5)
    sources = sources_of(bundle, 40)
    options = [DecodingOptions(generator.randint(2, 12), beam_size=generator.choice([1, 1, 2, 4])) for _ in sources]
    expected = [run_engine(bundle, [source], option)[0] for source, option in zip(sources, options, strict=True)]
    engine = Engine(*place_bundle(on_device(bundle), 9), Scheduler(100, 4 * LONGEST))
    waiting, found = list(enumerate(zip(sources, options, strict=True))), {}
    cancelled: set[int] = set()
    while waiting or engine.has_work:
        for _ in range(generator.randint(0, 4)):
            if waiting:
                index, (source, option) = waiting.pop(0)
                engine.submit(Request(index, source, option, 0.0))
        if generator.random() < 0.1:
            index = generator.randrange(len(sources))
            if index not in found and engine.cancel(index):
                cancelled.add(index)
        for event in engine.step():
            assert isinstance(event, FinishedEvent)
            found[event.request_id] = event.translations
        engine.check_integrity()
    assert found.keys() | cancelled == set(range(len(sources)))
    assert len(found) > 20
    same([found[index] for index in sorted(found)], [expected[index] for index in sorted(found)])


def placed(bundle: Bundle, num_rows: int) -> tuple[DeviceRunner, KVCache, HostDevice]:
    device = HostDevice()
    runner, cache = place_bundle(on_device(bundle, device), num_rows)
    assert isinstance(runner, DeviceRunner)
    runner.warm_up()
    return runner, cache, device


def test_only_numbers_and_candidates_cross_the_bus(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["rnn float16"]
    runner, cache, device = placed(bundle, 4)
    for index, source in enumerate(runner.encode(sources_of(bundle, 3))):
        cache.open(index, source, bundle.manifest.vocabulary.begin_id)
    before = device.num_uploaded, device.num_downloaded
    candidates = runner.step(cache.batch(), 2, is_full=False)
    assert candidates.ids.shape == candidates.log_probs.shape == (3, 2)
    assert candidates.all_log_probs is None
    assert device.num_downloaded - before[1] == 3 * 2 * (8 + 4)
    state = [pool.cells.num_bytes for pool in runner_store(cache).pools]
    moved = device.num_uploaded - before[0]
    assert moved <= 3 * 256 + 2 * 3 * 8 * len(state)  # numbers, and for each pool which rows its sources go to
    before = device.num_uploaded, device.num_downloaded
    candidates = runner.step(cache.batch(), 1, is_full=True)
    assert candidates.all_log_probs is not None
    assert candidates.all_log_probs.shape == (3, bundle.manifest.vocabulary.target_size)
    assert device.num_uploaded - before[0] == 3 * 256
    np.testing.assert_allclose(candidates.all_log_probs.max(axis=1), candidates.log_probs[:, 0])


def runner_store(cache: KVCache) -> DeviceStore:
    assert isinstance(cache.store, DeviceStore)
    return cache.store


def test_steps_are_captured_at_warm_up_for_every_number_of_rows(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["rnn float16"]
    runner, cache, _ = placed(bundle, 5)
    for index, source in enumerate(runner.encode(sources_of(bundle, 5))):
        cache.open(index, source, bundle.manifest.vocabulary.begin_id)
        assert runner.step(cache.batch(), 1, is_full=False).execution == "graph"
    assert runner.step(cache.batch(), 3, is_full=False).execution == "kernels"


def test_sources_that_nobody_opens_leave_no_trace(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["transformer float32"]
    sources = sources_of(bundle, 6)
    expected = run_engine(bundle, sources[:1], DecodingOptions(8))
    runner, cache, _ = placed(bundle, 4)
    for _ in range(3):
        runner.encode(sources[1:])
    engine = Engine(runner, cache, Scheduler(10, 100))
    engine.submit(Request(0, sources[0], DecodingOptions(8), 0.0))
    events = [event for _ in range(9) if engine.has_work for event in engine.step()]
    assert isinstance(events[0], FinishedEvent)
    same([events[0].translations], expected)


def test_a_picture_is_described_as_on_the_host(captioner: Captioner) -> None:
    bundle = Bundle.load(captioner.models / "captioner", Runtime.start("cpu"))
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (10, HEIGHT, WIDTH, 3)).astype(np.uint8)
    pictures = [Picture(each, NUM_CELLS) for each in pixels]
    decoding = DecodingOptions(8, beam_size=2)
    same(run_engine(on_device(bundle), pictures, decoding), run_engine(bundle, pictures, decoding))


def test_a_device_without_room_for_the_rows_is_an_error(bundles: dict[str, Bundle]) -> None:
    with pytest.raises(DeviceError, match="asked for"):
        place_bundle(on_device(bundles["rnn float16"], HostDevice(free_bytes=5000)), 64)


def test_sources_encoded_one_by_one_after_a_failure_stay_apart(
    bundles: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for their rows while the next is encoded: its memory is not theirs."""
    bundle, decoding = bundles["transformer float32"], DecodingOptions(8)
    sources = sources_of(bundle, 5)
    expected = run_engine(bundle, sources, decoding)
    encode = DeviceRunner.encode

    def alone(runner: DeviceRunner, sources: Sequence[Source]) -> list[EncodedSource]:
        if len(sources) > 1:
            raise RuntimeError("out of memory")
        return encode(runner, sources)

    monkeypatch.setattr(DeviceRunner, "encode", alone)
    same(run_engine(on_device(bundle), sources, decoding), expected)


def test_once_it_runs_it_takes_no_more_memory(bundles: dict[str, Bundle]) -> None:
    bundle = bundles["rnn float16"]
    runner, cache, device = placed(bundle, 6)
    engine = Engine(runner, cache, Scheduler(100, 2 * LONGEST))
    for index, source in enumerate(sorted(sources_of(bundle, 60), key=len, reverse=True)):
        engine.submit(Request(index, source, DecodingOptions(6), 0.0))
    for _ in range(30):
        engine.step()
    left = device.free_bytes
    while engine.has_work:
        engine.step()
    assert device.free_bytes == left
