"""Replicas, with or without Envoy before them, under load for a while."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import closed_loop
from bench.scale_out.cpu_limit import idle_seconds, limited, pinned, processor_seconds
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from tests.deploy.envoy_process import EnvoyProcess
from tests.deploy.replica import Replica

CLIENTS_PER_REPLICA = 16
WARM_UP_REQUESTS = 32


@dataclass(frozen=True)
class Measured:
    """One round of one arrangement."""

    sentences_per_second: float
    p95_seconds: float
    replica_milliseconds: float
    """Processor time of all replicas, for each sentence."""
    envoy_milliseconds: float
    """That of Envoy, for each sentence; 0 without it."""
    client_milliseconds: float
    """That of the load generator, for each sentence."""
    idle_share: float
    """Of all cores of the machine: where it is near 0, the machine was the limit and not the replicas."""


@dataclass(frozen=True)
class Arrangement:
    """Running: replicas, and where to ask them."""

    name: str
    address: str
    replicas: Sequence[Replica]
    envoy: EnvoyProcess | None

    async def measure(self, texts: Sequence[str], seconds: float) -> Measured:
        """Keep all replicas busy for about so long.

        Args:
            texts: sentences, taken in order.
            seconds: the number of requests is chosen by the speed of a short load before.
        """
        num_clients, options = CLIENTS_PER_REPLICA * len(self.replicas), pb.DecodingOptions()
        first = await closed_loop(self.address, texts, options, num_clients, 2 * num_clients + WARM_UP_REQUESTS)
        number = max(num_clients, int(seconds * first.num_requests / first.seconds))
        started, idle, spent = time.perf_counter(), idle_seconds(), self._spent()
        load = await closed_loop(self.address, texts, options, num_clients, number)
        replicas, envoy, client = (
            1000 * (after - before) / number for after, before in zip(self._spent(), spent, strict=True)
        )
        all_seconds = (time.perf_counter() - started) * (os.cpu_count() or 1)
        idle_share = (idle_seconds() - idle) / all_seconds
        return Measured(load.num_requests / load.seconds, load.p95, replicas, envoy, client, idle_share)

    def _spent(self) -> tuple[float, float, float]:
        replicas = sum(processor_seconds(replica.pid) for replica in self.replicas)
        envoy = processor_seconds(self.envoy.pid) if self.envoy else 0.0
        return replicas, envoy, processor_seconds(os.getpid())


@contextmanager
def running(model: Path, num_replicas: int, share: float, rows: int) -> Iterator[list[Arrangement]]:
    """One replica alone, and one, two, … of them behind an Envoy each. All run all the time; who is not asked idles."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        replicas = [Replica("--max-rows", str(rows), models=model) for _ in range(num_replicas)]
        for number, replica in enumerate(replicas):
            replica.command = pinned(replica.command, number)
            stack.enter_context(replica)
            stack.enter_context(limited(replica.pid, share))
        found = [Arrangement("1 replica, no Envoy", replicas[0].grpc_address, replicas[:1], None)]
        for number in range(1, num_replicas + 1):
            place = directory / str(number)
            place.mkdir()
            envoy = stack.enter_context(EnvoyProcess(replicas[:number], place))
            name = f"{number} replica{'s' * (number > 1)} behind Envoy"
            found.append(Arrangement(name, envoy.grpc_address, replicas[:number], envoy))
        yield found
