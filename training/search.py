"""Search in PyTorch: the slow references that the served engine must equal, and what evaluation uses.

B rows, K running hypotheses, V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.data import pad
from training.seq2seq import Seq2Seq, State
from training.vocabulary import BEGIN_ID, END_ID


def default_max_tokens(num_source_tokens: int, limit: int) -> int:
    """How long a translation may grow where nothing else is asked: generous, for short sources too."""
    return min(limit, 3 * num_source_tokens + 16)


@torch.inference_mode()
def greedy(model: Seq2Seq[Any], sources: Sequence[Sequence[int]], max_tokens: Sequence[int]) -> list[list[int]]:
    """The most probable token at every step, until end of sentence or `max_tokens`.

    Args:
        model: in evaluation mode.
        sources: ids of each source, end of sentence included.
        max_tokens: the longest translation of each source, end of sentence not counted.

    Returns:
        The ids of each translation, without end of sentence.
    """
    device = next(model.parameters()).device
    source_ids = pad([np.asarray(source, np.int32) for source in sources]).to(device)
    lengths = torch.tensor([len(source) for source in sources], device=device)
    begin = torch.full((len(sources),), BEGIN_ID, device=device)
    return greedy_from(model, model.start(source_ids, lengths), begin, max_tokens)


@torch.inference_mode()
def greedy_from(model: Seq2Seq[State], state: State, tokens: Tensor, max_tokens: Sequence[int]) -> list[list[int]]:
    """`greedy` from a state on.

    Args:
        model: in evaluation mode.
        state: of B rows.
        tokens: (B,), the next to read.
        max_tokens: the most that may follow in each row, end of sentence not counted.
    """
    translations: list[list[int]] = [[] for _ in max_tokens]
    running = set(range(len(max_tokens)))
    for _ in range(max(max_tokens) + 1):
        tokens = model.log_probs(model.step(tokens, state)).argmax(dim=-1)  # (B,)
        chosen = tokens.tolist()
        for row in sorted(running):
            token = chosen[row]
            if token == END_ID or len(translations[row]) == max_tokens[row]:
                running.remove(row)
            else:
                translations[row].append(token)
        if not running:
            break
    return translations


@dataclass(frozen=True)
class BeamSettings:
    """How `beam_search` searches."""

    beam_size: int
    max_tokens: int
    """End of sentence not counted."""
    num_hypotheses: int = 1
    length_penalty: float = 0.6
    """Exponent alpha of Wu et al. (2016), equation 14."""
    is_early_stopping: bool = True
    """Stop at `beam_size` finished hypotheses; else when none that runs can still win."""
    min_tokens: int = 0
    is_normalized_by_tokens: bool = False
    """Divide by the number of tokens to the power of alpha, instead of (5 + tokens) / 6."""


@dataclass(frozen=True)
class BeamHypothesis:
    """A result of beam search."""

    token_ids: tuple[int, ...]
    """Without end of sentence."""
    log_prob: float
    """Of all tokens, and of the end where `is_ended`, in nats."""
    score: float
    """Log-probability over length penalty."""
    is_ended: bool


NextLogProbs = Callable[[Sequence[tuple[int, ...]]], Tensor]
"""From K translations so far to the log-probabilities (K, V) of what comes next."""


def beam_search(next_log_probs: NextLogProbs, settings: BeamSettings, end_id: int = END_ID) -> list[BeamHypothesis]:
    """Beam search by the book, without caches: at every step the best of all K times V extensions.

    Extensions that end and rank among the `beam_size` best are kept as results; the best that do not end go on.

    Returns:
        The `num_hypotheses` best by score, best first.
    """
    running: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    finished: list[BeamHypothesis] = []
    while running:
        log_probs = next_log_probs([tokens for _, tokens in running]).double()
        if len(running[0][1]) < settings.min_tokens:
            log_probs[:, end_id] = float("-inf")
        totals = log_probs + torch.tensor([total for total, _ in running], dtype=torch.float64)[:, None]
        ranked = totals.flatten().sort(descending=True, stable=True)
        going_on: list[tuple[float, tuple[int, ...]]] = []
        for rank in range(2 * settings.beam_size):
            total, index = float(ranked.values[rank]), int(ranked.indices[rank])
            tokens, token = running[index // totals.shape[1]][1], index % totals.shape[1]
            if token != end_id:
                going_on.append((total, (*tokens, token)))
            elif rank < settings.beam_size:
                finished.append(_hypothesis(tokens, total, settings, is_ended=True))
        running = going_on[: settings.beam_size]
        if len(running[0][1]) == settings.max_tokens:
            finished += [_hypothesis(tokens, total, settings, is_ended=False) for total, tokens in running]
            running = []
        finished = sorted(finished, key=lambda hypothesis: -hypothesis.score)[: settings.beam_size]
        if running and _is_decided(running[0][0], finished, settings):
            running = []
    return finished[: settings.num_hypotheses]


def next_log_probs(model: Seq2Seq[Any], source: Sequence[int]) -> NextLogProbs:
    """What `beam_search` asks of a model: every translation so far is read anew.

    Args:
        model: in evaluation mode.
        source: ids, end of sentence included.
    """
    device = next(model.parameters()).device

    @torch.inference_mode()
    def compute(translations: Sequence[tuple[int, ...]]) -> Tensor:
        inputs = torch.tensor([[BEGIN_ID, *tokens] for tokens in translations], device=device)
        sources = torch.tensor([list(source)] * len(inputs), device=device)
        states = model(sources, torch.full((len(inputs),), len(source), device=device), inputs)
        return model.log_probs(states[:, -1]).cpu()

    return compute


def _hypothesis(tokens: tuple[int, ...], total: float, settings: BeamSettings, is_ended: bool) -> BeamHypothesis:
    score = total / _length_penalty(len(tokens) + is_ended, settings)
    return BeamHypothesis(tokens, total, score, is_ended)


def _length_penalty(num_tokens: int, settings: BeamSettings) -> float:
    length = num_tokens if settings.is_normalized_by_tokens else (5 + num_tokens) / 6
    return float(length**settings.length_penalty)


def _is_decided(best_total: float, finished: list[BeamHypothesis], settings: BeamSettings) -> bool:
    if settings.is_early_stopping:
        return len(finished) >= settings.beam_size
    bound = best_total / _length_penalty(settings.max_tokens + 1, settings)
    return len(finished) >= settings.num_hypotheses and finished[settings.num_hypotheses - 1].score >= bound
