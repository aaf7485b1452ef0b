"""python -m bench.lone: start-up to the first translation, and what the server adds to a lone request.

A bundle is served several times; the clock runs from the start of the process to the first answer. Then the
same sentences go in turn to the server, over gRPC, and to a bare engine in this process, as ids.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import grpc

from bench.processes import our_server
from bench.sentences import sentences
from service.bundle.bundle import Bundle
from service.bundle.runtime import Runtime
from service.engine.engine import Engine
from service.engine.kv_cache import KVCache
from service.engine.runner import OnnxRunner
from service.engine.scheduler import Scheduler
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from service.request import DecodingOptions, Request

MAX_ROWS = 64
NUM_STARTS = 5
TARGET_TOKENS = 16
REST_SECONDS = 0.05


def main() -> None:
    """Measure and print two lines."""
    parser = argparse.ArgumentParser(prog="python -m bench.lone", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("models/en-ko-software"))
    parser.add_argument("--sentences", type=int, default=200)
    options = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    starts = [_start(options.bundle, threads) for _ in range(NUM_STARTS)]
    print(f"start to first translation: {_spread(starts)} s")
    served, bare = _compare(options.bundle, threads, sentences(options.sentences))
    added = [1000 * (a - b) for a, b in zip(served, bare, strict=True)]
    print(f"a lone request of {TARGET_TOKENS} tokens: {1000 * statistics.median(served):.2f} ms served, ", end="")
    print(f"{1000 * statistics.median(bare):.2f} ms in the engine; added {_spread(added)} ms")


def _start(bundle: Path, threads: int) -> float:
    started = time.perf_counter()
    with our_server(bundle, threads, MAX_ROWS) as server, grpc.insecure_channel(server.address) as channel:
        _translate(channel, "Open the file.")
        return time.perf_counter() - started


def _compare(bundle: Path, threads: int, texts: list[str]) -> tuple[list[float], list[float]]:
    loaded = Bundle.load(bundle, Runtime.start("cpu", threads))
    limits, runner = loaded.manifest.limits, OnnxRunner(loaded)
    cache = KVCache(runner.spec, MAX_ROWS, limits.max_source_tokens, limits.max_target_tokens + 1)
    engine = Engine(runner, cache, Scheduler(MAX_ROWS, 2048))
    served, bare = [], []
    with our_server(bundle, threads, MAX_ROWS) as server, grpc.insecure_channel(server.address) as channel:
        for text in texts:
            time.sleep(REST_SECONDS)  # the other's threads stop spinning
            started = time.perf_counter()
            _translate(channel, text)
            served.append(time.perf_counter() - started)
            source = (*loaded.source_tokenizer.encode(text), loaded.manifest.vocabulary.end_id)
            time.sleep(REST_SECONDS)
            started = time.perf_counter()
            engine.submit(Request(0, source, DecodingOptions(TARGET_TOKENS, TARGET_TOKENS), 0.0))
            while engine.has_work:
                engine.step()
            bare.append(time.perf_counter() - started)
    return served, bare


def _translate(channel: grpc.Channel, text: str) -> None:
    decoding = pb.DecodingOptions(max_target_tokens=TARGET_TOKENS, min_target_tokens=TARGET_TOKENS)
    stub = pb_grpc.TranslationServiceStub(channel)  # type: ignore[no-untyped-call]
    stub.Translate(pb.TranslateRequest(texts=[text], decoding=decoding))


def _spread(values: list[float]) -> str:
    """Median, and the middle nine tenths."""
    ordered = sorted(values)
    cut = len(ordered) // 20
    return f"{statistics.median(values):.2f} ({ordered[cut]:.2f} to {ordered[-1 - cut]:.2f})"


if __name__ == "__main__":
    main()
