"""A model that begins with another's weights (Zoph et al. 2016), also where the vocabularies differ."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.checkpoint import Checkpoint
from training.errors import TrainingError
from training.vocabulary import Vocabulary


@torch.no_grad()
def transfer(
    checkpoint: Checkpoint, model: nn.Module, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary
) -> None:
    """Copy a checkpoint's weights into `model`, a model with the same settings.

    Rows that belong to a piece go to the same piece of the new vocabulary; pieces that the checkpoint does not know
    keep their random rows.

    Raises:
        TrainingError: no piece is common, or a weight has another shape.
    """
    rows = {
        "encoder": _common_rows(checkpoint.source_vocabulary, source_vocabulary),
        "decoder": _common_rows(checkpoint.target_vocabulary, target_vocabulary),
    }
    sizes = {len(checkpoint.source_vocabulary), len(checkpoint.target_vocabulary)}
    for name, weight in model.state_dict().items():
        known = checkpoint.weights[name]
        side = "encoder" if name.startswith("encoder.") else "decoder"
        if known.shape[0] in sizes and ("embedding" in name or name.startswith("output.")):
            theirs, ours = rows[side]
            weight[ours] = known[theirs]
        elif known.shape == weight.shape:
            weight.copy_(known)
        else:
            raise TrainingError(f"{name} is {tuple(known.shape)} in the checkpoint, {tuple(weight.shape)} here")


def _common_rows(known: Vocabulary, new: Vocabulary) -> tuple[Tensor, Tensor]:
    """The ids of the same pieces in either vocabulary."""
    places = {piece: index for index, piece in enumerate(known.pieces())}
    pairs = [(places[piece], index) for index, piece in enumerate(new.pieces()) if piece in places]
    if len(pairs) <= 4:  # padding, unknown, beginning, end
        raise TrainingError("--initialize-from: the vocabularies have no piece in common")
    theirs, ours = zip(*pairs, strict=True)
    return torch.tensor(theirs), torch.tensor(ours)
