"""Throughput and latency through a real server process, by the number of clients."""

from __future__ import annotations

import asyncio
import os
import statistics
from typing import Any

from bench.gpu.machine import Machine
from bench.gpu.models import Models
from bench.gpu.report import print_table
from bench.load import LoadResult, closed_loop
from bench.processes import ServerProcess, our_server
from bench.sentences import sentences
from bench.subjects import FIXED_TOKENS
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

CLIENTS = {1: 64, 4: 256, 16: 768, 64: 2048, 256: 4096}
"""Requests of a closed loop, by number of clients."""
TINY_CLIENTS = {1: 2, 4: 8}
MAX_ROWS, ROUNDS, NUM_TEXTS = 256, 3, 512
DECODING = pb.DecodingOptions(max_target_tokens=FIXED_TOKENS, min_target_tokens=FIXED_TOKENS)


def served(machine: Machine, models: Models) -> dict[str, Any]:
    """Base behind gRPC. All clients share this process, which uses one core: many of them may be the slower side."""
    directory = models.bundle(models.random("base"))
    threads = len(os.sched_getaffinity(0))
    with our_server(directory, threads, 8 if machine.is_tiny else MAX_ROWS, machine.device) as server:
        return asyncio.run(_measure(server, machine))


async def _measure(server: ServerProcess, machine: Machine) -> dict[str, Any]:
    texts, figures, lines = sentences(NUM_TEXTS), {}, []
    for num_clients, num_requests in (TINY_CLIENTS if machine.is_tiny else CLIENTS).items():
        loads: list[LoadResult] = []
        cpu_seconds = 0.0
        for index in range(1 + (1 if machine.is_tiny else ROUNDS)):
            before = server.cpu_seconds
            load = await closed_loop(server.address, texts, DECODING, num_clients, num_requests)
            if index:
                loads.append(load)
                cpu_seconds += server.cpu_seconds - before
        summary = {
            name: statistics.median(getattr(load, name) for load in loads)
            for name in ("tokens_per_second", "p50", "p95", "p99")
        } | {"server_cores": cpu_seconds / sum(load.seconds for load in loads)}
        figures[str(num_clients)] = summary
        times = [f"{1e3 * summary[name]:.1f}" for name in ("p50", "p95", "p99")]
        lines.append((num_clients, f"{summary['tokens_per_second']:.0f}", *times, f"{summary['server_cores']:.2f}"))
    print_table(("clients", "tokens/s", "p50 ms", "p95 ms", "p99 ms", "server's cores"), lines)
    return figures
