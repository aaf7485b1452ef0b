"""The server: models loaded, warmed, served, drained."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from service.api.http_port import HttpPort
from service.api.interceptors import EdgeInterceptor
from service.api.model_administration import ModelServicer
from service.api.model_manager import ModelManager
from service.api.translation import TranslationServicer
from service.bundle.runtime import Runtime
from service.errors import SettingsError
from service.metrics import Metrics
from service.pb.seq2serve.v1 import model_service_pb2, translation_service_pb2
from service.pb.seq2serve.v1 import model_service_pb2_grpc as model_grpc
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as translation_grpc
from service.settings import Settings, split_address

SERVICES = (
    translation_service_pb2.DESCRIPTOR.services_by_name["TranslationService"],
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"],
)


class Server:
    """One process's service. `start`, then `stop`; `addresses` are known after `start`."""

    def __init__(self, settings: Settings, version: str) -> None:
        """Load and bind nothing yet.

        Raises:
            SettingsError: a setting cannot work on this machine.
        """
        self._settings = settings
        self._metrics = Metrics(version)
        self.runtime = Runtime.start(settings.device, settings.num_threads)
        self.manager = ModelManager(settings, self.runtime, self._metrics, self._on_change, self._on_failure)
        self.models = self.manager.models
        self._draining = asyncio.Event()
        self._is_ready = self._is_stopping = False
        self.grpc_address = self.http_address = ""

    async def start(self) -> dict[str, tuple[str, str]]:
        """Load the models, bind the ports, then say SERVING.

        Returns:
            by model name, the warm-up text and its translation.

        Raises:
            BundleError: a model cannot be served.
            SettingsError: a port cannot be bound.
        """
        settings = self._settings
        translations = await self.manager.start()
        self._health = health.aio.HealthServicer()
        await self._set_health(is_serving=False)
        self._server = grpc.aio.server(
            interceptors=[EdgeInterceptor(self._metrics, _requests())], options=_options(settings)
        )
        translation_grpc.add_TranslationServiceServicer_to_server(  # type: ignore[no-untyped-call]
            TranslationServicer(self.models, settings, self._draining), self._server
        )
        model_grpc.add_ModelServiceServicer_to_server(ModelServicer(self.manager), self._server)  # type: ignore[no-untyped-call]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [service.full_name for service in SERVICES]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        self._bind()
        await self._server.start()
        self._http.start()
        self._watching = asyncio.create_task(self.manager.watch())
        self._is_ready = True
        await self._set_health(is_serving=True)
        return translations

    async def stop(self) -> None:
        """Drain: refuse new work, finish what was accepted within `drain_seconds`, then cancel it. Once is enough."""
        if self._is_stopping:
            return
        self._is_stopping, self._is_ready = True, False
        await self._health.enter_graceful_shutdown()
        self._draining.set()
        await self._server.stop(self._settings.drain_seconds)
        await self.manager.stop()
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

    async def _set_health(self, is_serving: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if is_serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *(service.full_name for service in SERVICES)):
            await self._health.set(name, status)

    def _on_failure(self) -> None:
        """A worker died: this process cannot serve any more; say so until it is restarted."""
        self._is_ready = False
        self._failing = asyncio.get_running_loop().create_task(self._set_health(is_serving=False))

    async def _on_change(self) -> None:
        """Models came or went; which ones, ListModels tells."""


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
