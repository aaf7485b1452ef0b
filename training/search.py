"""Greedy decoding in PyTorch: the reference that the served engine must equal, and what evaluation uses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from training.data import pad
from training.transformer import Transformer
from training.vocabulary import BEGIN_ID, END_ID, Vocabulary


def default_max_tokens(num_source_tokens: int, limit: int) -> int:
    """How long a translation may grow where nothing else is asked: generous, for short sources too."""
    return min(limit, 3 * num_source_tokens + 16)


@torch.inference_mode()
def greedy(model: Transformer, sources: Sequence[Sequence[int]], max_tokens: Sequence[int]) -> list[list[int]]:
    """The most probable token at every step, until end of sentence or `max_tokens`.

    Args:
        model: in evaluation mode.
        sources: ids of each source, end of sentence included.
        max_tokens: the longest translation of each source, end of sentence not counted.

    Returns:
        The ids of each translation, without end of sentence.
    """
    source_ids = pad([np.asarray(source, np.int32) for source in sources])
    lengths = torch.tensor([len(source) for source in sources])
    caches = model.decoder.start(model.encoder(source_ids, lengths))
    tokens = torch.full((len(sources),), BEGIN_ID)
    translations: list[list[int]] = [[] for _ in sources]
    running = set(range(len(sources)))
    for position in range(max(max_tokens) + 1):
        states = model.decoder.step(tokens, position, caches, lengths)
        tokens = model.logits(states).argmax(dim=-1)  # (B,)
        for row in sorted(running):
            token = int(tokens[row])
            if token == END_ID or len(translations[row]) == max_tokens[row]:
                running.remove(row)
            else:
                translations[row].append(token)
        if not running:
            break
    return translations


def translate(
    model: Transformer,
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    texts: Sequence[str],
    batch_size: int = 64,
) -> list[str]:
    """Translate texts greedily, each as one sentence, batched by length."""
    longest = model.decoder.embedding.positions.shape[0] - 1
    sources = [[*ids[: longest - 1], END_ID] for ids in source_vocabulary.encode(texts)]
    order = sorted(range(len(sources)), key=lambda index: len(sources[index]))
    translations = [""] * len(sources)
    for start in range(0, len(order), batch_size):
        indices = order[start : start + batch_size]
        batch = [sources[index] for index in indices]
        limits = [default_max_tokens(len(source), longest - 1) for source in batch]
        for index, ids in zip(indices, greedy(model, batch, limits), strict=True):
            translations[index] = target_vocabulary.decode(ids)
    return translations
