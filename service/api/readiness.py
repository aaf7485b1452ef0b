"""Whether the service can be asked: grpc.health.v1 by service and by model, and what /livez and /readyz say.

Ready follows the engines' progress: a model that has work and does not move makes the process not ready, so that load
balancers go elsewhere; an engine that ended makes it not live, so that orchestrators start it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable

from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.api.models import Models
from service.errors import ServiceNotFoundError

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def health_name(model: str) -> str:
    """What the health service calls a model."""
    return f"models/{model}"


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """As grpcio's, but List is there, and no client that watches and does not read holds the others up."""

    def __init__(self) -> None:
        self._statuses: dict[str, int] = {}
        self._changed = asyncio.Event()

    def set(self, name: str, status: int) -> None:
        """Say how a service is."""
        self._statuses[name] = status
        self._changed.set()
        self._changed = asyncio.Event()

    async def Check(self, request: health_pb2.HealthCheckRequest, _: object) -> health_pb2.HealthCheckResponse:  # noqa: N802
        """How one is."""
        if request.service not in self._statuses:
            raise ServiceNotFoundError(f"service: nothing here is called {request.service[:100]!r}")
        return health_pb2.HealthCheckResponse(status=self._statuses[request.service])

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, _: object
    ) -> AsyncGenerator[health_pb2.HealthCheckResponse]:
        """How one is, now and whenever that changes."""
        told = None
        while True:
            changed, status = self._changed, self._statuses.get(request.service, _UNKNOWN)
            if status != told:
                yield health_pb2.HealthCheckResponse(status=status)
                told = status
            else:
                await changed.wait()

    async def List(self, *_: object) -> health_pb2.HealthListResponse:  # noqa: N802
        """All names and how they are."""
        statuses = {name: health_pb2.HealthCheckResponse(status=status) for name, status in self._statuses.items()}
        return health_pb2.HealthListResponse(statuses=statuses)


class Readiness:
    """Watches the models and tells the health service."""

    def __init__(self, models: Models, services: Iterable[str], stall_seconds: float) -> None:
        """`services`: full names; like the empty name they are as healthy as the process. Nothing is serving yet."""
        self.servicer = HealthServicer()
        self._models = models
        self._services = ("", *services)
        self._stall_seconds = stall_seconds
        self._told: dict[str, int] = {}
        self._is_started = self._is_stopping = False
        self._is_ready = False

    @property
    def is_ready(self) -> bool:
        """Whether requests can be answered."""
        return self._is_ready

    @property
    def is_live(self) -> bool:
        """Whether the process is worth keeping."""
        return not any(model.worker.has_failed for model in self._models.all())

    async def begin(self, is_started: bool = False) -> None:
        """Say what is known; `is_started`: the models are loaded and warm."""
        self._is_started = is_started
        await self.update()

    async def watch(self) -> None:
        """Follow the engines until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.update()
            except Exception:  # of one look; the next may find out more
                logger.exception("the engines could not be looked at")

    async def update(self) -> None:
        """Look at the models and tell what changed."""
        if self._is_stopping:
            return
        healthy = {model.manifest.name: model.worker.is_healthy(self._stall_seconds) for model in self._models.all()}
        is_ready = self._is_started and bool(healthy) and all(healthy.values())
        if is_ready != self._is_ready:
            stalled = ", ".join(name for name, is_healthy in healthy.items() if not is_healthy)
            logger.log(
                logging.INFO if is_ready else logging.ERROR,
                "%s",
                "ready" if is_ready else f"not ready: {f'no progress in {stalled}' if stalled else 'no model'}",
            )
        self._is_ready = is_ready
        states = {health_name(name): _SERVING if good else _NOT_SERVING for name, good in healthy.items()}
        gone = {name: _UNKNOWN for name in self._told if name not in states and name not in self._services}
        self._tell(states | gone | dict.fromkeys(self._services, _SERVING if is_ready else _NOT_SERVING))

    def stop(self) -> None:
        """Say for good that nothing is serving."""
        self._is_ready, self._is_stopping = False, True
        self._tell(dict.fromkeys(self._told, _NOT_SERVING))

    def _tell(self, states: dict[str, int]) -> None:
        for name, state in states.items():
            if self._told.get(name) != state:
                self._told[name] = state
                self.servicer.set(name, state)
