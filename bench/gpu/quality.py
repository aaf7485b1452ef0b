"""BLEU and chrF of the device's precision against float32 on the CPU, on held-out text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.gpu.engines import Job, PlacedEngine, open_bundle, translate
from bench.gpu.machine import Machine
from bench.gpu.models import Models
from bench.gpu.report import Skipped
from service.request import DecodingOptions
from training.evaluate import score
from training.search import default_max_tokens
from training.vocabulary import END_ID

BEAM_SIZE = 4
MAX_ROWS = 64


def quality(machine: Machine, models: Models, test: Sequence[Path] | None) -> dict[str, Any]:
    """Scores of beam search by both.

    Raises:
        Skipped: there is no trained model or no text.
    """
    subject = models.trained()
    if subject is None or test is None:
        raise Skipped("give --checkpoint and --test SOURCE REFERENCE")
    texts, references = (path.read_text(encoding="utf-8").splitlines() for path in test)
    limits = subject.checkpoint.recipe.data
    jobs = []
    for ids in subject.checkpoint.source_vocabulary.encode(texts):
        source = (*ids[: limits.max_source_tokens - 1], END_ID)
        most = default_max_tokens(len(source), limits.max_target_tokens)
        jobs.append(Job(source, DecodingOptions(most, beam_size=BEAM_SIZE)))
    figures = {}
    for name, where, precision in (
        (f"{machine.device} {machine.precision}", machine, machine.precision),
        ("cpu float32", Machine("cpu"), "float32"),
    ):
        engine = PlacedEngine(open_bundle(models.bundle(subject, precision), where), MAX_ROWS)
        found = translate(engine, jobs, MAX_ROWS // BEAM_SIZE)
        decoded = [subject.checkpoint.target_vocabulary.decode(translation.token_ids) for translation in found]
        scores = score(decoded, references)
        figures[name] = {"bleu": scores.bleu, "chrf": scores.chrf}
        print(f"  {name:16} BLEU {scores.bleu:.2f}, chrF {scores.chrf:.2f}, {len(texts)} sentences")
    return figures
