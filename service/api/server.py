"""The server: models loaded, warmed, served, drained."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from service.api.conversion import decoding_of
from service.api.http_port import HttpPort
from service.api.interceptors import EdgeInterceptor
from service.api.model_listing import ModelServicer
from service.api.models import Models
from service.api.served_model import ServedModel
from service.api.translation import TranslationServicer
from service.bundle.repository import load_bundles
from service.bundle.runtime import PROVIDERS, Runtime
from service.errors import SettingsError
from service.metrics import Metrics
from service.pb.seq2serve.v1 import model_service_pb2, translation_service_pb2
from service.pb.seq2serve.v1 import model_service_pb2_grpc as model_grpc
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as translation_grpc
from service.request import Priority
from service.settings import Settings, split_address

logger = logging.getLogger(__name__)

SERVICES = (
    translation_service_pb2.DESCRIPTOR.services_by_name["TranslationService"],
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"],
)
WARM_UP_TEXTS = {"en": "I am a student.", "ko": "나는 학생입니다.", "de": "Guten Tag.", "fr": "Bonjour.", "es": "Hola."}


class Server:
    """One process's service. `start`, then `stop`; `addresses` are known after `start`."""

    def __init__(self, settings: Settings, version: str) -> None:
        """Load the models and bind nothing yet.

        Raises:
            BundleError: a model cannot be served.
            SettingsError: a setting cannot work on this machine.
        """
        self._settings = settings
        self._metrics = Metrics(version)
        self.runtime = Runtime.start(settings.device, settings.num_threads)
        bundles = load_bundles(settings.models, self.runtime)
        self.models = Models(ServedModel(bundle, settings, self._metrics, self._on_failure) for bundle in bundles)
        for model in self.models.all():
            self._describe(model)
        self._is_ready = self._is_stopping = False
        self.grpc_address = self.http_address = ""

    async def start(self) -> dict[str, tuple[str, str]]:
        """Bind the ports, warm every model up, then say SERVING.

        Returns:
            by model name, the warm-up text and its translation.

        Raises:
            SettingsError: a port cannot be bound.
        """
        settings = self._settings
        self._health = health.aio.HealthServicer()
        await self._set_health(is_serving=False)
        self._server = grpc.aio.server(
            interceptors=[EdgeInterceptor(self._metrics, _requests())], options=_options(settings)
        )
        translation_grpc.add_TranslationServiceServicer_to_server(  # type: ignore[no-untyped-call]
            TranslationServicer(self.models, settings), self._server
        )
        model_grpc.add_ModelServiceServicer_to_server(ModelServicer(self.models), self._server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [service.full_name for service in SERVICES]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        self._bind()
        for model in self.models.all():
            model.worker.start()
        await self._server.start()
        self._http.start()
        translations = {model.manifest.name: await self._warm_up(model) for model in self.models.all()}
        self._is_ready = True
        await self._set_health(is_serving=True)
        return translations

    async def stop(self) -> None:
        """Drain: refuse new work, finish what was accepted within `drain_seconds`, then cancel it. Once is enough."""
        if self._is_stopping:
            return
        self._is_stopping, self._is_ready = True, False
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._settings.drain_seconds)
        for model in self.models.all():
            await model.worker.stop()
        self._http.stop()

    def _bind(self) -> None:
        settings = self._settings
        host, _ = split_address("grpc_address", settings.grpc_address)
        try:
            port = self._server.add_insecure_port(settings.grpc_address)
        except RuntimeError as error:
            raise SettingsError(f"grpc_address {settings.grpc_address}: cannot listen there: {error}") from None
        self.grpc_address = f"{host}:{port}"
        http_host, http_port = split_address("http_address", settings.http_address)
        try:
            self._http = HttpPort(
                http_host, http_port, self._metrics, self.models, lambda: self._is_ready, self.grpc_address
            )
        except OSError as error:
            raise SettingsError(f"http_address {settings.http_address}: cannot listen there: {error}") from None
        self.http_address = self._http.address

    async def _warm_up(self, model: ServedModel) -> tuple[str, str]:
        language = model.languages.source_language.partition("-")[0]
        text = WARM_UP_TEXTS.get(language, "123")
        decoding = decoding_of(translation_service_pb2.DecodingOptions(), model, Priority.INTERACTIVE)
        return text, (await model.translate(text, decoding, None))[0].text

    async def _set_health(self, is_serving: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if is_serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *(service.full_name for service in SERVICES)):
            await self._health.set(name, status)

    def _on_failure(self) -> None:
        """A worker died: this process cannot serve any more; say so until it is restarted."""
        self._is_ready = False
        self._failing = asyncio.get_running_loop().create_task(self._set_health(is_serving=False))

    def _describe(self, model: ServedModel) -> None:
        manifest, provider = model.manifest, PROVIDERS[self.runtime.device]
        labels = (manifest.name, manifest.version, manifest.precision, provider, manifest.sha256)
        self._metrics.model_info.labels(*labels).set(1)
        self._metrics.model_load.labels(manifest.name).set(model.bundle.load_seconds)
        logger.info(
            "%s %s: %s, KV cache of %d rows, %.1f MiB",
            manifest.name,
            manifest.version,
            manifest.precision,
            model.max_rows,
            model.num_cache_bytes / 2**20,
        )


def _requests() -> dict[str, Any]:
    return {
        f"/{service.full_name}/{method.name}": method.input_type for service in SERVICES for method in service.methods
    }


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.so_reuseport", 0),  # a second server on the same port is a mistake, and is told so
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 60_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
