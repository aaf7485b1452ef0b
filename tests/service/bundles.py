"""Bundles on disk as operators change them, and managers that serve them without a server around."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from service.api.model_manager import ModelManager
from service.api.models import Models
from service.api.served_model import ServedModel
from service.bundle.manifest import FILE_NAME, describe_file
from service.bundle.runtime import Runtime
from service.metrics.families import Metrics
from service.settings import Settings

SLOW = {"min_target_tokens": 30, "max_target_tokens": 30}


def change(bundle: Path, **facts: object) -> Path:
    """Write other facts into a bundle's manifest."""
    manifest = json.loads((bundle / FILE_NAME).read_bytes()) | facts
    (bundle / FILE_NAME).write_text(json.dumps(manifest))
    return bundle


def exchange(bundle: Path, file: str, content: bytes) -> None:
    """Write another file, and into the manifest that it is right."""
    (bundle / file).write_bytes(content)
    files = json.loads((bundle / FILE_NAME).read_bytes())["files"]
    key = {"source.model": "source_tokenizer", "target.model": "target_tokenizer"}.get(file, file.partition(".")[0])
    entry = describe_file(bundle / file)
    files[key] = {"name": entry.name, "sha256": entry.sha256, "num_bytes": entry.num_bytes}
    change(bundle, files=files)


def damage(bundle: Path) -> None:
    """Cut the encoder short."""
    encoder = bundle / "encoder.onnx"
    encoder.write_bytes(encoder.read_bytes()[:-100])


def copy(bundle: Path, directory: str, **facts: object) -> Path:
    """The same bundle beside, by another directory name."""
    return change(shutil.copytree(bundle, bundle.with_name(directory)), **facts)


class Owner:
    """What a manager tells its owner."""

    def __init__(self) -> None:
        self.num_changes = self.num_failures = 0

    async def on_change(self) -> None:
        self.num_changes += 1

    def on_failure(self) -> None:
        self.num_failures += 1


@asynccontextmanager
async def managing(models: Path, **settings: object) -> AsyncIterator[tuple[ModelManager, Owner]]:
    """A started manager; `poll` is the tests' to call."""
    chosen: dict[str, object] = {"models": models, "device": "cpu", "watch_seconds": 0.0, "max_rows": 8, **settings}
    owner = Owner()
    manager = ModelManager(
        Models(),
        Settings(**chosen),  # type: ignore[arg-type]
        Runtime.start("cpu"),
        Metrics("test"),
        owner.on_change,
        owner.on_failure,
    )
    await manager.start()
    try:
        yield manager, owner
    finally:
        await manager.stop()


def version(model: ServedModel | None) -> str:
    """Which version it is."""
    assert model is not None
    return model.manifest.version
