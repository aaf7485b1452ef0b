"""Which models are served, while the service runs: loaded, swapped, unloaded."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import replace

from service.api.bundle_watcher import BundleWatcher
from service.api.memory_budget import MemoryBudget, Reservation, demand_of
from service.api.model_loading import LoadedModel, ModelLoader
from service.api.model_metrics import hide_version, show_version
from service.api.models import Models, ModelState
from service.api.refusals import NameTakenError, check_directory_name, refused
from service.api.served_model import ServedModel
from service.bundle.manifest import Manifest, load_manifest
from service.bundle.repository import Repository
from service.bundle.runtime import Runtime
from service.errors import (
    BundleError,
    MemoryBudgetError,
    ModelNotFoundError,
    ServiceError,
    SettingsError,
    ShuttingDownError,
)
from service.metrics.families import Metrics
from service.settings import Settings

logger = logging.getLogger(__name__)

RETIRED_SECONDS = 600.0
"""For requests that run on a model whose place another took; a client that reads nothing would hold it for ever."""


class ModelManager:
    """Owns the models. Everything happens on the event loop but reading files; one load at a time."""

    def __init__(
        self,
        models: Models,
        settings: Settings,
        runtime: Runtime,
        metrics: Metrics,
        on_change: Callable[[], Awaitable[None]],
        on_failure: Callable[[], None],
    ) -> None:
        """Load nothing yet.

        Args:
            models: those that are served, to be kept up to date.
            settings: where bundles are and what they may use.
            runtime: what runs them.
            metrics: tell of each model that is served.
            on_change: called when a model was put, replaced or removed.
            on_failure: called when the engine of a served model died.
        """
        self.models = models
        self._settings = settings
        self._metrics = metrics
        self._on_change = on_change
        self._on_failure = on_failure
        self._loader = ModelLoader(settings, runtime, metrics)
        self._budget = MemoryBudget(settings.max_memory_mebibytes * 2**20 or None)
        self._lock = asyncio.Lock()
        self._served: dict[str, LoadedModel] = {}
        self._retiring: dict[LoadedModel, asyncio.Task[None]] = {}
        self._loads: set[asyncio.Task[ServedModel]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._loading = ""
        """The name of the model that is being loaded."""
        self._refused: dict[str, str] = {}
        """By directory that could not be loaded, its model's name, or its own where it does not tell."""
        self._dead: set[Reservation] = set()
        """Of models whose engine died."""
        self._is_stopping = False

    async def start(self) -> dict[str, tuple[str, str]]:
        """Load every bundle, run each once, then serve them.

        Returns:
            by model name, the warm-up text and its translation.

        Raises:
            BundleError: there is none, one is not fit to be served, or two have the same name.
            SettingsError: the memory that the settings allow does not hold them.
        """
        self._repository = await asyncio.to_thread(Repository.find, self._settings.models)
        known = await asyncio.to_thread(self._repository.scan)
        self._watcher = BundleWatcher(self._repository, known, self.load, self._drop)
        manifests = await asyncio.to_thread(self._repository.manifests, known)
        reservations = self._plan(list(manifests.values()))
        started: list[LoadedModel] = []
        try:
            for (directory, manifest), reservation in zip(manifests.items(), reservations, strict=True):
                started.append(await self._bring_up(directory, manifest, reservation))
        except BaseException:
            for loaded in started:
                await loaded.model.stop()
            raise
        for loaded in started:
            self._serve(loaded)
        await self._on_change()
        return {loaded.name: loaded.warm_up for loaded in started}

    async def load(self, directory: str) -> ServedModel:
        """Serve the bundle of a directory, in place of the version that is served if there is one.

        Goes on though the caller be cancelled; what is served already is not loaded again.

        Raises:
            InvalidRequestError: `directory` is no plain name.
            ModelNotFoundError: there is no such directory.
            BundleRefusedError: its bundle cannot be served; what is served stays.
            MemoryBudgetError: it does not fit beside what is served.
        """
        check_directory_name(directory)
        if self._is_stopping:
            raise ShuttingDownError
        # A context of its own: a warm-up is not the caller's to pay.
        task = asyncio.create_task(self._load(directory), context=Context())
        self._loads.add(task)
        task.add_done_callback(self._loads.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise ShuttingDownError from None
            raise

    async def unload(self, name: str) -> None:
        """Serve a model no more; requests that run finish. It stays away until it is loaded or its files change.

        Raises:
            ModelNotFoundError: there is none of that name.
        """
        self.models.get(name, "name")
        await self._remove(name)
        async with self._lock:  # what was being loaded meanwhile is not wanted either
            await self._remove(name)

    async def watch(self) -> None:
        """Look for changed bundles every `watch_seconds` until `stop`."""
        if self._settings.watch_seconds:
            self._watching = asyncio.current_task()
            await self._watcher.watch(self._settings.watch_seconds)

    async def poll(self) -> None:
        """Look for changed bundles once."""
        await self._watcher.poll()

    async def stop(self) -> None:
        """Stop watching, loading and all engines. What still runs fails."""
        self._is_stopping = True
        tasks = [*self._loads, *self._retiring.values(), *([self._watching] if self._watching else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for loaded in (*self._served.values(), *self._retiring):
            await loaded.model.stop()

    @property
    def memory_bytes(self) -> int:
        """Weights and KV caches of all models, those that are loading or retiring as well."""
        return self._budget.used_bytes

    @property
    def num_refused(self) -> int:
        """Directories whose bundle could not be loaded, as long as they are there and nothing better came."""
        return len(self._refused)

    def states(self) -> dict[str, ModelState]:
        """By name, of all models that are known: one that is served is ready, whatever becomes of other versions.

        May be asked on any thread.
        """
        states = dict.fromkeys(list(self._refused.values()), ModelState.FAILED)
        states |= {loaded.name: ModelState.UNLOADING for loaded in list(self._retiring)}
        if self._loading:
            states[self._loading] = ModelState.LOADING
        for name, loaded in list(self._served.items()):
            states[name] = ModelState.FAILED if loaded.reservation in self._dead else ModelState.READY
        return states

    def _plan(self, manifests: list[Manifest]) -> list[Reservation]:
        try:
            return self._budget.plan([demand_of(manifest, self._settings) for manifest in manifests])
        except MemoryBudgetError as error:
            raise SettingsError(str(error)) from None

    async def _load(self, directory: str) -> ServedModel:
        if not await asyncio.to_thread(self._repository.has, directory):
            raise ModelNotFoundError("directory", f"there is no bundle directory {directory!r}")
        place, name = self._repository.place(directory), directory
        async with self._lock:
            try:
                manifest = await asyncio.to_thread(load_manifest, place)
                name = manifest.name
                model = await self._swap_in(directory, manifest)
            except BundleError as error:
                self._refused[directory] = name
                raise refused(error, place) from error
            except ServiceError:
                self._refused[directory] = name
                raise
        self._refused.pop(directory, None)
        return model

    async def _swap_in(self, directory: str, manifest: Manifest) -> ServedModel:
        """Load beside what is served, then change over."""
        old = self._served.get(manifest.name)
        if old is not None and old.directory != directory:
            if await asyncio.to_thread(self._repository.has, old.directory):
                raise NameTakenError(f"{directory}: the bundle in {old.directory} is called {manifest.name}, too")
            old = self._served[manifest.name] = replace(old, directory=directory)  # it was renamed
        is_alive = old is not None and old.reservation not in self._dead
        if old is not None and is_alive and old.model.manifest.sha256 == manifest.sha256:
            return old.model
        fresh = await self._bring_up(directory, manifest, self._budget.reserve(demand_of(manifest, self._settings)))
        self._serve(fresh)
        await self._on_change()
        return fresh.model

    async def _bring_up(self, directory: str, manifest: Manifest, reservation: Reservation) -> LoadedModel:
        self._loading = manifest.name
        try:
            place = self._repository.place(directory)
            return await self._loader.load(directory, place, manifest, reservation, self._fail)
        except BaseException:
            self._free(reservation)
            raise
        finally:
            self._loading = ""

    def _serve(self, fresh: LoadedModel) -> None:
        """At once: requests that begin afterwards find the new model."""
        replaced = [old for old in self._served.values() if fresh.name == old.name or fresh.directory == old.directory]
        self.models.put(fresh.model)
        for old in replaced:
            self._withdraw(old)
        self._served[fresh.name] = fresh
        show_version(self._metrics, fresh.model)
        how = f"swapped {replaced[0].title} for" if replaced else "loaded"
        logger.info("%s %s in %.1f s: %s", how, fresh.title, fresh.seconds, fresh.size)

    async def _remove(self, name: str) -> None:
        loaded = self._served.get(name)
        if loaded is not None:
            self._withdraw(loaded)
            await self._on_change()

    async def _drop(self, directory: str) -> None:
        """The directory is there no more."""
        self._refused.pop(directory, None)
        for loaded in [loaded for loaded in self._served.values() if loaded.directory == directory]:
            await self._remove(loaded.name)

    def _withdraw(self, loaded: LoadedModel) -> None:
        """Requests that begin from now on do not find the model; it goes when it has none left."""
        del self._served[loaded.name]
        if self.models.find(loaded.name) is loaded.model:
            self.models.remove(loaded.name)
        loaded.model.retire()
        hide_version(self._metrics, loaded.model)
        self._retiring[loaded] = asyncio.create_task(self._let_go(loaded), context=Context())

    async def _let_go(self, loaded: LoadedModel) -> None:
        started = time.perf_counter()
        try:
            await asyncio.wait_for(loaded.model.idle(), RETIRED_SECONDS)
        except TimeoutError:
            logger.warning("what still runs on %s is ended", loaded.title)
        await loaded.model.stop()
        await asyncio.to_thread(gc.collect)  # what it held is to be free when that is said
        self._free(loaded.reservation)
        del self._retiring[loaded]
        logger.info("unloaded %s after %.1f s: %s", loaded.title, time.perf_counter() - started, loaded.size)

    def _free(self, reservation: Reservation) -> None:
        """What a model that is gone had."""
        self._budget.release(reservation)
        self._dead.discard(reservation)

    def _fail(self, reservation: Reservation) -> None:
        """An engine died. One that is not served, as in a warm-up, harms nobody but those who wait for it."""
        if any(loaded.reservation is reservation for loaded in self._served.values()):
            self._dead.add(reservation)
            self._on_failure()
