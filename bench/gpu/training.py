"""Model FLOP utilisation of training Transformer big: bfloat16, torch.compile, flash attention.

Model FLOPs are those that sentences ask for (`bench.gpu.costs.training_flops`), padding not counted, over the time of
whole updates: forward, backward, optimiser, and what the loop does around them. Their share of the rate on the data
sheet is what is usually called by that name, and what the goal is for; that of the rate measured here stands beside it.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from bench.gpu.costs import training_flops
from bench.gpu.machine import Ceilings, Machine
from bench.gpu.report import judge, print_table
from training.data import PackedBatch, ParallelData, TextBatch
from training.recipe import Recipe, load_recipe
from training.trainer import Trainer
from training.vocabulary import END_ID, PAD_ID, Vocabulary

RECIPE = "transformer-big-wmt14-en-de"
TINY_MODEL = ("num_encoder_layers=1", "num_decoder_layers=1", "model_size=32", "feed_forward_size=64", "num_heads=4")
DATA_SHEET_FLOPS = {"NVIDIA H200": 989e12}
"""NVIDIA's, dense bfloat16, by the driver's name of the GPU; that one is the H200 SXM."""
GOAL_SHARE = 0.4
"""Of the data sheet's rate."""
MEAN_LOG_LENGTH, DEVIATION = 3.13, 0.65
"""Log-normal lengths, 28 tokens on average: taken for sentences of WMT 2014 in a vocabulary of 37,000 pieces."""
NUM_SENTENCES, NUM_WARM, NUM_MEASURED = 60_000, 8, 20
TINY_SENTENCES, TINY_WARM, TINY_MEASURED = 60, 1, 2


@dataclass(frozen=True)
class SizeOnly:
    """Stands for a vocabulary where nothing but its size is asked for."""

    size: int

    def __len__(self) -> int:
        return self.size


def training(machine: Machine, batch_tokens: Sequence[int]) -> dict[str, Any]:
    """Updates on batches of these sizes, padded and packed; on a CPU in float32 and not compiled."""
    ceilings = Ceilings.measure(machine, torch.bfloat16 if machine.device == "cuda" else torch.float32)
    data_sheet = DATA_SHEET_FLOPS.get(machine.name)
    told = f"{data_sheet / 1e12:.0f} TFLOP/s" if data_sheet else "not known, so that the goal is not judged"
    print(f"ceilings, measured: {ceilings}; {machine.name}'s data sheet: {told}")
    rows = []
    for size, is_packed in itertools.product((500,) if machine.is_tiny else batch_tokens, (False, True)):
        row = _measure(machine, _recipe(machine, size, is_packed))
        rows.append(row | shares(row["flops_per_second"], ceilings, data_sheet))
        gc.collect()
        torch._dynamo.reset()
    print_table(
        (
            "batch tokens",
            "",
            "update ms",
            "target tokens/s",
            "TFLOP/s",
            "of measured",
            "of data sheet",
            "making a batch ms",
        ),
        [
            (
                row["batch_tokens"],
                _layout(row),
                f"{1e3 * row['seconds']:.1f}",
                f"{row['target_tokens_per_second']:.0f}",
                f"{row['flops_per_second'] / 1e12:.2f}",
                f"{row['share_of_measured']:.1%}",
                _percent(row["share_of_data_sheet"]),
                f"{1e3 * row['batch_seconds']:.1f}",
            )
            for row in rows
        ],
    )
    for row in rows:
        print(f"  {_layout(row)}: {', '.join(row['attention'])}")
    return {"ceilings": vars(ceilings), "data_sheet": data_sheet, "updates": rows, "goals": judge(goals(rows))}


def shares(flops_per_second: float, ceilings: Ceilings, data_sheet: float | None) -> dict[str, float | None]:
    """Of the measured rate, and of the data sheet's where it is known."""
    return {
        "share_of_measured": flops_per_second / ceilings.flops_per_second,
        "share_of_data_sheet": flops_per_second / data_sheet if data_sheet else None,
    }


def goals(rows: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Which batches meet the goal; none where the data sheet is not known."""
    return {
        f"big, {row['batch_tokens']} tokens, {_layout(row)}: {GOAL_SHARE:.0%} of the data sheet": share >= GOAL_SHARE
        for row in rows
        if (share := row["share_of_data_sheet"]) is not None
    }


def _layout(row: Mapping[str, Any]) -> str:
    return "packed" if row["is_packed"] else "padded"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.1%}"


def _recipe(machine: Machine, batch_tokens: int, is_packed: bool) -> Recipe:
    changes = ["trainer.gradient_accumulation=1", f"data.batch_tokens={batch_tokens}", f"data.is_packed={is_packed}"]
    if machine.device == "cuda":
        changes += ["trainer.precision=bfloat16", "trainer.compile=true"]
    if machine.is_tiny:
        changes += [f"model.{setting}" for setting in TINY_MODEL] + ["vocabulary.size=300"]
    return load_recipe(RECIPE, tuple(changes))


def _measure(machine: Machine, recipe: Recipe) -> dict[str, Any]:
    num_warm, num_measured = (TINY_WARM, TINY_MEASURED) if machine.is_tiny else (NUM_WARM, NUM_MEASURED)
    data = synthetic_pairs(recipe, TINY_SENTENCES if machine.is_tiny else NUM_SENTENCES)
    vocabulary = cast("Vocabulary", SizeOnly(recipe.vocabulary.size))
    with tempfile.TemporaryDirectory() as directory:
        device = torch.device(machine.device)
        trainer = Trainer(recipe, vocabulary, vocabulary, [data], data, Path(directory), device)
        started = time.perf_counter()
        batches = list(itertools.islice(trainer.stream, num_warm + num_measured))
        batch_seconds = (time.perf_counter() - started) / len(batches)
        for batch in batches[:num_warm]:
            trainer.train_step(iter([batch]))
        measured = [_update(machine, trainer, batch) for batch in batches[num_warm:]]
        attention = _attention_operators(trainer, batches[-1])
    seconds, num_tokens, flops = (sum(column) for column in zip(*measured, strict=True))
    return {
        "batch_tokens": recipe.data.batch_tokens,
        "is_packed": recipe.data.is_packed,
        "seconds": statistics.median(one[0] for one in measured),
        "target_tokens_per_second": num_tokens / seconds,
        "flops_per_second": flops / seconds,
        "batch_seconds": batch_seconds,
        "attention": attention,
    }


def _update(machine: Machine, trainer: Trainer, batch: TextBatch) -> tuple[float, int, int]:
    """Seconds, target tokens and model FLOPs."""
    settings = trainer.recipe.model
    machine.synchronize()
    started = time.perf_counter()
    trainer.train_step(iter([batch]))
    machine.synchronize()
    seconds = time.perf_counter() - started
    source_lengths, target_lengths = lengths(batch)
    flops = training_flops(settings, len(trainer.target_vocabulary), source_lengths, target_lengths)
    return seconds, sum(target_lengths), flops


def lengths(batch: TextBatch) -> tuple[list[int], list[int]]:
    """Of sources and targets, ends of sentence counted."""
    if isinstance(batch, PackedBatch):
        return batch.source_packing.offsets.diff().tolist(), batch.target_packing.offsets.diff().tolist()
    return batch.source_lengths.tolist(), (batch.target_output != PAD_ID).sum(dim=1).tolist()


def synthetic_pairs(recipe: Recipe, number: int) -> ParallelData:
    """Random tokens; targets are about as long as their sources."""
    generator = np.random.default_rng(0)
    longest = recipe.data.max_target_tokens - 1
    num_source = np.clip(generator.lognormal(MEAN_LOG_LENGTH, DEVIATION, number), 2, longest).astype(int)
    num_target = np.clip(num_source * generator.lognormal(0.0, 0.15, number), 2, longest).astype(int)

    def texts(sizes: Sequence[int], ends: list[int]) -> Iterator[list[int]]:
        return ([*generator.integers(END_ID + 1, recipe.vocabulary.size, size).tolist(), *ends] for size in sizes)

    return ParallelData(list(texts(num_source - 1, [END_ID])), list(texts(num_target, [])))


def _attention_operators(trainer: Trainer, batch: TextBatch) -> list[str]:
    """Which of PyTorch's attention operators an update runs, and how often; a GPU's kernels bear telling names too."""
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * torch.cuda.is_available()
    with profile(activities=activities) as profiled:
        trainer.train_step(iter([batch]))
    marks = ("_attention", "flash_fwd", "flash_bwd", "fmha")
    counts = {event.key: event.count for event in profiled.key_averages() if any(m in event.key for m in marks)}
    return [f"{count} × {name[:60]}" for name, count in sorted(counts.items())]
