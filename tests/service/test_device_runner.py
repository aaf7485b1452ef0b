"""Bundles on a device say what they say on the host, to the last bit."""

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
from service.engine.engine import Engine
from service.engine.placed import place_bundle
from service.engine.scheduler import Scheduler
from service.request import DecodingOptions, FinishedEvent, Request, SamplingOptions, Translation
from tests.export.test_export import random_sources
from tests.export.test_rnn_export import make_checkpoint as make_rnn
from tests.service.host_device import HostDevice, host_placement, row_graphs
from tests.training.test_rnn import FAMILIES

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
            np.testing.assert_allclose(mine, yours, rtol=0, atol=1e-5)


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
    expected = [run_engine(bundle, [source], [option][0])[0] for source, option in zip(sources, options, strict=True)]
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
