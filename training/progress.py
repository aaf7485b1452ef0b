"""How a run is going: the bar on the terminal and TensorBoard."""

from __future__ import annotations

import math
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm


class Progress:
    """Use as a context manager. Silent where `is_shown` is false: in all processes but the first."""

    def __init__(self, directory: Path, step: int, max_steps: int, is_shown: bool) -> None:
        # What was logged beyond the checkpoint that a run resumes from is logged again.
        self._board = SummaryWriter(str(directory), purge_step=step + 1) if is_shown else None
        self._bar = tqdm(total=max_steps, initial=step, unit="step", mininterval=5.0, disable=not is_shown)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._board:
            self._board.close()

    def advance(self) -> None:
        """One step is done."""
        self._bar.update()

    def log_training(self, step: int, epoch: int, loss: float, tokens_per_second: float, learning_rate: float) -> None:
        """Averages since the last call: `loss` in nats per target token, label smoothing included."""
        self._bar.set_postfix_str(f"loss {loss:.3f} | {tokens_per_second:,.0f} tokens/s | epoch {epoch + 1}")
        if self._board:
            self._board.add_scalar("train/loss", loss, step)
            self._board.add_scalar("train/tokens_per_second", tokens_per_second, step)
            self._board.add_scalar("train/learning_rate", learning_rate, step)

    def log_validation(self, step: int, loss: float) -> None:
        """`loss` of the development text, in nats per target token."""
        if self._board:
            perplexity = math.exp(min(loss, 50.0))
            self._board.add_scalar("development/loss", loss, step)
            self._board.add_scalar("development/perplexity", perplexity, step)
            tqdm.write(f"step {step}: development loss {loss:.4f}, perplexity {perplexity:.2f}")
