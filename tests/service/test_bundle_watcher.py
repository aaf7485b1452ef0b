"""What operators do to the directory of bundles, and what becomes of the models."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from service.api.model_manager import ModelManager
from service.api.models import ModelState
from service.bundle.changes import ChangeDetector, Changes
from service.bundle.repository import Repository, Signature
from tests.service.bundles import change, copy, damage, managing, version
from tests.service.waiting import eventually


@pytest.fixture
def models(models: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return shutil.copytree(models, tmp_path / "models")


def names(manager: ModelManager) -> list[str]:
    return [model.manifest.name for model in manager.models.all()]


async def poll(manager: ModelManager, times: int = 2) -> None:
    for _ in range(times):
        await manager.poll()


async def test_a_changed_bundle_is_swapped_in_when_it_is_stable(models: Path) -> None:
    async with managing(models) as (manager, owner):
        await poll(manager)
        old = manager.models.get("exact", "")
        change(models / "exact", version="2")
        await manager.poll()
        assert manager.models.get("exact", "") is old
        change(models / "exact", version="3")  # still being written
        await manager.poll()
        assert manager.models.get("exact", "") is old
        await manager.poll()
        assert version(manager.models.find("exact")) == "3"
        await poll(manager, 5)
        assert owner.num_changes == 2


async def test_a_bundle_may_be_copied_in_slowly(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with managing(models) as (manager, _):
        target = models / "new"
        target.mkdir()
        for name in ("encoder.onnx", "decoder.onnx", "explain.onnx", "source.model", "target.model"):
            shutil.copy(models / "exact" / name, target / name)
            await poll(manager, 3)
        (models / ".hidden").mkdir()
        shutil.copy(models / "exact" / "manifest.json", models / ".hidden" / "manifest.json")
        shutil.copy(models / "exact" / "manifest.json", target / "manifest.json")
        change(target, name="new")
        await manager.poll()
        assert names(manager) == ["exact", "small"]
        await manager.poll()
        assert names(manager) == ["exact", "new", "small"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_bad_bundle_is_told_once_and_tried_again_when_it_changes(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with managing(models) as (manager, _):
        old = manager.models.get("exact", "")
        change(models / "exact", version="2")
        content = (models / "exact" / "encoder.onnx").read_bytes()
        damage(models / "exact")
        await poll(manager, 6)
        assert caplog.text.count("exact/encoder.onnx is not the file that the manifest describes") == 1
        assert manager.models.get("exact", "") is old
        (models / "exact" / "encoder.onnx").write_bytes(content)
        await poll(manager)
        assert version(manager.models.find("exact")) == "2"


async def test_a_removed_bundle_is_unloaded(models: Path) -> None:
    async with managing(models) as (manager, _):
        damage(copy(models / "small", "bad", name="bad"))
        await poll(manager)
        assert manager.states()["bad"] is ModelState.FAILED
        shutil.rmtree(models / "small")
        shutil.rmtree(models / "bad")
        await manager.poll()
        assert names(manager) == ["exact", "small"]
        await manager.poll()
        assert names(manager) == ["exact"]
        await eventually(lambda: manager.states() == {"exact": ModelState.READY})


async def test_a_directory_without_manifest_is_no_removed_bundle(models: Path) -> None:
    async with managing(models) as (manager, _):
        (models / "small" / "manifest.json").unlink()
        await poll(manager, 3)
        assert names(manager) == ["exact", "small"]


@pytest.mark.parametrize("is_directory_left", [True, False])
async def test_everything_stays_when_the_volume_is_gone(
    models: Path, is_directory_left: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with managing(models) as (manager, _):
        model = manager.models.get("exact", "")
        watching = asyncio.create_task(manager._watcher.watch(0.001))
        elsewhere = models.with_name("elsewhere")
        os.rename(models, elsewhere)
        if is_directory_left:
            os.mkdir(models)
        await eventually(lambda: "holds no bundle any more" in caplog.text or "could not look" in caplog.text)
        await asyncio.sleep(0.05)
        assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
        assert names(manager) == ["exact", "small"]
        if is_directory_left:
            os.rmdir(models)
        change(elsewhere / "small", version="2")
        os.rename(elsewhere, models)
        await eventually(lambda: version(manager.models.find("small")) == "2")
        assert manager.models.get("exact", "") is model
        watching.cancel()


async def test_an_unloaded_model_stays_away_until_its_files_change(models: Path) -> None:
    async with managing(models) as (manager, _):
        await manager.unload("small")
        await poll(manager, 4)
        assert names(manager) == ["exact"]
        change(models / "small", version="2")
        await poll(manager)
        assert version(manager.models.find("small")) == "2"


async def test_a_renamed_directory_keeps_its_model(models: Path) -> None:
    async with managing(models) as (manager, _):
        model = manager.models.get("small", "")
        (models / "small").rename(models / "tiny")
        await poll(manager, 4)
        assert manager.models.get("small", "") is model
        change(models / "tiny", version="2")
        await poll(manager)
        assert version(manager.models.find("small")) == "2"


async def test_a_name_that_is_taken_is_told_once_and_tried_until_it_is_free(
    models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with managing(models) as (manager, _):
        copy(models / "small", "other", version="2")
        old = manager.models.get("small", "")
        await poll(manager, 5)
        assert caplog.text.count("other: the bundle in small is called small, too") == 1
        assert manager.models.get("small", "") is old
        shutil.rmtree(models / "small")
        await poll(manager, 4)
        assert version(manager.models.find("small")) == "2"


async def test_what_did_not_fit_is_tried_until_it_does(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with managing(models, max_memory_mebibytes=8, max_rows=64) as (manager, _):
        with manager.models.get("exact", "").in_use():
            for number in ("2", "3"):
                change(models / "exact", version=number)
                await poll(manager, 4)
            assert version(manager.models.find("exact")) == "2"
            assert caplog.text.count("exact takes 1.5 MiB of weights") == 1
        await eventually(lambda: not manager._retiring)
        await manager.poll()
        assert version(manager.models.find("exact")) == "3"


async def test_a_look_that_fails_is_not_the_last(
    models: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_looks, scan = 0, Repository.scan

    def sometimes(self: Repository) -> dict[str, Signature]:
        nonlocal num_looks
        num_looks += 1
        if 1 < num_looks < 10:
            raise ValueError("stale file handle")
        return dict(scan(self))

    monkeypatch.setattr(Repository, "scan", sometimes)
    async with managing(models, watch_seconds=0.001) as (manager, _):
        watching = asyncio.create_task(manager.watch())
        change(models / "exact", version="2")
        await eventually(lambda: version(manager.models.find("exact")) == "2")
        await manager.stop()
        assert watching.cancelled()
    assert caplog.text.count("could not look for bundles: stale file handle") == 1


async def test_nothing_is_watched_where_that_is_not_wanted(models: Path) -> None:
    async with managing(models) as (manager, _):
        async with asyncio.timeout(1):
            await manager.watch()


def test_the_detector_on_paper() -> None:
    def bundle(size: int) -> Signature:
        return frozenset({("manifest.json", size, 0, 0)})

    detector = ChangeDetector({"a": bundle(1), "b": bundle(1)})
    assert detector.observe({"a": bundle(2), "b": bundle(1), "c": frozenset()}) == Changes()
    assert detector.observe({"a": bundle(2), "c": frozenset()}) == Changes(written=("a",))
    assert detector.observe({"a": bundle(2), "c": bundle(1)}) == Changes(vanished=("b",))
    assert detector.observe({}) == Changes()
    assert detector.observe({"a": bundle(2), "c": bundle(1)}) == Changes(written=("c",))
    detector.forget("c")
    assert detector.observe({"a": bundle(2), "c": bundle(1)}) == Changes(written=("c",))
    assert detector.observe({"a": bundle(2), "c": bundle(1)}) == Changes()
    detector.forget("c")
    assert detector.observe({"a": bundle(2)}) == Changes()
    assert detector.observe({"a": bundle(2)}) == Changes(vanished=("c",))
