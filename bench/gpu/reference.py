"""PyTorch on the same device: what the engine's translations are held to.

B sentences, T target length.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from bench.gpu.engines import Job
from training.checkpoint import Checkpoint
from training.data import pad
from training.search import BeamHypothesis, BeamSettings, beam_search, greedy, next_log_probs
from training.vocabulary import BEGIN_ID, END_ID

BATCH_SIZE = 64


class Reference:
    """A model in PyTorch, in one precision."""

    def __init__(self, checkpoint: Checkpoint, device: str, dtype: torch.dtype) -> None:
        self.model = checkpoint.build_model().to(device, dtype)
        self.device = device

    def greedy(self, jobs: Sequence[Job]) -> list[tuple[int, ...]]:
        """`training.search.greedy`, with a key-value cache, batch by batch."""
        found: list[tuple[int, ...]] = []
        for start in range(0, len(jobs), BATCH_SIZE):
            batch = jobs[start : start + BATCH_SIZE]
            limits = [job.decoding.max_target_tokens for job in batch]
            found += map(tuple, greedy(self.model, [job.source for job in batch], limits))
        return found

    def beam(self, jobs: Sequence[Job]) -> list[BeamHypothesis]:
        """The best of `training.search.beam_search`, which reads every hypothesis anew at every step."""
        return [
            beam_search(
                next_log_probs(self.model, job.source),
                BeamSettings(job.decoding.beam_size, job.decoding.max_target_tokens),
            )[0]
            for job in jobs
        ]

    @torch.inference_mode()
    def forced(self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """Log-probabilities of each target's tokens and of the end behind them, (T + 1,) for each pair."""
        found: list[NDArray[np.float32]] = []
        for start in range(0, len(sources), BATCH_SIZE):
            batch = sources[start : start + BATCH_SIZE]
            texts = [list(target) for target in targets[start : start + BATCH_SIZE]]
            source_ids = pad([np.asarray(source, np.int32) for source in batch]).to(self.device)
            lengths = torch.tensor([len(source) for source in batch], device=self.device)
            inputs = pad([np.asarray([BEGIN_ID, *text], np.int32) for text in texts]).to(self.device)
            outputs = pad([np.asarray([*text, END_ID], np.int32) for text in texts]).to(self.device)
            log_probs = self.model.log_probs(self.model(source_ids, lengths, inputs))
            chosen = log_probs.gather(2, outputs[..., None])[..., 0].float().cpu().numpy()  # (B, T + 1)
            found += [row[: len(text) + 1] for row, text in zip(chosen, texts, strict=True)]
        return found

    def gaps(self, jobs: Sequence[Job], pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[float]:
        """How much more probable, in nats, the better of two translations' tokens is where they first differ."""
        places = [first_difference(one, other) for one, other in pairs]
        sources = [job.source for job in jobs]
        sides = []
        for side in range(2):
            continued = [
                [*pair[side], END_ID][: place + 1] for pair, place in zip(pairs, places, strict=True)
            ]  # the token at the place last: its log-probability is the last but the end's
            sides.append([values[-2] for values in self.forced(sources, continued)])
        return [abs(float(one) - float(other)) for one, other in zip(*sides, strict=True)]


def first_difference(one: Sequence[int], other: Sequence[int]) -> int:
    """The first place at which two translations, ends of sentence counted, are not the same."""
    pairs = zip([*one, END_ID], [*other, END_ID], strict=False)
    return next(index for index, (left, right) in enumerate(pairs) if left != right)
