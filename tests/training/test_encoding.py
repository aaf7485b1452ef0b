from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import synthetic
from training import bucketing, encoding
from training.atomic import partial_of
from training.bucketing import bucketed_batches
from training.data import BatchStream, ParallelData, read_pairs
from training.errors import TrainingError
from training.recipe import DataSettings, VocabularySettings
from training.vocabulary import END_ID, Vocabulary

SETTINGS = DataSettings(batch_tokens=64, max_source_tokens=8, max_target_tokens=8)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    sentences = [*synthetic.sentences(300, 1), *map(synthetic.translate, synthetic.sentences(300, 1))]
    return Vocabulary.train(sentences, VocabularySettings(size=120, byte_fallback=False, kind="bpe"))


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    synthetic.write_tsv(str(tmp_path / "train.tsv"), number=300)
    return tmp_path / "train.tsv"


def encoded_directories(prepared: Path) -> list[Path]:
    return [path for path in (prepared.parent / "encoded").iterdir() if path.is_dir()]


def test_mapped_ids_are_those_of_the_text_in_chunks_of_any_size(
    prepared: Path, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "PAIRS_AT_A_TIME", 7)
    data = ParallelData.read(prepared, vocabulary, vocabulary, SETTINGS)
    assert isinstance(data.sources.ids.base, np.memmap)
    assert data.sources.ids.dtype == np.uint16
    expected = [
        ([*source, END_ID], target)
        for source, target in (tuple(vocabulary.encode(pair)) for pair in read_pairs(prepared))
        if len(source) < 8 and len(target) < 8
    ]
    assert 0 < len(expected) < 400
    found = [(s.tolist(), t.tolist()) for s, t in zip(data.sources, data.targets, strict=True)]
    assert found == expected
    in_memory = ParallelData(*(list(side) for side in zip(*expected, strict=True)))
    for ours, theirs in zip(data.batches(SETTINGS, 3), in_memory.batches(SETTINGS, 3), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_text_is_encoded_once_and_again_when_anything_changes(
    prepared: Path, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ParallelData.read(prepared, vocabulary, vocabulary, SETTINGS)
    with monkeypatch.context() as context:
        context.setattr(encoding, "_fitting_pairs", None)
        assert len(ParallelData.read(prepared, vocabulary, vocabulary, SETTINGS)) == len(first)
    longer = ParallelData.read(prepared, vocabulary, vocabulary, DataSettings())
    assert len(longer) > len(first)
    prepared.write_text("red dog\tkatu\n")
    assert len(ParallelData.read(prepared, vocabulary, vocabulary, SETTINGS)) == 1
    assert len(encoded_directories(prepared)) == 3


def test_a_killed_encoding_is_made_again(
    prepared: Path, vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        context.setattr(encoding, "PAIRS_AT_A_TIME", 50)
        context.setattr(Vocabulary, "encode", lambda self, texts: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ParallelData.read(prepared, vocabulary, vocabulary, SETTINGS)
    (left,) = encoded_directories(prepared)
    assert left.name.endswith(".partial")
    (left / "source.ids").write_bytes(b"half")
    assert ParallelData.read(prepared, vocabulary, vocabulary, SETTINGS).sources[0][-1] == END_ID
    (whole,) = encoded_directories(prepared)
    assert partial_of(whole) == left


def test_damaged_or_useless_text_is_told(prepared: Path, vocabulary: Vocabulary) -> None:
    ParallelData.read(prepared, vocabulary, vocabulary, SETTINGS)
    (directory,) = encoded_directories(prepared)
    (directory / "target.ids").write_bytes(b"\0\0")
    with pytest.raises(TrainingError, match=r"is damaged .* delete it"):
        ParallelData.read(prepared, vocabulary, vocabulary, SETTINGS)
    with pytest.raises(TrainingError, match="holds no pair within data.max_source_tokens"):
        ParallelData.read(prepared, vocabulary, vocabulary, DataSettings(max_source_tokens=1))
    (prepared.parent / "elsewhere").mkdir()
    prepared.rename(prepared.parent / "elsewhere/train.tsv")
    (prepared.parent / "elsewhere/encoded").write_text("a file where the directory should be")
    with pytest.raises(TrainingError, match=r"cannot be written: .*File exists"):
        ParallelData.read(prepared.parent / "elsewhere/train.tsv", vocabulary, vocabulary, SETTINGS)
    prepared.write_text("one column\n")
    with pytest.raises(TrainingError, match=r"train.tsv:1: expected source, tab, target"):
        ParallelData.read(prepared, vocabulary, vocabulary, SETTINGS)
    with pytest.raises(TrainingError, match="missing"):
        ParallelData.read(prepared.with_name("none.tsv"), vocabulary, vocabulary, SETTINGS)


def test_pools_hold_every_example_once_and_mix_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucketing, "BLOCK_SIZE", 10)
    monkeypatch.setattr(bucketing, "POOL_SIZE", 50)
    generator = np.random.default_rng(7)
    sources, targets = generator.integers(1, 30, (2, 523))
    batches = list(bucketed_batches(sources, targets, 100, np.random.default_rng(1)))
    assert sorted(np.concatenate(batches).tolist()) == list(range(523))
    for batch in batches:
        assert len(batch) * max(sources[batch].max(), targets[batch].max() + 1) <= 100
    first_pool = np.concatenate(batches)[:43]  # the block of three may be in it
    assert len({int(index) // 10 for index in first_pool}) == 5
    assert first_pool.max() > 100  # not only the first blocks of the file
    again = bucketed_batches(sources, targets, 100, np.random.default_rng(1))
    assert [batch.tolist() for batch in again] == [batch.tolist() for batch in batches]


def test_processes_share_the_stream_in_turn() -> None:
    data = ParallelData([[5, END_ID]] * 31, [[6 + number] for number in range(31)])
    settings = DataSettings(batch_tokens=8)
    whole = iter(BatchStream([data], settings, seed=1))
    shares = [BatchStream([data], settings, seed=1, rank=rank, num_processes=3) for rank in range(3)]
    parts = [iter(share) for share in shares]
    for _ in range(7):  # into the second epoch
        for part in parts:
            assert next(part).target_output.tolist() == next(whole).target_output.tolist()
        assert len({(share.epoch, share.position) for share in shares}) == 1
    assert shares[0].epoch == 2
