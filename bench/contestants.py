"""Engines side by side, each as a function from sources to the number of target tokens it made."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from bench.ctranslate2_runtime import open_translator, tokens
from bench.subjects import Subject
from service.bundle.bundle import Bundle
from service.bundle.runtime import Runtime
from service.engine.engine import Engine
from service.engine.kv_cache import KVCache
from service.engine.runner import OnnxRunner
from service.engine.scheduler import Scheduler
from service.request import DecodingOptions, FinishedEvent, Request
from training.search import default_max_tokens, greedy
from training.vocabulary import END_ID

Sources = Sequence[Sequence[int]]
Decode = Callable[[Sources, int, int], int]
"""(sources, rows, beam size) -> target tokens; as many sentences as `rows` are under way at a time."""

MAX_ROWS = 64
MAX_ENCODER_TOKENS = 2048


def ours(subject: Subject, precision: str, runtime: Runtime) -> Decode:
    """The engine that serves, without the server around it."""
    bundle = Bundle.load(subject.bundle(precision), runtime)
    limits = bundle.manifest.limits
    runner = OnnxRunner(bundle)
    engines: dict[int, Engine] = {}

    def engine_of(num_rows: int) -> Engine:
        if num_rows not in engines:
            engines.clear()  # one cache at a time
            cache = KVCache(runner.spec, num_rows, limits.max_source_tokens, limits.max_target_tokens + 1)
            engines[num_rows] = Engine(runner, cache, Scheduler(10**6, MAX_ENCODER_TOKENS))
        return engines[num_rows]

    def decode(sources: Sources, rows: int, beam_size: int) -> int:
        engine = engine_of(rows * beam_size)
        for index, source in enumerate(sources):
            most = subject.num_target_tokens or default_max_tokens(len(source), limits.max_target_tokens)
            fewest = subject.num_target_tokens or 0
            options = DecodingOptions(most, fewest, beam_size, length_penalty=0.0)
            engine.submit(Request(index, tuple(source), options, 0.0))
        num_tokens = 0
        while engine.has_work:
            for event in engine.step():
                assert isinstance(event, FinishedEvent)
                num_tokens += len(event.translations[0].token_ids)
        return num_tokens

    return decode


def ctranslate2(subject: Subject, precision: str, threads: int, workers: int) -> Decode:
    """CTranslate2 with as many batches at a time as it has workers; together they hold `rows` sentences."""
    translator = open_translator(subject.ctranslate2(), precision, threads, workers)
    limit = subject.checkpoint.recipe.data.max_target_tokens

    def decode(sources: Sources, rows: int, beam_size: int) -> int:
        results = translator.translate_batch(
            [tokens(source) for source in sources],
            max_batch_size=max(1, rows // workers),
            beam_size=beam_size,
            length_penalty=0.0,
            min_decoding_length=subject.num_target_tokens or 1,
            max_decoding_length=subject.num_target_tokens or limit,
        )
        return sum(len(result.hypotheses[0]) for result in results)

    return decode


def pytorch(subject: Subject) -> Decode:
    """Greedy search in PyTorch with a key-value cache, float32."""
    model = subject.checkpoint.build_model()
    limit = subject.checkpoint.recipe.data.max_target_tokens
    if subject.num_target_tokens is not None:
        output = torch.nn.Linear(model.output.in_features, model.output.out_features)
        output.weight = model.output.weight
        bias = torch.zeros(model.output.out_features)
        bias[END_ID] = -1e9  # as the minimum length does for the others
        output.bias = torch.nn.Parameter(bias)
        model.output = output

    def decode(sources: Sources, rows: int, beam_size: int) -> int:
        assert beam_size == 1
        num_tokens = 0
        for start in range(0, len(sources), rows):
            batch = sources[start : start + rows]
            most = [subject.num_target_tokens or default_max_tokens(len(source), limit) for source in batch]
            num_tokens += sum(map(len, greedy(model, batch, most)))
        return num_tokens

    return decode
