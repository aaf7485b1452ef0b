"""The server: ports bound, models loaded and warmed, served, drained."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
from starlette.types import ASGIApp

from service.api.access.access import Access
from service.api.access.listening import check_plaintext
from service.api.access.tls import server_credentials
from service.api.captions import CaptionServicer
from service.api.edge import Edge
from service.api.grpc_port import GrpcPort
from service.api.http.application import application, origins_of
from service.api.http.assets import Assets
from service.api.http.gateway import Gateway
from service.api.http.libretranslate.api import LibreTranslate
from service.api.http.observed import Observed
from service.api.http.port import HttpPort
from service.api.http.probes import Probes
from service.api.http.refusals import Refusals
from service.api.http.routes import routes_of
from service.api.http.threads import HttpThreads
from service.api.in_process import HandlerTable, InProcess
from service.api.interceptors import EdgeInterceptor
from service.api.model_administration import ModelServicer
from service.api.model_manager import ModelManager
from service.api.models import Models, ModelState
from service.api.readiness import Readiness
from service.api.translation import TranslationServicer
from service.bundle.runtime import Runtime
from service.errors import SettingsError
from service.metrics.families import Metrics
from service.metrics.gpu_memory import observe_gpu_memory
from service.metrics.model_states import ModelStates
from service.pb.seq2serve.v1 import caption_service_pb2, model_service_pb2, translation_service_pb2
from service.pb.seq2serve.v1 import caption_service_pb2_grpc as caption_grpc
from service.pb.seq2serve.v1 import model_service_pb2_grpc as model_grpc
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as translation_grpc
from service.pictures.decoder import PictureDecoder
from service.settings import Settings, split_address
from service.tracing import load_tracing

logger = logging.getLogger(__name__)

SERVICES = (
    translation_service_pb2.DESCRIPTOR.services_by_name["TranslationService"],
    caption_service_pb2.DESCRIPTOR.services_by_name["CaptionService"],
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"],
)
OTHER_SERVICES = (
    health_pb2.DESCRIPTOR.services_by_name["Health"],
    reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"],
)
CORE_MESSAGE_FACTOR, CORE_RPC_FACTOR = 2, 2
"""gRPC itself refuses messages only this many times as long, and RPCs so many times as many, as allowed: it cannot say
what is wrong, and we can."""
REFUSE_SECONDS = 0.3
END_SECONDS = 2.0
"""For clients to get the status of what could not be finished."""


class Server:
    """One process's service. `start`, then `stop`; addresses are known after `start`."""

    def __init__(self, settings: Settings, version: str) -> None:
        """Check what can be checked; load no model and bind nothing yet.

        Raises:
            SettingsError: a setting cannot work on this machine.
        """
        self._settings = settings
        self._metrics = Metrics(version)
        self.runtime = Runtime.start(
            settings.device, settings.num_threads, settings.cuda_graphs == "on", settings.max_workspace_mebibytes
        )
        access = Access.of(settings)
        self._check_ports(has_tls=server_credentials(settings) is not None)
        self._origins = origins_of(settings.http_allowed_origins)
        self._tracing = load_tracing(settings.otlp_endpoint, version)
        self._edge = Edge(settings, self._metrics, access, self._tracing)
        self.models = Models()
        self._pictures = PictureDecoder(settings)
        self._http_threads = HttpThreads.of(settings)
        self._readiness = Readiness(self.models, [one.full_name for one in SERVICES], settings.stall_seconds)
        self.manager = ModelManager(
            self.models, settings, self.runtime, self._metrics, self._readiness.update, self._on_failure
        )
        ModelStates(self._metrics.registry, ModelState, self.manager.states)
        self._metrics.ready.set_function(lambda: self._readiness.is_ready)
        self._metrics.refused_bundles.set_function(lambda: self.manager.num_refused)
        self._watching: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self.grpc_address = self.http_address = ""
        if self.runtime.device == "cuda":
            observe_gpu_memory(self._metrics.registry)

    async def start(self) -> dict[str, tuple[str, str]]:
        """Bind the ports, load every model and warm it up, then say SERVING.

        Returns:
            by model name, the warm-up text and its translation.

        Raises:
            BundleError: a model cannot be served.
            SettingsError: a port cannot be bound, or models do not fit into the memory allowed.
        """
        self._port = GrpcPort(
            self._settings.grpc_address,
            self._build,
            lambda: server_credentials(self._settings),
            self._metrics.port_replacements.inc,
        )
        self._bind()
        await self._readiness.begin()
        self._in_process.start()
        self._http.start()
        try:
            await self._port.start()
            translations = await self.manager.start()
        except BaseException:
            await self.stop()
            raise
        self._edge.is_open = True
        await self._readiness.begin(is_started=True)
        self._watch(self._readiness.watch())
        self._watch(self.manager.watch())
        return translations

    async def stop(self) -> None:
        """Drain: refuse new work, finish what was accepted within `drain_seconds`, then end it. Once is enough."""
        if self._is_stopping:
            return
        self._is_stopping = True
        settings = self._settings
        self._readiness.stop()
        for task in self._watching:
            task.cancel()
        await asyncio.sleep(settings.drain_delay_seconds)
        self._edge.draining.set()
        # grpc.aio drops a call that comes in the instant of its stop, and its client learns CANCELLED. Who asks now is
        # told UNAVAILABLE, and asks elsewhere.
        await asyncio.sleep(REFUSE_SECONDS)
        closing = asyncio.create_task(self._port.stop(settings.drain_seconds + 2 * END_SECONDS))
        if not await self._edge.idle(settings.drain_seconds):
            logger.warning("what is not finished after %.1f s is ended", settings.drain_seconds)
        await self.manager.stop()
        await self._edge.idle(END_SECONDS)
        await self._port.stop(END_SECONDS)
        await closing
        await asyncio.to_thread(self._http.stop)  # whose answers may still come from this loop
        self._pictures.stop()
        self._http_threads.stop()
        await asyncio.to_thread(self._tracing.stop)

    def _build(self) -> grpc.aio.Server:
        server = grpc.aio.server(
            interceptors=[self._door()],
            options=_options(self._settings),
            maximum_concurrent_rpcs=CORE_RPC_FACTOR * self._settings.max_rpcs,
        )
        self._add_services(server)
        health_pb2_grpc.add_HealthServicer_to_server(self._readiness.servicer, server)
        names = [service.full_name for service in SERVICES]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        return server

    def _door(self) -> EdgeInterceptor:
        methods = [method for service in (*SERVICES, *OTHER_SERVICES) for method in service.methods]
        return EdgeInterceptor(self._edge, methods)

    def _add_services(self, server: grpc.aio.Server | HandlerTable) -> None:
        translation_grpc.add_TranslationServiceServicer_to_server(  # type: ignore[no-untyped-call]
            TranslationServicer(self.models, self._settings, self._edge.draining), server
        )
        caption_grpc.add_CaptionServiceServicer_to_server(  # type: ignore[no-untyped-call]
            CaptionServicer(self.models, self._pictures), server
        )
        model_grpc.add_ModelServiceServicer_to_server(ModelServicer(self.manager), server)  # type: ignore[no-untyped-call]

    def _check_ports(self, has_tls: bool) -> None:
        settings = self._settings
        for name, is_safe in (("grpc_address", has_tls), ("http_address", False)):
            host, _ = split_address(name, getattr(settings, name))
            check_plaintext(name, host, is_safe, settings)

    def _bind(self) -> None:
        settings = self._settings
        self._port.bind()
        self.grpc_address = self._port.address
        handlers = HandlerTable()
        self._add_services(handlers)
        self._in_process = InProcess(self._door(), handlers)
        try:
            self._http = HttpPort(settings, self._application())
        except OSError as error:
            raise SettingsError(f"http_address {settings.http_address}: cannot listen there: {error}") from None
        self.http_address = self._http.address

    def _application(self) -> ASGIApp:
        probes = Probes(
            lambda: self._readiness.is_live and not self._port.is_worn_out, lambda: self._readiness.is_ready
        )
        threads, refusals = self._http_threads, Refusals(self._metrics)
        plain = tuple(probes.routes(self._metrics.registry, threads.metrics))
        if self._settings.http_api == "off":
            return Observed(application(plain, (), refusals), self._metrics)
        gateway = Gateway(
            routes_of(SERVICES), self._in_process, threads.conversion, refusals, self._settings.max_message_bytes
        )
        libretranslate = LibreTranslate(self._in_process, self.models, threads, self._settings, probes.is_ready)
        routes = (*plain, *gateway.routes(), *libretranslate.routes(refusals), *Assets(self.grpc_address).routes())
        return Observed(application(routes, self._origins, refusals), self._metrics)

    def _watch(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    def _on_failure(self) -> None:
        """An engine ended: its model cannot be served any more until it is loaded again."""
        self._watch(self._readiness.update())


def _options(settings: Settings) -> list[tuple[str, int]]:
    options = [
        ("grpc.max_receive_message_length", CORE_MESSAGE_FACTOR * settings.max_message_bytes),
        ("grpc.max_metadata_size", settings.max_metadata_bytes),
        ("grpc.absolute_max_metadata_size", settings.max_metadata_bytes),
        ("grpc.max_concurrent_streams", settings.max_streams_per_connection),
        # Of RPCs that wait to be taken, gRPC cancels some at random from 1000 on: no client would know why.
        ("grpc.server.max_pending_requests", CORE_RPC_FACTOR * settings.max_rpcs),
        ("grpc.server.max_pending_requests_hard_limit", CORE_RPC_FACTOR * settings.max_rpcs),
        ("grpc.so_reuseport", 0),  # a second server on the same port is a mistake, and is told so
        ("grpc.keepalive_time_ms", int(settings.keepalive_seconds * 1000)),
        ("grpc.keepalive_timeout_ms", int(settings.keepalive_timeout_seconds * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]
    if settings.max_connection_age_seconds:
        options.append(("grpc.max_connection_age_ms", int(settings.max_connection_age_seconds * 1000)))
    return options
