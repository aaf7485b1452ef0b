"""ModelService."""

from __future__ import annotations

import bisect
from typing import Any, TypeAlias

import grpc

from service.api.model_manager import ModelManager
from service.api.served_model import ServedModel
from service.errors import InvalidRequestError
from service.pb.seq2serve.v1 import model_service_pb2 as pb
from service.pb.seq2serve.v1 import model_service_pb2_grpc as pb_grpc

DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE = 50, 200

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class ModelServicer(pb_grpc.ModelServiceServicer):
    """Answers the RPCs; errors are raised as ServiceError and translated by the interceptor."""

    def __init__(self, manager: ModelManager) -> None:
        self._manager = manager

    async def ListModels(self, request: pb.ListModelsRequest, context: Context) -> pb.ListModelsResponse:  # noqa: N802, ARG002
        """A page of models; the token of the next page is the last name of this one."""
        if not 0 <= request.page_size <= MAX_PAGE_SIZE:
            raise InvalidRequestError.of(
                "page_size", f"{request.page_size} is out of range; limits 0 to {MAX_PAGE_SIZE}"
            )
        models = self._manager.models.all()
        start = bisect.bisect_right([model.manifest.name for model in models], request.page_token)
        end = start + (request.page_size or DEFAULT_PAGE_SIZE)
        return pb.ListModelsResponse(
            models=[_describe(model) for model in models[start:end]],
            next_page_token=models[end - 1].manifest.name if end < len(models) else "",
        )

    async def GetModel(self, request: pb.GetModelRequest, context: Context) -> pb.GetModelResponse:  # noqa: N802, ARG002
        """One model."""
        _check_name(request.name)
        return pb.GetModelResponse(model=_describe(self._manager.models.get(request.name, "name")))

    async def LoadModel(self, request: pb.LoadModelRequest, context: Context) -> pb.LoadModelResponse:  # noqa: N802, ARG002
        """Load or swap."""
        return pb.LoadModelResponse(model=_describe(await self._manager.load(request.directory)))

    async def UnloadModel(self, request: pb.UnloadModelRequest, context: Context) -> pb.UnloadModelResponse:  # noqa: N802, ARG002
        """Unload."""
        _check_name(request.name)
        await self._manager.unload(request.name)
        return pb.UnloadModelResponse()


def _check_name(name: str) -> None:
    if not name:
        raise InvalidRequestError.of("name", "is empty")


def _describe(model: ServedModel) -> pb.Model:
    manifest, pairs = model.manifest, model.manifest.pairs
    return pb.Model(
        name=manifest.name,
        version=manifest.version,
        architecture=manifest.architecture,
        source_language_code=pairs[0].source_language,
        target_language_code=pairs[0].target_language,
        language_pairs=[
            pb.LanguagePair(source_language_code=pair.source_language, target_language_code=pair.target_language)
            for pair in pairs
        ],
        precision=manifest.precision,
        sha256=manifest.sha256,
        max_source_tokens=manifest.limits.max_source_tokens,
        max_target_tokens=model.max_target_tokens,
        max_beam_size=model.max_beam_size,
        state=pb.MODEL_STATE_FAILED if model.worker.has_failed else pb.MODEL_STATE_READY,
        training_data=manifest.training.data,
        licence=manifest.licence,
        task=pb.MODEL_TASK_CAPTION if manifest.reads_images else pb.MODEL_TASK_TRANSLATE,
    )
