"""python -m bench.roofline: what share of this machine's own int8 GEMM and memory bandwidth a decoder step reaches.

The machine is measured with the means that a step has: the same ONNX Runtime kernel on one large product, and PyTorch
reading a large array. A step is Transformer base in int8 at half of its target, over sources of 8 to 40 tokens.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx import TensorProto, helper, numpy_helper

from bench.contestants import MAX_ENCODER_TOKENS
from bench.subjects import FIXED_TOKENS, Subject, random_base
from service.bundle.bundle import Bundle
from service.bundle.runtime import Runtime
from service.engine.engine import Engine
from service.engine.kv_cache import KVCache
from service.engine.runner import OnnxRunner
from service.engine.scheduler import Scheduler
from service.request import DecodingOptions, Request

GEMM_ROWS, GEMM_SIZE = 512, 2048
READ_BYTES = 512 * 2**20
ROWS = (1, 8, 32, 64, 128)
REPEATS = 40


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.roofline", description=__doc__)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    threads = parser.parse_args().threads
    torch.set_num_threads(threads)
    runtime = Runtime.start("cpu", threads)
    products, read = _gemm_rate(), _read_rate()
    print(f"int8 GEMM {products / 1e9:.0f} G multiply-adds/s, reading {read / 1e9:.1f} GB/s, {threads} threads")
    with tempfile.TemporaryDirectory() as directory:
        subject = random_base(Path(directory))
        bundle = Bundle.load(subject.bundle("int8"), runtime)
        num_weights = _num_weights(subject)
        for rows in ROWS:
            seconds, cache_bytes = _step(subject, bundle, rows)
            gemm_share = rows * num_weights / products / seconds
            read_share = (num_weights + cache_bytes) / read / seconds
            print(f"{rows:4} rows: {1000 * seconds:6.2f} ms, GEMM {gemm_share:4.0%}, bandwidth {read_share:4.0%}")


def _num_weights(subject: Subject) -> int:
    """Weights that every step multiplies by: all of the decoder's matrices but those for keys and values of sources."""
    weights = subject.checkpoint.build_model().state_dict().items()
    used = [w.numel() for name, w in weights if w.dim() == 2 and name.startswith(("decoder.layers", "output"))]
    unused = [w.numel() for name, w in weights if w.dim() == 2 and "cross_attention.key_value" in name]
    return sum(used) - sum(unused)


def _step(subject: Subject, bundle: Bundle, rows: int) -> tuple[float, int]:
    """Median seconds of a step and the bytes of cache that it reads."""
    limits, runner = bundle.manifest.limits, OnnxRunner(bundle)
    cache = KVCache(runner.spec, rows, limits.max_source_tokens, limits.max_target_tokens + 1)
    engine = Engine(runner, cache, Scheduler(rows, MAX_ENCODER_TOKENS))
    generator = np.random.default_rng(rows)
    size = len(subject.checkpoint.source_vocabulary)
    lengths = generator.integers(8, 41, rows).tolist()
    for index, length in enumerate(lengths):
        source = tuple(generator.integers(4, size, length).tolist())
        engine.submit(Request(index, source, DecodingOptions(FIXED_TOKENS, FIXED_TOKENS), 0.0))
    while cache.num_rows < rows or cache.positions[:rows].min() < FIXED_TOKENS // 2:
        engine.step()
    seconds = _median(lambda: runner.step(cache.batch(), 1, is_full=False))
    settings = subject.checkpoint.recipe.model
    positions = sum(lengths) + int(cache.positions[:rows].sum())
    return seconds, 2 * settings.num_decoder_layers * settings.model_size * positions


def _gemm_rate() -> float:
    """Multiply-adds per second of com.microsoft.MatMulIntegerToFloat on one large product."""
    weight = np.random.default_rng(0).integers(-127, 128, (GEMM_SIZE, GEMM_SIZE)).astype(np.int8)
    values = {"w": weight, "one": np.float32(1), "scales": np.ones(GEMM_SIZE, np.float32), "zero": np.uint8(128)}
    node = helper.make_node("MatMulIntegerToFloat", ["x", "w", "one", "scales", "zero"], ["y"], domain="com.microsoft")
    graph = helper.make_graph(
        [node],
        "gemm",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [GEMM_ROWS, GEMM_SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [GEMM_ROWS, GEMM_SIZE])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model)
    options = ort.SessionOptions()
    options.use_per_session_threads = False  # the pool that `Runtime.start` made
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inputs = {"x": np.full((GEMM_ROWS, GEMM_SIZE), 130, np.uint8)}
    return GEMM_ROWS * GEMM_SIZE**2 / _median(lambda: session.run(None, inputs))


def _read_rate() -> float:
    """Bytes per second of reading an array that no cache holds."""
    array = torch.ones(READ_BYTES // 4)
    return READ_BYTES / _median(array.sum)


def _median(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()
