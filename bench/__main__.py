"""python -m bench: the engine against PyTorch, side by side, on the same weights.

A Transformer base with random weights, or a checkpoint, is exported in float32 and int8; greedy translations of fixed
length are decoded by the engine in both and by PyTorch with a key-value cache, alternating within each round. Printed
are tokens per second of each (median of the rounds) and the ratio to PyTorch with its smallest and largest value.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from export.writer import ExportOptions, export
from service.bundle.bundle import Bundle
from service.bundle.runtime import Runtime
from service.engine.engine import Engine
from service.engine.kv_cache import KVCache
from service.engine.runner import OnnxRunner
from service.engine.scheduler import Scheduler
from service.request import DecodingOptions, Request
from training.checkpoint import Checkpoint
from training.model import build_model
from training.recipe import DataSettings, ModelSettings, Recipe
from training.search import greedy
from training.transformer import Transformer
from training.vocabulary import END_ID, Vocabulary, VocabularySettings

Decode = Callable[[Sequence[Sequence[int]], int], None]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, help="default: Transformer base with random weights")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--tokens", type=int, default=32, help="target tokens of every sentence")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    checkpoint = Checkpoint.load(options.checkpoint) if options.checkpoint else _random_base()
    runtime = Runtime.start("cpu", options.threads)
    model = checkpoint.build_model()
    _forbid_end(model)
    with tempfile.TemporaryDirectory() as directory:
        decoders: dict[str, Decode] = {"PyTorch float32": _pytorch(model)}
        for precision in ("float32", "int8"):
            path = Path(directory) / precision
            export(checkpoint, path, ExportOptions(precision=precision))  # type: ignore[arg-type]
            decoders[f"engine {precision}"] = _engine(Bundle.load(path, runtime), max(options.rows))
        for rows in options.rows:
            _compare(decoders, rows, options.tokens, options.rounds, len(checkpoint.source_vocabulary))


def _compare(decoders: dict[str, Decode], rows: int, num_tokens: int, rounds: int, size: int) -> None:
    generator = np.random.default_rng(rows)
    lengths = generator.integers(8, 41, rows)
    sources = [[*map(int, generator.integers(END_ID + 1, size, length)), END_ID] for length in lengths]
    rates: dict[str, list[float]] = {name: [] for name in decoders}
    for index in range(rounds + 1):
        for name, decode in decoders.items():
            started = time.perf_counter()
            decode(sources, num_tokens)
            if index:  # the first round warms up
                rates[name].append(rows * num_tokens / (time.perf_counter() - started))
    reference = rates["PyTorch float32"]
    for name, values in rates.items():
        ratios = [value / other for value, other in zip(values, reference, strict=True)]
        print(
            f"{rows:4} rows  {name:16} {statistics.median(values):8.0f} tokens/s  "
            f"{statistics.median(ratios):5.2f} x PyTorch ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def _pytorch(model: Transformer) -> Decode:
    def decode(sources: Sequence[Sequence[int]], num_tokens: int) -> None:
        translations = greedy(model, sources, [num_tokens] * len(sources))
        assert all(len(translation) == num_tokens for translation in translations)

    return decode


def _engine(bundle: Bundle, max_rows: int) -> Decode:
    limits = bundle.manifest.limits
    runner = OnnxRunner(bundle)
    cache = KVCache(runner.spec, max_rows, limits.max_source_tokens, limits.max_target_tokens + 1)
    engine = Engine(runner, cache, Scheduler(max_rows, 10**6))

    def decode(sources: Sequence[Sequence[int]], num_tokens: int) -> None:
        options = DecodingOptions(max_target_tokens=num_tokens, min_target_tokens=num_tokens)
        for index, source in enumerate(sources):
            engine.submit(Request(index, tuple(source), options, 0.0))
        while engine.has_work:
            engine.step()

    return decode


def _forbid_end(model: Transformer) -> None:
    """Make PyTorch decode full lengths, as the engine's minimum length does: a new output with an END bias."""
    output = torch.nn.Linear(model.output.in_features, model.output.out_features)
    output.weight = model.output.weight
    bias = torch.zeros(model.output.out_features) if model.output.bias is None else model.output.bias.detach().clone()
    bias[END_ID] = -1e9
    output.bias = torch.nn.Parameter(bias)
    model.output = output


def _random_base() -> Checkpoint:
    recipe = Recipe(
        name="base",
        source_language="en",
        target_language="xx",
        data=DataSettings(max_source_tokens=128, max_target_tokens=128),
        model=ModelSettings(),
    )
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(generator.choice(letters, generator.integers(3, 9))) for _ in range(8000)]
    vocabulary = Vocabulary.train(words * 2, VocabularySettings(size=8000, kind="bpe", byte_fallback=False))
    weights = build_model(recipe, vocabulary, vocabulary).state_dict()
    return Checkpoint(recipe, vocabulary, vocabulary, weights, {"step": 0, "target_tokens": 0, "seconds": 0.0}, {})


if __name__ == "__main__":
    main()
