"""A model that a reader can compute by hand, behind the engine's seam.

The source is a list of numbers. Token t of its translation is FIRST + (source[t] + 3 * sum of all tokens so far) mod
NUM_WORDS, and the sentence ends after as many tokens as the source is long. The sum is state that the last token does
not show: a row that loses its history, or gets another's, comes out wrong. Every other token has a log-probability of
its own, which depends on the sum too, so that beams have something to choose from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from service.bundle.manifest import VocabularySpec
from service.bundle.state_spec import StateArray
from service.engine.batch import Batch, Candidates, EncodedSource

BEGIN, END, FIRST, NUM_WORDS = 1, 2, 3, 50
VOCABULARY = VocabularySpec(
    source_size=FIRST + NUM_WORDS, target_size=FIRST + NUM_WORDS, begin_id=BEGIN, end_id=END, pad_id=0, unknown_id=0
)
SPEC = (
    StateArray(name="memory", dtype="int64", shape=("rows", "source"), owner="source", update="none"),
    StateArray(name="history", dtype="int64", shape=("rows", "target", 1), owner="hypothesis", update="in_place"),
    StateArray(name="total", dtype="int64", shape=("rows", 1), owner="hypothesis", update="replace"),
)


def toy_translation(source: Sequence[int]) -> list[int]:
    """What the toy model says, computed without it."""
    tokens: list[int] = []
    for number in source[:-1]:
        tokens.append(FIRST + (number + 3 * sum(tokens)) % NUM_WORDS)
    return tokens


def toy_log_probs(number: int | None, history: int) -> np.ndarray:
    """(V,) log-probabilities where the source says `number`, or has ended, after tokens whose sum is `history`."""
    tokens = np.arange(VOCABULARY.target_size)
    log_probs = -3.0 - ((tokens * 31 + history * 17) % 101) / 25.0 - tokens * 1e-3
    log_probs[:FIRST] = -50.0
    if number is None:
        log_probs[END], log_probs[FIRST] = -0.1, -2.5
    else:
        log_probs[END], log_probs[FIRST + (number + 3 * history) % NUM_WORDS] = -2.5, -0.1
    return log_probs.astype(np.float32)


class Broken(dict[str, np.ndarray]):
    """State that an encoder beside steps failed to make: told to whoever reads it."""

    def __missing__(self, name: str) -> np.ndarray:
        raise RuntimeError("toy encoder failure")


class ToyRunner:
    """See the module. Sources that hold `fail_source` make the encoder fail, `fail_next_step` the decoder, once."""

    spec = SPEC
    vocabulary = VOCABULARY

    def __init__(self, encodes_beside_steps: bool = False) -> None:
        self.encodes_beside_steps = encodes_beside_steps
        self.fail_source: int | None = None
        self.fail_next_step = False
        self.execution = "kernels"
        self.encoded_batches: list[list[int]] = []

    def warm_up(self) -> None:
        pass

    def encode(self, sources: Sequence[Sequence[int]]) -> list[EncodedSource]:
        self.encoded_batches.append([len(source) for source in sources])
        if not self.encodes_beside_steps and any(self.fail_source in source for source in sources):
            raise RuntimeError("toy encoder failure")
        longest = max(len(source) for source in sources)
        padded = [np.array([*source, *[-1] * (longest - len(source))]) for source in sources]
        return [
            EncodedSource(
                len(source),
                Broken() if self.fail_source in source else {"memory": memory, "total": np.zeros(1, np.int64)},
            )
            for source, memory in zip(sources, padded, strict=True)
        ]

    def step(self, batch: Batch, num_candidates: int, is_full: bool) -> Candidates:
        if self.fail_next_step:
            self.fail_next_step = False
            raise RuntimeError("toy decoder failure")
        rows = []
        for row in range(batch.num_rows):
            position, last = batch.positions[row], batch.token_ids[row]
            batch.state["history"][row, position] = 0 if position == 0 else last
            batch.state["total"][row] += batch.state["history"][row, position]
            history = batch.state["history"][row, : position + 1, 0].sum()
            assert history == batch.state["total"][row, 0], "two kinds of state disagree: one was not moved"
            length = batch.source_lengths[row]
            number = batch.state["memory"][row, position] if position < length - 1 else None
            rows.append(toy_log_probs(number, int(history)))
        log_probs = np.array(rows, np.float32)
        ids = np.argsort(-log_probs, axis=1, kind="stable")[:, :num_candidates]
        all_log_probs = log_probs if is_full else None
        return Candidates(ids, np.take_along_axis(log_probs, ids, 1), all_log_probs, self.execution)
