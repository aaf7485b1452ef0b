"""Servers: ours and a minimal one around CTranslate2, under clients that wait and under arrivals that do not."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from bench.load import LoadResult, closed_loop, open_loop
from bench.processes import ServerProcess, ctranslate2_server, our_server
from bench.sentences import sentences
from bench.subjects import Subject
from service.pb.seq2serve.v1 import translation_service_pb2 as pb

CLIENTS = {1: 24, 8: 96, 32: 256}
"""Requests of a closed loop by number of clients."""
LOADS = (0.5, 0.8)
OPEN_REQUESTS = 160
MAX_ROWS = 32
NUM_TEXTS = 512

Results = dict[str, dict[str, list[LoadResult]]]
"""By load, by server, round by round."""


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    name: str
    process: ServerProcess


async def run(subject: Subject, threads: int, rounds: int) -> tuple[dict[str, Any], dict[str, float]]:
    """Measure every load on every server, in turn; figures and the ratios of ours to the best CTranslate2 server."""
    bundle, model = subject.bundle("int8"), subject.ctranslate2()
    commands = {"seq2serve": our_server(bundle, threads, MAX_ROWS)}
    for workers in sorted({1, threads}):
        name = f"CTranslate2 {workers} x {threads // workers} threads"
        commands[name] = ctranslate2_server(model, bundle, "int8", threads // workers, workers, MAX_ROWS // workers)
    results: Results = {}
    servers: list[Server] = []
    try:
        for name, command in commands.items():
            servers.append(Server(name, command.__enter__()))
        await _closed(subject, servers, rounds, results)
        await _open(subject, servers, rounds, results)
        memory = {server.name: server.process.peak_memory_bytes for server in servers}
    finally:
        for server in servers:
            server.process.__exit__(None, None, None)
    _print(subject, results, memory)
    return _figures(results, memory), _ratios(results)


async def _closed(subject: Subject, servers: list[Server], rounds: int, results: Results) -> None:
    texts, decoding = sentences(NUM_TEXTS), _decoding(subject)
    for num_clients, num_requests in CLIENTS.items():
        for index in range(rounds + 1):
            for server in servers:
                arguments = server.process.address, texts, decoding, num_clients, num_requests
                load = await closed_loop(*arguments)
                if index:
                    _note(results, f"closed_{num_clients}", server, load)
    for _ in range(rounds):
        for server in servers[:1]:  # only ours streams
            load = await closed_loop(server.process.address, texts, decoding, 8, CLIENTS[8], is_streaming=True)
            _note(results, "streaming_8", server, load)


async def _open(subject: Subject, servers: list[Server], rounds: int, results: Results) -> None:
    texts, decoding = sentences(NUM_TEXTS), _decoding(subject)
    at_full_load = results[f"closed_{max(CLIENTS)}"]
    # The same arrivals for all: a share of what the slowest of them can do.
    capacity = min(
        statistics.median(load.num_requests / load.seconds for load in at_full_load[server.name]) for server in servers
    )
    for share in LOADS:
        for index in range(rounds):
            for server in servers:
                load = await open_loop(
                    server.process.address, texts, decoding, capacity * share, OPEN_REQUESTS, seed=index
                )
                _note(results, f"open_{share:.0%}", server, load)


def _decoding(subject: Subject) -> pb.DecodingOptions:
    number = subject.num_target_tokens
    return pb.DecodingOptions(max_target_tokens=number, min_target_tokens=number) if number else pb.DecodingOptions()


def _note(results: Results, load_name: str, server: Server, load: LoadResult) -> None:
    results.setdefault(load_name, {}).setdefault(server.name, []).append(load)


def _summary(loads: list[LoadResult]) -> dict[str, float]:
    """Medians over the rounds; times in seconds."""
    return {
        name: statistics.median(getattr(load, name) for load in loads)
        for name in ("tokens_per_second", "p50", "p95", "p99", "first_token_p50")
    }


def _best_opponent(by_server: dict[str, list[LoadResult]]) -> str:
    opponents = [name for name in by_server if name.startswith("CTranslate2")]
    return max(opponents, key=lambda name: _summary(by_server[name])["tokens_per_second"])


def _ratios(results: Results) -> dict[str, float]:
    busy = results[f"closed_{max(CLIENTS)}"]
    ours, theirs = (_summary(busy[name]) for name in ("seq2serve", _best_opponent(busy)))
    return {
        f"served_throughput_{max(CLIENTS)}": ours["tokens_per_second"] / theirs["tokens_per_second"],
        f"served_p95_{max(CLIENTS)}": ours["p95"] / theirs["p95"],
    }


def _figures(results: Results, memory: dict[str, int]) -> dict[str, Any]:
    loads = {load: {name: _summary(rounds) for name, rounds in found.items()} for load, found in results.items()}
    return {"loads": loads, "peak_memory_bytes": memory}


def _print(subject: Subject, results: Results, memory: dict[str, int]) -> None:
    print(f"\n{subject.name}, served, int8: medians of the rounds")
    print(f"  {'load':12} {'server':28} {'tokens/s':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'first ms':>8}")
    for load, found in results.items():
        for name, loads in found.items():
            summary = _summary(loads)
            times = " ".join(f"{1000 * summary[key]:8.1f}" for key in ("p50", "p95", "p99", "first_token_p50"))
            print(f"  {load:12} {name:28} {summary['tokens_per_second']:8.0f} {times}")
    for name, num_bytes in memory.items():
        print(f"  peak memory  {name:28} {num_bytes / 2**20:8.0f} MiB")
