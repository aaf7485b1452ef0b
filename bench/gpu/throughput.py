"""Target tokens per second of our engine, PyTorch with a key-value cache, and CTranslate2, in turn, on one device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from bench.gpu.engines import Job, PlacedEngine, open_bundle, translate
from bench.gpu.machine import Machine
from bench.gpu.models import Models
from bench.gpu.report import judge, print_table
from bench.subjects import FIXED_TOKENS, Subject
from service.request import DecodingOptions
from training.search import greedy
from training.vocabulary import END_ID

OURS = "seq2serve"
ROWS = (1, 64, 256)
TINY_ROWS = (4,)
ROUNDS = 5
BATCHES = 4
"""Of `rows` sentences in a round; one row: as many sentences as that."""
GOAL_RATIO = 5.0
"""Of our tokens per second to PyTorch's."""
Decode = Callable[[list[list[int]], int], int]
"""(sources, how many at a time) -> target tokens made."""


def throughput(machine: Machine, models: Models) -> dict[str, Any]:
    """Base and big; every translation has the same number of tokens, so that nobody waits for the longest."""
    figures: dict[str, Any] = {}
    numbers = TINY_ROWS if machine.is_tiny else ROWS
    is_met: dict[str, bool] = {}
    for name in ("base", "big"):
        subject = models.random(name)
        everybody, absent = _contestants(machine, models, subject, max(numbers))
        for text in absent:
            print(f"  {text}")
        figures[name] = {"absent": absent}
        for rows in numbers:
            rates = figures[name][str(rows)] = _compare(machine, subject, everybody, rows)
            goal = f"{name}, {rows} at a time: {GOAL_RATIO:.0f} times PyTorch"
            is_met[goal] = reaches_goal(rates[OURS], rates[f"PyTorch {machine.precision}"])
        del everybody
    return figures | {"goals": judge(is_met)}


def reaches_goal(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Whether the median of the rounds' ratios does."""
    return statistics.median(_ratios(ours, theirs)) >= GOAL_RATIO


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def _compare(machine: Machine, subject: Subject, everybody: dict[str, Decode], rows: int) -> dict[str, list[float]]:
    sources = subject.sources(min(rows * BATCHES, 1024))
    rates: dict[str, list[float]] = {name: [] for name in everybody}
    for turn in range(2 if machine.is_tiny else ROUNDS + 1):
        for name, decode in everybody.items():
            machine.synchronize()
            started = time.perf_counter()
            num_tokens = decode(sources, rows)
            machine.synchronize()
            if turn:
                rates[name].append(num_tokens / (time.perf_counter() - started))
    print(f"{subject.name}, {rows} at a time: target tokens per second")
    lines = [(name, _spread(values, 0), _spread(_ratios(rates[OURS], values), 2)) for name, values in rates.items()]
    print_table(("", "median (least to most)", "ours to theirs"), lines)
    return rates


def _spread(values: list[float], digits: int) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _contestants(
    machine: Machine, models: Models, subject: Subject, max_rows: int
) -> tuple[dict[str, Decode], list[str]]:
    """Who takes part, by name, and why others do not."""
    everybody = {
        OURS: _ours(machine, models, subject, max_rows),
        f"PyTorch {machine.precision}": _pytorch(machine, subject),
    }
    try:
        everybody[f"CTranslate2 {machine.precision}"] = _ctranslate2(machine, subject)
    except Exception as error:  # it is one of several ways in which a library may not run here
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return everybody, [f"CTranslate2 does not run here: {reason}"]
    return everybody, []


def _ours(machine: Machine, models: Models, subject: Subject, max_rows: int) -> Decode:
    engine = PlacedEngine(open_bundle(models.bundle(subject), machine), max_rows)
    options = DecodingOptions(FIXED_TOKENS, FIXED_TOKENS)

    def decode(sources: list[list[int]], rows: int) -> int:
        found = translate(engine, [Job(tuple(source), options) for source in sources], rows)
        return sum(len(translation.token_ids) for translation in found)

    return decode


def _pytorch(machine: Machine, subject: Subject) -> Decode:
    model = subject.checkpoint.build_model()
    output = torch.nn.Linear(model.output.in_features, model.output.out_features)
    output.weight = model.output.weight
    bias = torch.zeros(model.output.out_features)
    bias[END_ID] = float("-inf")  # as the minimum length does for the others
    output.bias = torch.nn.Parameter(bias)
    model.output = output
    model = model.to(machine.device, machine.dtype)

    def decode(sources: list[list[int]], rows: int) -> int:
        batches = [sources[start : start + rows] for start in range(0, len(sources), rows)]
        return sum(len(ids) for batch in batches for ids in greedy(model, batch, [FIXED_TOKENS] * len(batch)))

    return decode


def _ctranslate2(machine: Machine, subject: Subject) -> Decode:
    import ctranslate2  # where it is not installed, the others go on

    from bench.ctranslate2_runtime import tokens

    translator = ctranslate2.Translator(
        str(subject.ctranslate2()), device=machine.device, compute_type=machine.precision, max_queued_batches=-1
    )

    def decode(sources: list[list[int]], rows: int) -> int:
        results = translator.translate_batch(
            [tokens(source) for source in sources],
            max_batch_size=rows,
            beam_size=1,
            min_decoding_length=FIXED_TOKENS,
            max_decoding_length=FIXED_TOKENS,
        )
        return sum(len(result.hypotheses[0]) for result in results)

    decode([list(source) for source in subject.sources(1)], 1)  # libraries are loaded when they are first needed
    return decode
