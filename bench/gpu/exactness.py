"""Whether the engine on the device says what PyTorch says, and the same in every company."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.gpu.engines import Job, PlacedEngine, open_bundle, translate, translate_at_random
from bench.gpu.judgement import BOUNDS, Verdict, compare_beams, compare_greedy, largest_difference
from bench.gpu.machine import Machine
from bench.gpu.models import Models
from bench.gpu.reference import Reference
from bench.gpu.report import CheckFailedError
from bench.subjects import Subject
from service.request import DecodingOptions, Translation
from training.search import default_max_tokens

BEAM_SIZE = 4
FEWEST_TOKENS = 8
Composition = Callable[[PlacedEngine, Sequence[Job]], list[Translation]]
COMPOSITIONS: dict[str, Composition] = {
    "alone": partial(translate, under_way=1),
    "among 4": partial(translate, under_way=4),
    "among 64": partial(translate, under_way=64),
    "arriving and leaving at random": translate_at_random,
}


def exactness(machine: Machine, models: Models, num_sentences: int) -> dict[str, Any]:
    """Compare on random weights and, if there is one, on the trained model.

    Raises:
        CheckFailedError: a translation differs by more than rounding, or a log-probability by more than the bound.
    """
    bound = BOUNDS[machine.precision]
    figures, failures = {}, []
    for subject in filter(None, (models.random("base"), models.trained())):
        print(f"{subject.name}, {machine.precision}, {num_sentences} sentences; bound {bound} nats a token")
        jobs = make_jobs(subject, num_sentences)
        figures[subject.name] = check(machine, subject, models.bundle(subject), jobs, bound)
        failures += [f"{subject.name}: {text}" for text in figures[subject.name]["failures"]]
    if failures:
        raise CheckFailedError("; ".join(failures), figures)
    return figures


def make_jobs(subject: Subject, number: int) -> list[Job]:
    """Real sentences; those of a model with random weights stop at lengths of their own: rows leave unevenly."""
    limit = subject.checkpoint.recipe.data.max_target_tokens
    generator = np.random.default_rng(number)
    jobs = []
    for source in subject.sources(number):
        most = default_max_tokens(len(source), limit)
        if subject.num_target_tokens:
            most = int(generator.integers(FEWEST_TOKENS, subject.num_target_tokens + 1))
        jobs.append(Job(tuple(source), DecodingOptions(most)))
    return jobs


def check(machine: Machine, subject: Subject, directory: Path, jobs: Sequence[Job], bound: float) -> dict[str, Any]:
    """Every composition, greedy and with beams, against PyTorch and against the engine's own answers alone."""
    exact = Reference(subject.checkpoint, machine.device, torch.float32)
    references = {"PyTorch float32": exact}
    if machine.precision != "float32":
        name = f"PyTorch {machine.precision}"
        references[name] = Reference(subject.checkpoint, machine.device, machine.dtype)
    bundle = open_bundle(directory, machine)
    beams = [Job(job.source, DecodingOptions(job.decoding.max_target_tokens, beam_size=BEAM_SIZE)) for job in jobs]
    engine = PlacedEngine(bundle, 64 * BEAM_SIZE)
    greedy = {name: compose(engine, jobs) for name, compose in COMPOSITIONS.items()}
    reordered = {name: compose(engine, beams) for name, compose in COMPOSITIONS.items()}
    verdicts = [
        *_judge_greedy(references, exact, jobs, greedy, bound),
        *_judge_beams(references, beams, reordered, bound),
    ]
    differences = {
        "greedy": max(largest_difference(exact, jobs, found) for found in greedy.values()),
        "beams": max(largest_difference(exact, beams, found) for found in reordered.values()),
    }
    for verdict in verdicts:
        print(f"  {verdict}")
    for name, difference in differences.items():
        print(f"  largest difference of a log-probability, {name}: {difference:.2e} nats")
    failures = [
        f"{verdict.name}: {verdict.num_wrong} differ by more than rounding" for verdict in verdicts if verdict.num_wrong
    ]
    failures += [
        f"log-probabilities of {name} differ by {difference:.2e}"
        for name, difference in differences.items()
        if not difference <= bound
    ]
    return {"verdicts": [vars(verdict) for verdict in verdicts], "differences": differences, "failures": failures}


References = dict[str, Reference]
Found = dict[str, list[Translation]]
"""By composition."""


def _judge_greedy(
    references: References, exact: Reference, jobs: Sequence[Job], found: Found, bound: float
) -> list[Verdict]:
    texts = {name: [translation.token_ids for translation in translations] for name, translations in found.items()}
    compare = partial(compare_greedy, reference=exact, jobs=jobs, bound=bound)
    verdicts = [
        compare(f"greedy alone, {name}", expected=reference.greedy(jobs), found=texts["alone"])
        for name, reference in references.items()
    ]
    return verdicts + [
        compare(f"greedy {name}, alone", expected=texts["alone"], found=texts[name])
        for name in texts
        if name != "alone"
    ]


def _judge_beams(references: References, jobs: Sequence[Job], found: Found, bound: float) -> list[Verdict]:
    scored = {
        name: [(translation.token_ids, translation.score) for translation in translations]
        for name, translations in found.items()
    }
    verdicts = [
        compare_beams(
            f"beam {BEAM_SIZE} alone, {name}",
            [(hypothesis.token_ids, hypothesis.score) for hypothesis in reference.beam(jobs)],
            scored["alone"],
            bound,
        )
        for name, reference in references.items()
    ]
    return verdicts + [
        compare_beams(f"beam {BEAM_SIZE} {name}, alone", scored["alone"], scored[name], bound)
        for name in scored
        if name != "alone"
    ]
