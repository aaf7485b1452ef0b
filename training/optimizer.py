"""Adam with a warm-up schedule (section 5.3 of Vaswani et al. 2017); Muon for the layers' matrices."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import AdamW, Muon, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from training.errors import TrainingError
from training.recipe import TrainerSettings


class MuonWithAdam(Optimizer):
    """Two optimizers behind one interface: Muon for matrices of layers, Adam for the rest."""

    def __init__(self, muon: Muon, adam: AdamW) -> None:
        self.parts = {"muon": muon, "adam": adam}
        groups = [group for part in self.parts.values() for group in part.param_groups]
        super().__init__([weight for group in groups for weight in group["params"]], {})
        self.param_groups = groups  # the parts' own, so that a schedule reaches them

    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """One update of all weights."""
        for part in self.parts.values():
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Of each part by its name."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What `state_dict` returned."""
        for name, part in self.parts.items():
            part.load_state_dict(state_dict[name])
        self.param_groups = [group for part in self.parts.values() for group in part.param_groups]


def build_optimizer(model: nn.Module, settings: TrainerSettings) -> Optimizer:
    """What the recipe asks for, over all parameters; weight decay is off unless the recipe sets it.

    Raises:
        TrainingError: Muon has nothing to train in this model.
    """
    if settings.optimizer == "adam":
        return _adam(list(model.parameters()), settings)
    named = dict(model.named_parameters())
    # A row of an embedding, or of the matrix that chooses a token, belongs to one token: Muon is not for them.
    is_matrix = {
        name: weight.ndim == 2 and ".layers." in name and "embedding" not in name for name, weight in named.items()
    }
    if not any(is_matrix.values()):
        raise TrainingError("trainer.optimizer: muon is for Transformers; this model has no layers for it: use adam")
    muon = Muon(
        [weight for name, weight in named.items() if is_matrix[name]],
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        momentum=settings.muon_momentum,
        adjust_lr_fn="match_rms_adamw",
    )
    return MuonWithAdam(muon, _adam([weight for name, weight in named.items() if not is_matrix[name]], settings))


def _adam(weights: list[nn.Parameter], settings: TrainerSettings) -> AdamW:
    return AdamW(
        weights,
        lr=settings.learning_rate,
        betas=settings.adam_betas,
        eps=settings.adam_epsilon,
        weight_decay=settings.weight_decay,
        fused=True,
    )


def build_schedule(optimizer: Optimizer, settings: TrainerSettings) -> LambdaLR:
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
