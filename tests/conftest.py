from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from export.__main__ import main as export_main
from service.api.server import Server
from service.settings import Settings
from tests import captioning, pictures, synthetic
from training.__main__ import main as training_main


@pytest.fixture(scope="session")
def synthetic_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic language, prepared and learned through the command line; the directory of checkpoints."""
    directory = tmp_path_factory.mktemp("synthetic")
    recipe = directory / "recipe.yaml"
    recipe.write_text(synthetic.RECIPE)
    synthetic.write_tsv(str(directory / "pairs.tsv"))
    data, run = str(directory / "data"), directory / "run"
    assert training_main(["prepare", str(recipe), "--input", str(directory / "pairs.tsv"), "--output", data]) == 0
    assert training_main(["vocabulary", str(recipe), "--data", data]) == 0
    assert training_main(["train", str(recipe), "--data", data, "--output", str(run), "--device", "cpu"]) == 0
    return run


@pytest.fixture(scope="session")
def models(synthetic_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the learned model exported twice: `exact` in float32 and `small` in int8."""
    directory = tmp_path_factory.mktemp("models")
    checkpoint = str(synthetic_run / "averaged.pt")
    for name, precision in (("exact", "float32"), ("small", "int8")):
        arguments = [checkpoint, str(directory / name), "--precision", precision, "--name", name]
        assert export_main(arguments) == 0
    return directory


@dataclass(frozen=True)
class Captioner:
    """A model that describes pictures, see `tests.pictures`, and a directory that holds it beside `exact`."""

    model: pictures.PictureModel
    models: Path


@pytest.fixture(scope="session")
def captioner(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Captioner:
    """Its bundle is called `captioner`."""
    directory = tmp_path_factory.mktemp("captioner")
    (directory / "exact").symlink_to(models / "exact")
    return Captioner(pictures.write_bundle(directory / pictures.NAME), directory)


@pytest.fixture(scope="session")
def caption_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small captioner, prepared and trained through the command line; the directory of checkpoints."""
    return captioning.train(tmp_path_factory.mktemp("captions"))


Serve = Callable[..., AbstractAsyncContextManager[tuple[Server, grpc.aio.Channel]]]


@pytest.fixture
def serve(models: Path) -> Serve:
    """Starts a real server on free ports: `async with serve(max_rows=4) as (server, channel)`."""

    @asynccontextmanager
    async def running(**settings: object) -> AsyncIterator[tuple[Server, grpc.aio.Channel]]:
        chosen: dict[str, object] = {
            "models": models,
            "grpc_address": "127.0.0.1:0",
            "http_address": "127.0.0.1:0",
            "device": "cpu",
            **settings,
        }
        server = Server(Settings(**chosen), "test")  # type: ignore[arg-type]
        await server.start()
        try:
            async with grpc.aio.insecure_channel(server.grpc_address) as channel:
                yield server, channel
        finally:
            await server.stop()

    return running
