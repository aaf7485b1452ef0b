"""Models that come, go and change places while others, and they themselves, are used."""

from __future__ import annotations

import asyncio
import gc
import itertools
import re
import shutil
import weakref
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from service.api.conversion import decoding_of
from service.api.model_manager import ModelManager
from service.api.models import ModelState
from service.bundle.bundle import Bundle
from service.errors import (
    BundleRefusedError,
    InvalidRequestError,
    MemoryBudgetError,
    ModelNotFoundError,
    ModelUnloadedError,
    SettingsError,
    ShuttingDownError,
)
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.request import Priority
from tests.service.bundles import SLOW, change, copy, damage, exchange, managing, version
from tests.service.waiting import eventually


@pytest.fixture
def models(models: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return shutil.copytree(models, tmp_path / "models")


EXACT = pb.ModelSelection(model="exact")


async def translate(manager: ModelManager, text: str = "cat") -> tuple[str, str]:
    """As the servicer does: the version that answered, and its answer."""
    model = manager.models.select(EXACT)
    with model.in_use():
        decoding = decoding_of(pb.DecodingOptions(), model, Priority.INTERACTIVE)
        return version(model), (await model.translate(text, decoding, None))[0].text


async def test_a_swap_under_traffic_loses_nothing(models: Path) -> None:
    async with managing(models) as (manager, owner):
        old = manager.models.get("exact", "")
        answers: dict[int, tuple[str, str]] = {}
        numbers, is_over = itertools.count(), asyncio.Event()

        async def ask() -> None:
            while not is_over.is_set():
                number = next(numbers)
                answers[number] = await translate(manager)

        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(ask())
            with old.in_use():
                change(models / "exact", version="2")
                new = await manager.load("exact")
                assert old.is_retired
                assert not new.is_retired
                num_before = len(answers)
                await eventually(lambda: len(answers) > num_before + 20)
                assert old.num_requests == 1  # ours: the others have finished
                assert manager.states() == {"exact": ModelState.READY, "small": ModelState.READY}
            is_over.set()
        assert {answer for _, answer in answers.values()} == {"katu"}
        versions = [answers[number][0] for number in sorted(answers)]
        assert versions == sorted(versions)
        assert set(versions) == {version(old), "2"}
        assert owner.num_changes == 2
        with pytest.raises(ModelUnloadedError), old.in_use():
            pass


async def test_what_is_replaced_is_freed(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    change(models / "exact", version="1")
    with caplog.at_level("INFO", logger="service"):
        async with managing(models, max_memory_mebibytes=100) as (manager, _):
            bundle = weakref.ref(manager.models.get("exact", "").bundle)
            used = manager.memory_bytes
            change(models / "exact", version="2")
            with manager.models.get("exact", "").in_use():
                await manager.load("exact")
                assert manager.memory_bytes > used
            await eventually(lambda: manager.memory_bytes == used)
            gc.collect()
            assert bundle() is None
            page = generate_latest(manager._metrics.registry).decode()
    assert re.findall(r'seq2serve_model_info\{model="exact".*version="(\d)"\} 1', page) == ["2"]
    assert 'seq2serve_requests_running{model="exact"}' in page
    assert re.search(
        r"swapped exact 1 \(\w{12}\) for exact 2 \(\w{12}\) in \d+\.\d s: KV cache of 8 rows, \d", caplog.text
    )
    assert re.search(r"unloaded exact 1 \(\w{12}\) after", caplog.text)


@pytest.mark.parametrize("kind", ["cut short", "no graph", "graphs exchanged", "no manifest", "one row too large"])
async def test_a_bad_bundle_is_refused_and_the_old_one_stays(models: Path, kind: str) -> None:
    async with managing(models, max_cache_mebibytes=1) as (manager, owner):
        old, used = manager.models.get("exact", ""), manager.memory_bytes
        change(models / "exact", version="2")
        if kind == "cut short":
            damage(models / "exact")
        elif kind == "no graph":
            exchange(models / "exact", "decoder.onnx", b"nonsense")
        elif kind == "graphs exchanged":  # found out by the warm-up
            exchange(models / "exact", "explain.onnx", (models / "exact" / "encoder.onnx").read_bytes())
        elif kind == "no manifest":
            (models / "exact" / "manifest.json").unlink()
        else:
            change(models / "exact", limits={"max_source_tokens": 10**9, "max_target_tokens": 9})
        with pytest.raises((BundleRefusedError, MemoryBudgetError)) as refusal:
            await manager.load("exact")
        assert "exact" in str(refusal.value)
        assert not re.search(r"(^|[\s'\"(])/\w", str(refusal.value))
        assert manager.models.get("exact", "") is old
        assert await translate(manager) == (version(old), "katu")
        assert manager.states()["exact"] is ModelState.READY
        assert (manager.memory_bytes, owner.num_changes, owner.num_failures) == (used, 1, 0)


async def test_a_bundle_that_never_was_served_is_told_as_failed(models: Path) -> None:
    async with managing(models) as (manager, _):
        damage(copy(models / "small", "third", name="other"))
        with pytest.raises(BundleRefusedError, match=r"^third/encoder.onnx is not the file"):
            await manager.load("third")
        assert manager.states()["other"] is ModelState.FAILED
        assert 'model="other"' not in generate_latest(manager._metrics.registry).decode()


async def test_what_is_served_already_is_not_loaded_again(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with managing(models) as (manager, owner):
        monkeypatch.setattr(Bundle, "open", None)
        assert await manager.load("exact") is manager.models.get("exact", "")
        assert owner.num_changes == 1


async def test_a_name_belongs_to_one_directory(models: Path) -> None:
    async with managing(models) as (manager, _):
        copy(models / "exact", "other", version="2")
        with pytest.raises(BundleRefusedError, match="other: the bundle in exact is called exact, too"):
            await manager.load("other")
        change(models / "small", name="tiny", version="2")
        assert (await manager.load("small")).manifest.name == "tiny"
        assert [model.manifest.name for model in manager.models.all()] == ["exact", "tiny"]


@pytest.mark.parametrize("name", ["../x", "/etc", "", ".", "..", ".hidden", "a/b", "a\\b", "a\0b", "x" * 300])
async def test_only_plain_names_are_loaded(models: Path, name: str) -> None:
    async with managing(models / "exact") as (manager, _):
        with pytest.raises(InvalidRequestError) as refusal:
            await manager.load(name)
    assert [violation.field for violation in refusal.value.violations] == ["directory"]


async def test_a_single_bundle_is_loaded_by_its_own_name(models: Path) -> None:
    async with managing(models / "exact") as (manager, _):
        change(models / "exact", version="2")
        assert version(await manager.load("exact")) == "2"
        for name in ("small", "manifest.json"):
            with pytest.raises(ModelNotFoundError, match=r"^directory: there is no bundle directory"):
                await manager.load(name)


async def test_an_unloaded_model_finishes_what_it_has(models: Path) -> None:
    async with managing(models) as (manager, owner):
        model = manager.models.get("small", "")
        with model.in_use():
            decoding = decoding_of(pb.DecodingOptions(**SLOW), model, Priority.INTERACTIVE)
            running = asyncio.create_task(model.translate("cat\n" * 300, decoding, None))
            await eventually(lambda: model.worker.num_unfinished > 0)
            await manager.unload("small")
            assert manager.models.find("small") is None
            assert manager.states()["small"] is ModelState.UNLOADING
            assert (await running)[0].text
        await eventually(lambda: "small" not in manager.states())
        assert 'model="small"' not in generate_latest(manager._metrics.registry).decode()
        with pytest.raises(ModelNotFoundError, match=r"^name: no model 'small'; served: exact"):
            await manager.unload("small")
        await manager.unload("exact")
        with pytest.raises(ModelNotFoundError, match="no model is served now"):
            manager.models.select(pb.ModelSelection())
        assert owner.num_changes == 3
        await manager.load("small")
        assert manager.states() == {"small": ModelState.READY}
        assert 'seq2serve_requests_running{model="small"}' in generate_latest(manager._metrics.registry).decode()


async def test_a_cancelled_load_goes_on_and_unloading_waits_for_it(models: Path) -> None:
    async with managing(models) as (manager, _):
        change(models / "exact", version="2")
        load = asyncio.create_task(manager.load("exact"))
        await eventually(lambda: manager._loading == "exact")
        load.cancel()
        unload = asyncio.create_task(manager.unload("exact"))
        await asyncio.sleep(0)
        assert manager.models.find("exact") is None
        await unload
        assert manager.models.find("exact") is None
        assert version(await manager.load("exact")) == "2"


async def test_loads_follow_each_other(models: Path) -> None:
    async with managing(models) as (manager, _):
        for name in ("exact", "small"):
            change(models / name, version="2")
        loaded = await asyncio.gather(manager.load("exact"), manager.load("exact"), manager.load("small"))
        assert loaded[0] is loaded[1]
        assert [version(model) for model in manager.models.all()] == ["2", "2"]


async def test_stopping_ends_a_load_and_what_is_retiring(models: Path) -> None:
    async with managing(models) as (manager, _):
        with manager.models.get("small", "").in_use():
            await manager.unload("small")
            change(models / "exact", version="2")
            load = asyncio.create_task(manager.load("exact"))
            await eventually(lambda: manager._loading == "exact")
            await manager.stop()
            with pytest.raises(ShuttingDownError):
                await load
        with pytest.raises(ShuttingDownError):
            await manager.load("exact")


async def test_old_and_new_must_fit_into_memory(models: Path) -> None:
    async with managing(models, max_memory_mebibytes=8, max_rows=64) as (manager, _):
        rows = {model.max_rows for model in manager.models.all()}
        assert len(rows) == 1
        assert manager.memory_bytes < 8 * 2**20
        change(models / "exact", version="2")
        with manager.models.get("exact", "").in_use():
            assert {(await manager.load("exact")).max_rows} == rows
            change(models / "exact", version="3")
            with pytest.raises(MemoryBudgetError, match=r"exact takes 1\.5 MiB of weights .* of 8\.0 MiB"):
                await manager.load("exact")
        await eventually(lambda: manager.states().get("exact") is ModelState.READY and not manager._retiring)
        assert version(await manager.load("exact")) == "3"
    with pytest.raises(SettingsError, match=r"exact, small take at least .* leaves 1\.0 MiB of 1\.0 MiB"):
        async with managing(models, max_memory_mebibytes=1):
            pass


async def test_an_engine_that_dies_is_told_unless_it_is_not_served(models: Path) -> None:
    async with managing(models) as (manager, owner):
        change(models / "exact", version="2")
        old, new = manager.models.get("exact", ""), await manager.load("exact")
        old.worker._on_failure()
        assert (owner.num_failures, manager.states()["exact"]) == (0, ModelState.READY)
        new.worker._on_failure()
        assert (owner.num_failures, manager.states()["exact"]) == (1, ModelState.FAILED)
        change(models / "exact", version="3")
        await manager.load("exact")
        assert manager.states()["exact"] is ModelState.READY
