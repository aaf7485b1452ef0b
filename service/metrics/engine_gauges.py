"""How loaded the engines are, asked when Prometheus scrapes: an engine that hangs cannot freeze these figures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.engine_report import EngineLoad


class Observed(Protocol):
    """Something that runs an engine."""

    name: str
    """Of the model."""

    def load(self) -> EngineLoad:
        """How much it has to do; called from any thread."""
        ...


class EngineGauges(Collector):
    """Gauges of all engines that are attached. While a model is swapped two have its name: their requests add up."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._lock = threading.Lock()
        self._engines: list[Observed] = []
        registry.register(self)

    def attach(self, engine: Observed) -> None:
        """Show it from now on."""
        with self._lock:
            self._engines.append(engine)

    def detach(self, engine: Observed) -> bool:
        """Show it no more; whether another of its name is left."""
        with self._lock:
            self._engines.remove(engine)
            return any(other.name == engine.name for other in self._engines)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For the registry."""
        families = _Families()
        with self._lock:
            engines = list(self._engines)
        by_name: dict[str, list[EngineLoad]] = {}
        for engine in engines:
            by_name.setdefault(engine.name, []).append(engine.load())
        for name, loads in sorted(by_name.items()):
            families.add(name, loads)
        yield from families.all()


class _Families:
    def __init__(self) -> None:
        model, phase = ["model"], ["model", "phase"]
        self.running = GaugeMetricFamily("seq2serve_requests_running", "Sentences that hold rows.", labels=model)
        self.waiting = GaugeMetricFamily(
            "seq2serve_requests_waiting", "Sentences in the queue, by what they wait for.", labels=["model", "reason"]
        )
        self.limit = GaugeMetricFamily("seq2serve_queue_limit", "Sentences that may wait.", labels=model)
        self.usage = GaugeMetricFamily(
            "seq2serve_kv_cache_usage_ratio", "Share of cache positions in use.", labels=["model", "pool"]
        )
        self.rows = GaugeMetricFamily(
            "seq2serve_batch_rows", "Rows that are decoded, rows last encoded together.", labels=phase
        )
        self.ratio = GaugeMetricFamily(
            "seq2serve_batch_rows_ratio", "Rows that are decoded over those there are.", labels=model
        )
        self.last_step = GaugeMetricFamily(
            "seq2serve_engine_last_step_timestamp_seconds", "When the engine last ended a step.", labels=model
        )

    def add(self, name: str, loads: list[EngineLoad]) -> None:
        newest = loads[-1]
        self.running.add_metric([name], sum(load.num_running for load in loads))
        for reason in newest.num_waiting:
            self.waiting.add_metric([name, reason], sum(load.num_waiting[reason] for load in loads))
        self.limit.add_metric([name], newest.queue_limit)
        for pool in newest.cache_usage:
            self.usage.add_metric([name, pool], max(load.cache_usage[pool] for load in loads))
        for phase in newest.num_rows:
            self.rows.add_metric([name, phase], sum(load.num_rows[phase] for load in loads))
        self.ratio.add_metric([name], max(load.num_rows["decode"] / load.max_rows for load in loads))
        self.last_step.add_metric([name], max(load.last_step_timestamp for load in loads))

    def all(self) -> Iterator[GaugeMetricFamily]:
        yield from (self.running, self.waiting, self.limit, self.usage, self.rows, self.ratio, self.last_step)
