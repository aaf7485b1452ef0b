"""Activation checkpointing (Chen et al. 2016): less memory for one more forward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute_layers(model: nn.Module) -> None:
    """Keep only the inputs of every layer for the backward pass, which then runs the layer again.

    A layer is a member of any `nn.ModuleList` called `layers`. Names of weights and results stay as they are.
    """
    stacks = (getattr(module, "layers", None) for module in list(model.modules()))
    for stack in stacks:
        if isinstance(stack, nn.ModuleList):
            for layer in stack:
                layer.forward = functools.partial(_recomputed, layer.forward)


def _recomputed(forward: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    if torch.is_grad_enabled():
        return checkpoint(forward, *arguments, use_reentrant=False, **named)
    return forward(*arguments, **named)
