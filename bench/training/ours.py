"""python -m bench.training.ours: our `Trainer.train_step`, timed in rounds; started by `python -m bench.training`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from bench.training.rounds import Replies, Rounds
from bench.training.subject import parallel, read_batches
from training.checkpoint import Checkpoint
from training.data import Batch
from training.loss import sequence_loss
from training.trainer import Trainer
from training.transformer import Transformer


def main() -> None:
    """Answer the check first, then rounds until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("batches", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    replies = Replies()
    checkpoint, batches = Checkpoint.load(options.checkpoint), read_batches(options.batches)
    with tempfile.TemporaryDirectory() as directory:
        trainer = _trainer(checkpoint, Path(directory))
        loss, gradient_norm = check(trainer.model, batches[0])
        replies.send(loss=loss, gradient_norm=gradient_norm)
        for batch in Rounds(batches.__getitem__, replies):
            trainer.train_step(iter([batch]))


def check(model: Transformer, batch: Batch) -> tuple[float, float]:
    """Loss in nats per token and gradient norm of one batch in float32, without dropout and label smoothing."""
    loss = sequence_loss(model.eval(), batch, label_smoothing=0.0) / batch.num_target_tokens
    loss.backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    model.zero_grad(set_to_none=True)
    return float(loss.detach()), float(norm)


def _trainer(checkpoint: Checkpoint, directory: Path) -> Trainer:
    vocabulary = checkpoint.source_vocabulary
    data = parallel(vocabulary, checkpoint.recipe.data)  # the trainer asks for some; the batches come from the file
    trainer = Trainer(checkpoint.recipe, vocabulary, vocabulary, [data], data, directory, torch.device("cpu"))
    trainer.model.load_state_dict(checkpoint.weights)
    return trainer


if __name__ == "__main__":
    main()
