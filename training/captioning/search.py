"""Captions by PyTorch: greedy, and beam search by the book; the references that a served bundle must equal.

B pictures, S cells, C channels, K hypotheses, V vocabulary size.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.captioning.model import Captioner
from training.search import NextLogProbs, greedy_from
from training.vocabulary import BEGIN_ID, END_ID

IMPOSSIBLE = -1e9


@torch.inference_mode()
def greedy_captions(model: Captioner, features: Tensor, tag_ids: Sequence[int], max_tokens: int) -> list[list[int]]:
    """The most probable token at every step, after the tag.

    Args:
        model: in evaluation mode.
        features: (B, S, C).
        tag_ids: of each picture's language.
        max_tokens: end of sentence not counted.

    Returns:
        The ids of each caption, without tag and end of sentence.
    """
    state = model.start(features, model.lengths(features))
    model.step(torch.full((len(features),), BEGIN_ID), state)
    return greedy_from(model, state, torch.tensor(list(tag_ids)), [max_tokens] * len(features))


def next_log_probs(model: Captioner, features: Tensor, tag_id: int) -> NextLogProbs:
    """What `training.search.beam_search` asks of a model: every caption so far, its tag first, is read anew.

    Args:
        model: in evaluation mode.
        features: (S, C) of one picture.
        tag_id: of the language; anything else at the first place is as good as impossible.
    """

    @torch.inference_mode()
    def compute(captions: Sequence[tuple[int, ...]]) -> Tensor:
        inputs = torch.tensor([[BEGIN_ID, *tokens] for tokens in captions])
        pictures = features.expand(len(inputs), *features.shape)
        log_probs = model.log_probs(model(pictures, model.lengths(pictures), inputs)[:, -1])
        if inputs.shape[1] == 1:
            others = torch.arange(log_probs.shape[1]) != tag_id
            log_probs = log_probs.masked_fill(others, IMPOSSIBLE)
            log_probs[:, END_ID] = 2 * IMPOSSIBLE  # no caption ends there
        return log_probs

    return compute
