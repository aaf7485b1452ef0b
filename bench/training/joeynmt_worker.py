"""JoeyNMT's TrainManager on our batches, timed in rounds; `python -m bench.training` starts it in its own environment.

Model, loss, optimiser and loop are JoeyNMT's: `build_model`, `XentLoss`, `TrainManager.train_and_validate`. Of ours are
the weights, the batches, and three settings that JoeyNMT has no name for, so that both sides compute the same: dropout
of attention weights and inside the feed-forward network off, layer normalisation with PyTorch's epsilon, and bfloat16,
which JoeyNMT's configuration refuses on a CPU but its TrainManager takes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from joeynmt.batch import Batch
from joeynmt.config import _check_special_symbols, parse_train_args
from joeynmt.model import Model, build_model
from joeynmt.training import TrainManager
from joeynmt.vocabulary import Vocabulary
from torch import Tensor, nn

from bench.training.joeynmt_weights import renamed
from bench.training.rounds import Replies, Rounds
from training.vocabulary import BEGIN_ID, END_ID, PAD_ID, UNKNOWN_ID

CPU = torch.device("cpu")
NEVER = 10**9


class MeasuredManager(TrainManager):
    """JoeyNMT's, but it leaves no checkpoint when it ends."""

    def _save_checkpoint(self, new_best: bool, score: float) -> None:
        pass


class MeasuredData:
    """What `train_and_validate` asks of a data set and of its iterator: the batches of the rounds, for one epoch."""

    def __init__(self, rounds: Rounds[Batch]) -> None:
        self.seed = 0
        self.batch_sampler = SimpleNamespace(set_seed=lambda _seed: None)
        self._rounds = rounds

    def make_iter(self, **_settings: Any) -> MeasuredData:
        return self

    def __iter__(self) -> Any:
        return iter(self._rounds)


def main() -> None:
    """Answer the check first, then rounds until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("batches", type=Path)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    replies = Replies()
    content = torch.load(options.checkpoint, weights_only=True)
    batches = torch.load(options.batches, weights_only=True)
    model = make_model(content["recipe"]["model"], content["weights"])
    loss, gradient_norm = check(model, make_batch(batches[0]))
    replies.send(loss=loss, gradient_norm=gradient_norm)
    rounds = Rounds(lambda number: make_batch(batches[number]), replies)
    with tempfile.TemporaryDirectory() as directory:
        manager = make_manager(model, content["recipe"]["trainer"], Path(directory))
        manager.train_and_validate(MeasuredData(rounds), SimpleNamespace())


def make_model(settings: dict[str, Any], weights: dict[str, Tensor]) -> Model:
    """JoeyNMT's Transformer with our settings and weights."""
    part = {
        "type": "transformer",
        "num_heads": settings["num_heads"],
        "hidden_size": settings["model_size"],
        "ff_size": settings["feed_forward_size"],
        "dropout": settings["dropout"],
        "layer_norm": settings["norm"],
        "embeddings": {"embedding_dim": settings["model_size"], "scale": True, "dropout": settings["dropout"]},
    }
    configuration = {
        "encoder": {**part, "num_layers": settings["num_encoder_layers"]},
        "decoder": {**part, "num_layers": settings["num_decoder_layers"]},
        "tied_embeddings": True,
        "tied_softmax": True,
    }
    vocabulary = _vocabulary(len(weights["encoder.embedding.tokens.weight"]))
    model = build_model(configuration, vocabulary, vocabulary)
    missing, unexpected = model.load_state_dict(renamed(weights, settings), strict=False)
    assert not unexpected
    assert set(missing) == {"encoder.pe.pe", "decoder.pe.pe"}, missing
    for name, module in model.named_modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-5
        if name.endswith(("att.dropout", "pwff_layer.2")):
            module.p = 0.0
    return model


def make_batch(tensors: dict[str, Tensor]) -> Batch:
    """JoeyNMT's batch of the same ids."""
    return Batch(
        src=tensors["source"],
        src_length=tensors["source_lengths"],
        src_prompt_mask=None,
        trg=torch.cat((tensors["target_input"][:, :1], tensors["target_output"]), dim=1),
        trg_prompt_mask=None,
        indices=torch.arange(len(tensors["source"])),
        device=CPU,
        pad_index=PAD_ID,
        eos_index=END_ID,
    )


def check(model: Model, batch: Batch) -> tuple[float, float]:
    """Loss in nats per token and gradient norm of one batch in float32, without dropout and label smoothing."""
    model.eval()
    model.loss_function = ("crossentropy", 0.0)
    total, *_ = model(return_type="loss", **vars(batch))
    loss = batch.normalize(total, "tokens")
    loss.backward()
    norm = nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
    model.zero_grad()
    return loss.item(), norm.item()


def make_manager(model: Model, settings: dict[str, Any], directory: Path) -> TrainManager:
    """JoeyNMT's loop with our settings of the optimisation."""
    model.loss_function = ("crossentropy", settings["label_smoothing"])
    arguments = parse_train_args(
        {
            "normalization": "tokens",
            "label_smoothing": settings["label_smoothing"],
            "optimizer": "adam",
            "adam_betas": settings["adam_betas"],
            "learning_rate": settings["learning_rate"],
            "learning_rate_min": 0.0,
            "scheduling": "warmupinversesquareroot",
            "learning_rate_warmup": settings["warmup_steps"],
            "clip_grad_norm": settings["clip_norm"],
            "batch_size": 1,
            "epochs": 1,
            "logging_freq": NEVER,
            "validation_freq": NEVER,
        }
    )
    autocast = {"device_type": "cpu", "enabled": settings["precision"] == "bfloat16", "dtype": torch.bfloat16}
    return MeasuredManager(0, model, directory, CPU, autocast=autocast, train_args=arguments)


def _vocabulary(size: int) -> Vocabulary:
    """As many made-up tokens. JoeyNMT numbers the unknown token and padding the other way round: they change places."""
    special = SimpleNamespace(**_check_special_symbols({}))
    vocabulary = Vocabulary([str(number) for number in range(END_ID + 1, size)], special)
    assert (vocabulary.bos_index, vocabulary.eos_index, len(vocabulary)) == (BEGIN_ID, END_ID, size)
    vocabulary.pad_index, vocabulary.unk_index = PAD_ID, UNKNOWN_ID
    return vocabulary


if __name__ == "__main__":
    main()
