"""Adam with a warm-up schedule (section 5.3 of Vaswani et al. 2017)."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from training.recipe import TrainerSettings


def build_optimizer(model: nn.Module, settings: TrainerSettings) -> AdamW:
    """AdamW over all parameters; weight decay is off unless the recipe sets it, which makes it plain Adam."""
    return AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        betas=settings.adam_betas,
        eps=settings.adam_epsilon,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def build_schedule(optimizer: torch.optim.Optimizer, settings: TrainerSettings) -> LambdaLR:
    """Learning rate by step: a straight line up to `warmup_steps`, then down as the recipe says."""

    def scale(step: int) -> float:
        step += 1
        if step < settings.warmup_steps:
            return step / settings.warmup_steps
        if settings.schedule == "inverse_sqrt":
            return float((settings.warmup_steps / step) ** 0.5)
        remaining = settings.max_steps - step
        return max(0.0, remaining / max(1, settings.max_steps - settings.warmup_steps))

    return LambdaLR(optimizer, scale)
