"""From a bundle's directory to a model that answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from service.api.memory_budget import Reservation
from service.api.served_model import ServedModel
from service.api.warm_up import WarmUp, warm_up
from service.bundle.bundle import Bundle
from service.bundle.manifest import Manifest
from service.bundle.runtime import Runtime
from service.engine.placed import place_bundle
from service.errors import BundleError, DeviceError
from service.metrics.families import Metrics
from service.settings import Settings


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that answers, where it came from and what it holds."""

    model: ServedModel
    directory: str
    """The name of its bundle's."""
    reservation: Reservation
    warm_up: WarmUp
    seconds: float
    """From the first byte read to the end of the warm-up."""

    @property
    def name(self) -> str:
        """The model's."""
        return self.model.manifest.name

    @property
    def title(self) -> str:
        """For the log."""
        manifest = self.model.manifest
        return f"{manifest.name} {manifest.version} ({manifest.sha256[:12]})"

    @property
    def size(self) -> str:
        """For the log."""
        cache = f"KV cache of {self.model.max_rows} rows, {self.model.num_cache_bytes / 2**20:.1f} MiB"
        return f"{cache}; weights of {self.reservation.demand.weight_bytes / 2**20:.1f} MiB"


@dataclass(frozen=True)
class ModelLoader:
    """Loads models beside those that are served."""

    settings: Settings
    runtime: Runtime
    metrics: Metrics

    async def load(
        self,
        directory: str,
        place: Path,
        manifest: Manifest,
        reservation: Reservation,
        on_failure: Callable[[Reservation], None],
    ) -> LoadedModel:
        """Open a bundle in a thread, start its engine and run it once.

        Args:
            directory: the bundle's name among bundles.
            place: where it is.
            manifest: what was read there.
            reservation: the memory that it may use.
            on_failure: told the reservation when the engine died.

        Raises:
            BundleError: it cannot be served; nothing of it is left.
        """
        started = time.perf_counter()
        bundle = await asyncio.to_thread(Bundle.open, place, manifest, self.runtime)
        num_rows = reservation.num_rows
        try:
            runner, cache = await asyncio.to_thread(place_bundle, bundle, num_rows)
        except (MemoryError, ValueError, DeviceError) as error:  # numpy's of a state beyond all measure, and a GPU's
            raise BundleError(f"{place}: a KV cache of {num_rows} rows cannot be had: {error}") from None
        model = ServedModel(bundle, runner, cache, self.settings, self.metrics, lambda: on_failure(reservation))
        model.worker.start()
        try:
            warm = await warm_up(model)
        except BaseException:
            await model.stop()
            raise
        return LoadedModel(model, directory, reservation, warm, time.perf_counter() - started)
