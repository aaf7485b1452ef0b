"""Whether the service can be asked: grpc.health.v1 by service and by model, and what /livez and /readyz say.

Ready follows the engines' progress: a model that has work and does not move makes the process not ready, so that load
balancers go elsewhere; an engine that ended makes it not live, so that orchestrators start it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from grpc_health.v1 import health, health_pb2

from service.api.models import Models

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
SET_SECONDS = 1.0
"""A client that watches health and reads nothing holds the health service's lock."""
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def health_name(model: str) -> str:
    """What the health service calls a model."""
    return f"models/{model}"


class HealthServicer(health.aio.HealthServicer):  # type: ignore[misc]
    """grpcio's, with the RPC that it lacks."""

    async def List(self, *_: object) -> health_pb2.HealthListResponse:  # noqa: N802
        """All names and how they are."""
        statuses = {name: health_pb2.HealthCheckResponse(status=status) for name, status in self._server_status.items()}
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
            await self.update()

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
        await self._tell(states | gone | dict.fromkeys(self._services, _SERVING if is_ready else _NOT_SERVING))

    async def stop(self) -> None:
        """Say for good that nothing is serving."""
        self._is_ready, self._is_stopping = False, True
        try:
            await asyncio.wait_for(self.servicer.enter_graceful_shutdown(), SET_SECONDS)
        except TimeoutError:
            logger.warning("a client that watches health does not read")

    async def _tell(self, states: dict[str, int]) -> None:
        for name, state in states.items():
            if self._told.get(name) == state:
                continue
            try:
                await asyncio.wait_for(self.servicer.set(name, state), SET_SECONDS)
            except TimeoutError:
                logger.warning("a client that watches health does not read")
            else:
                self._told[name] = state
