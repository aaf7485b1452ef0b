"""In which state each model is, asked when Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

State = TypeVar("State", bound=Enum)


class ModelStates(Collector, Generic[State]):
    """A gauge for each model and state: 1 for the one it is in."""

    def __init__(self, registry: CollectorRegistry, kind: type[State], ask: Callable[[], Mapping[str, State]]) -> None:
        """`ask` is called on any thread; values of `kind` become labels."""
        self._kind = kind
        self._ask = ask
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """For the registry."""
        family = GaugeMetricFamily(
            "seq2serve_model_state", "1 for the state that a model is in.", labels=["model", "state"]
        )
        for name, current in sorted(self._ask().items()):
            for state in self._kind:
                family.add_metric([name, state.value], float(state is current))
        yield family
