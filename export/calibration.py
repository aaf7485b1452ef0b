"""How large activations get: what fixed int8 scales are made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from training.search import default_max_tokens, greedy
from training.seq2seq import Seq2Seq

MAX_TOKENS = 64
BATCH_SIZE = 32


@dataclass
class Ranges:
    """The largest absolute values seen, by the name of the linear layer."""

    inputs: dict[str, float] = field(default_factory=dict)
    outputs: dict[str, Tensor] = field(default_factory=dict)
    """(M,) of each output, for M outputs."""


def observe(model: Seq2Seq[Any], sources: Sequence[Sequence[int]]) -> Ranges:
    """Translate sources greedily and note what every linear layer reads and says.

    Args:
        model: float32, in evaluation mode.
        sources: ids, end of sentence included.
    """
    ranges = Ranges()
    with _watching(model, ranges):
        for start in range(0, len(sources), BATCH_SIZE):
            batch = sources[start : start + BATCH_SIZE]
            greedy(model, batch, [default_max_tokens(len(source), MAX_TOKENS) for source in batch])
    return ranges


@contextmanager
def _watching(model: nn.Module, ranges: Ranges) -> Iterator[None]:
    def watcher(name: str) -> object:
        def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            seen = float(inputs[0].abs().max())
            ranges.inputs[name] = max(ranges.inputs.get(name, 0.0), seen)
            largest = output.abs().reshape(-1, output.shape[-1]).amax(dim=0)
            ranges.outputs[name] = torch.maximum(ranges.outputs.get(name, largest), largest)

        return note

    linears = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    handles = [module.register_forward_hook(watcher(name)) for name, module in linears]  # type: ignore[arg-type]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
