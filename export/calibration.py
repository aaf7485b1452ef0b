"""How large activations get: what fixed int8 scales are made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from training.attention import Stored
from training.search import default_max_tokens, greedy
from training.seq2seq import Seq2Seq

MAX_TOKENS = 64
BATCH_SIZE = 32


@dataclass
class Ranges:
    """The largest absolute values seen, by the name of the module."""

    inputs: dict[str, float] = field(default_factory=dict)
    """Of linear layers."""
    stored: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Of keys and of values, as attention stores them."""


def observe(model: Seq2Seq[Any], sources: Sequence[Sequence[int]], max_target_tokens: int = MAX_TOKENS) -> Ranges:
    """Translate sources greedily and note what every linear layer reads and every attention stores.

    Args:
        model: float32, in evaluation mode.
        sources: ids, end of sentence included.
        max_target_tokens: the longest translation that the model can write; no more than MAX_TOKENS are looked at.
    """
    ranges = Ranges()
    longest = min(MAX_TOKENS, max_target_tokens)
    with _watching(model, ranges):
        for start in range(0, len(sources), BATCH_SIZE):
            batch = sources[start : start + BATCH_SIZE]
            greedy(model, batch, [default_max_tokens(len(source), longest) for source in batch])
    return ranges


@contextmanager
def _watching(model: nn.Module, ranges: Ranges) -> Iterator[None]:
    def watch_linear(name: str) -> object:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            ranges.inputs[name] = max(ranges.inputs.get(name, 0.0), float(inputs[0].abs().max()))

        return note

    def watch_stored(name: str) -> object:
        def note(_: nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
            key, value = ranges.stored.get(name, (0.0, 0.0))
            ranges.stored[name] = max(key, float(inputs[0].abs().max())), max(value, float(inputs[1].abs().max()))

        return note

    handles = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            handles.append(module.register_forward_pre_hook(watch_linear(name)))  # type: ignore[arg-type]
        elif isinstance(module, Stored):
            handles.append(module.register_forward_pre_hook(watch_stored(name)))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
