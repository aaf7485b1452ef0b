"""What one replica can do, as `python -m bench.capacity.measure` found it: a file that the arithmetic starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

SCHEMA = 1


class CurveError(ValueError):
    """A file that no plan can be made from; the message names the field."""


@dataclass(frozen=True, kw_only=True)
class ClosedPoint:
    """Clients that each wait for their answer: so many sentences are in flight at any time."""

    clients: int
    sentences_per_second: float
    mean_seconds: float
    cpu_cores: float
    """Processor time of the replica per second."""


@dataclass(frozen=True, kw_only=True)
class OpenPoint:
    """Sentences that come when they come (Poisson); latencies count from when each was due."""

    offered: float
    """Sentences per second."""
    sentences_per_second: float
    """Answered, up to the last answer."""
    requests: int
    """In all rounds."""
    mean_seconds: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    cpu_cores: float

    def percentile_seconds(self, percentile: int) -> float:
        """One of 50, 95 and 99."""
        return {50: self.p50_seconds, 95: self.p95_seconds, 99: self.p99_seconds}[percentile]


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Where, when and how long was measured."""

    date: str
    processor: str
    replica_cores: int
    clients_share_cores: bool
    """Whether the load came from the replica's own cores."""
    load_average: float
    """Of the machine when the measurement began: what others did to it."""
    rounds: int
    seconds_per_point: float
    versions: dict[str, str]
    models: str
    """Loaded; the first of them answered."""
    beam_size: int
    mean_source_characters: float
    mean_target_tokens: float


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One replica."""

    schema: int
    conditions: Conditions
    start_seconds: float
    """From the start of the process until it is ready, median."""
    idle_memory_bytes: int
    peak_memory_bytes: int
    connection_bytes: float
    """Memory that one more idle connection takes."""
    request_bytes: float
    response_bytes: float
    """On the wire for one sentence, HTTP/2 included, TCP/IP not."""
    sizes: list[float]
    """Latencies of sentences that are alone, over their mean, at a hundred equal steps of probability."""
    closed: list[ClosedPoint]
    open: list[OpenPoint]

    def __post_init__(self) -> None:
        """Raises CurveError where the parts cannot be a curve."""
        if self.schema != SCHEMA:
            raise CurveError(f"schema {self.schema}: this version reads {SCHEMA}; measure again")
        _check_rising("closed.clients", [point.clients for point in self.closed])
        _check_rising("open.offered", [point.offered for point in self.open])
        _check_positive("closed.sentences_per_second", [point.sentences_per_second for point in self.closed])
        _check_positive("open.p50_seconds", [point.p50_seconds for point in self.open])
        _check_positive("sizes", self.sizes)
        _check_positive("conditions.replica_cores", [self.conditions.replica_cores])
        if self.closed[0].clients != 1:
            raise CurveError(f"closed.clients: begins with {self.closed[0].clients}; what one alone takes is needed")

    @property
    def capacity(self) -> float:
        """Sentences per second, never less busy."""
        return max(point.sentences_per_second for point in self.closed)

    @classmethod
    def read(cls, path: Path) -> Self:
        """A file that `write` wrote.

        Raises:
            CurveError: there is none, or it holds something else.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except OSError as error:
            raise CurveError(f"{path}: {error.strerror}; python -m bench.capacity.measure makes one") from None
        except msgspec.DecodeError as error:  # __post_init__'s errors come as these, too
            raise CurveError(f"{path}: {error}") from None

    def write(self, path: Path) -> None:
        """As indented JSON."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")


def _check_rising(name: str, values: Sequence[float]) -> None:
    _check_positive(name, values)
    if list(values) != sorted(set(values)):
        raise CurveError(f"{name}: {values} do not rise")


def _check_positive(name: str, values: Sequence[float]) -> None:
    if not values:
        raise CurveError(f"{name}: there is none")
    if not min(values) > 0:
        raise CurveError(f"{name}: {min(values)} must be above 0")
