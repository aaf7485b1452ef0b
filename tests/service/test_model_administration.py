"""LoadModel and UnloadModel over real gRPC, while other RPCs run."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import grpc
import pytest

from service.pb.seq2serve.v1 import model_service_pb2 as pb
from service.pb.seq2serve.v1 import model_service_pb2_grpc as pb_grpc
from service.pb.seq2serve.v1 import translation_service_pb2, translation_service_pb2_grpc
from tests.conftest import Serve
from tests.service.bundles import change, damage
from tests.service.messages import EXACT
from tests.service.test_api_errors import details
from tests.service.waiting import eventually

EVERYTHING = "translate,read_models,administer_models"


@pytest.fixture
def models(models: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return shutil.copytree(models, tmp_path / "models")


async def test_a_model_is_swapped_while_its_requests_run(serve: Serve, models: Path) -> None:
    change(models / "exact", version="1")
    async with serve(watch_seconds=0.0, anonymous_permissions=EVERYTHING) as (server, channel):
        translation = translation_service_pb2_grpc.TranslationServiceStub(channel)
        long = translation_service_pb2.TranslateRequest(texts=["cat\n" * 500], model_selection=EXACT)
        short = translation_service_pb2.TranslateRequest(texts=["cat"], model_selection=EXACT)
        running = translation.Translate(long)
        await eventually(lambda: server.models.get("exact", "").num_requests == 1)
        change(models / "exact", version="2")
        loaded = await pb_grpc.ModelServiceStub(channel).LoadModel(pb.LoadModelRequest(directory="exact"))
        quick = await translation.Translate(short)
        slow = await running
    assert (loaded.model.name, loaded.model.version) == ("exact", "2")
    assert (quick.model_version, slow.model_version) == ("2", "1")
    assert slow.results[0].hypotheses[0].text == "katu\n" * 500


async def test_a_model_is_unloaded_while_it_streams(serve: Serve) -> None:
    async with serve(watch_seconds=0.0, anonymous_permissions=EVERYTHING) as (_, channel):
        stub = pb_grpc.ModelServiceStub(channel)
        translation = translation_service_pb2_grpc.TranslationServiceStub(channel)
        request = translation_service_pb2.TranslateStreamRequest(text="cat\n" * 100, model_selection=EXACT)
        stream = translation.TranslateStream(request)
        text = (await stream.read()).delta.text
        await stub.UnloadModel(pb.UnloadModelRequest(name="exact"))
        listed = await stub.ListModels(pb.ListModelsRequest())
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await translation.TranslateStream(request).read()
        while response := await stream.read():
            text += response.delta.text
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await stub.UnloadModel(pb.UnloadModelRequest(name="exact"))
        with pytest.raises(grpc.aio.AioRpcError) as empty:
            await stub.UnloadModel(pb.UnloadModelRequest())
    assert text == "katu\n" * 100
    assert [model.name for model in listed.models] == ["small"]
    assert refused.value.code() == unknown.value.code() == grpc.StatusCode.NOT_FOUND
    assert details(empty.value)[1] == ["name"]


@pytest.mark.parametrize(
    ("directory", "code"),
    [
        ("", grpc.StatusCode.INVALID_ARGUMENT),
        ("../models/exact", grpc.StatusCode.INVALID_ARGUMENT),
        ("/etc", grpc.StatusCode.INVALID_ARGUMENT),
        ("exact/", grpc.StatusCode.INVALID_ARGUMENT),
        ("nothing", grpc.StatusCode.NOT_FOUND),
        ("empty", grpc.StatusCode.FAILED_PRECONDITION),
        ("small", grpc.StatusCode.FAILED_PRECONDITION),
    ],
)
async def test_what_cannot_be_loaded_is_told_without_paths(
    serve: Serve, models: Path, directory: str, code: grpc.StatusCode
) -> None:
    async with serve(watch_seconds=0.0, anonymous_permissions=EVERYTHING) as (_, channel):
        (models / "empty").mkdir()
        change(models / "small", version="2")
        damage(models / "small")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await pb_grpc.ModelServiceStub(channel).LoadModel(pb.LoadModelRequest(directory=directory))
    assert refused.value.code() == code
    message = refused.value.details() or ""
    assert str(models) not in message
    if code is grpc.StatusCode.FAILED_PRECONDITION:
        assert details(refused.value)[0].reason == "BUNDLE_REFUSED"
        assert message.startswith(directory)


async def test_a_refused_bundle_shows_in_the_metrics_until_it_is_mended(serve: Serve, models: Path) -> None:
    async with serve(watch_seconds=0.0, anonymous_permissions=EVERYTHING) as (server, channel):
        stub, load = pb_grpc.ModelServiceStub(channel), pb.LoadModelRequest(directory="small")

        def refused() -> float | None:
            return server._metrics.registry.get_sample_value("seq2serve_refused_bundles")

        whole = shutil.copytree(models / "small", models.parent / "whole")
        change(models / "small", version="2")
        damage(models / "small")
        before = refused()
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.LoadModel(load)
        during = refused()
        shutil.copytree(whole, models / "small", dirs_exist_ok=True)
        await stub.LoadModel(load)
        after = refused()
    assert (before, during, after) == (0, 1, 0)


async def test_the_server_follows_the_directory(serve: Serve, models: Path) -> None:
    async with serve(watch_seconds=0.02) as (server, channel):
        stub = pb_grpc.ModelServiceStub(channel)
        change(models / "exact", version="2")
        shutil.rmtree(models / "small")
        await eventually(lambda: [model.manifest.version for model in server.models.all()] == ["2"])
        await asyncio.sleep(0)
        listed = await stub.ListModels(pb.ListModelsRequest())
    assert [(model.name, model.version) for model in listed.models] == [("exact", "2")]
