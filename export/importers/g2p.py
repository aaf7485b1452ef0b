"""English letters to sounds: the GRU encoder-decoder without attention of the PyPI package g2p-en (Apache-2.0)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from export.errors import ExportError
from export.importers.symbols import rows, silence, symbol_vocabulary
from training.checkpoint import Checkpoint
from training.model_settings import RnnSettings
from training.recipe import DataSettings, Recipe, VocabularySettings
from training.vocabulary import BEGIN_ID, PAD_ID

FILE_NAME = "checkpoint20.npz"
MAX_SOUNDS = 20


def import_g2p(directory: Path) -> Checkpoint:
    """Read the weights that lie in the package's folder g2p_en; no code of it is run.

    Raises:
        ExportError: they are missing or of another shape.
    """
    path = directory / FILE_NAME
    # The order of the rows of its tables, from G2p.__init__ in g2p.py.
    symbols = json.loads((Path(__file__).parent / "g2p.json").read_text(encoding="utf-8"))
    letters, sounds = ({symbol: row for row, symbol in enumerate(symbols[side])} for side in ("source", "target"))
    source = symbol_vocabulary(symbols["source"][3:], "char", is_latin=True)
    target = symbol_vocabulary(symbols["target"][4:], "word")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        hidden_size, embedding_size = arrays["enc_w_hh"].shape[1], arrays["enc_emb"].shape[1]
        tensors = {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in arrays.items()}
        special = [0, 1, 2, 3]
        weights = {
            "encoder.embedding.weight": rows(arrays["enc_emb"], letters, source, [0, 1, 0, 2]),
            "embedding.weight": rows(arrays["dec_emb"], sounds, target, special),
            "output.weight": rows(arrays["fc_w"], sounds, target, special),
            "output.bias": silence(rows(arrays["fc_b"], sounds, target, special), PAD_ID, BEGIN_ID),
            **_gru("encoder.recurrent.{}_l0", "enc", tensors),
            **_decoder(tensors, hidden_size, embedding_size),
        }
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise ExportError(f"{path} does not hold the weights of g2p-en 2.1: {error}") from None
    recipe = Recipe(
        name="g2p-en",
        source_language="en",
        target_language="en-fonipa",
        vocabulary=VocabularySettings(size=len(target), is_shared=False),
        data=DataSettings(max_source_tokens=64, max_target_tokens=MAX_SOUNDS),
        model=RnnSettings(
            decoder="context",
            embedding_size=embedding_size,
            hidden_size=hidden_size,
            readout_size=hidden_size,
            is_bidirectional=False,
            initial_state="copied",
            readout="linear",
            dropout=0.0,
        ),
    )
    progress = {
        "step": 0,
        "target_tokens": 0,
        "seconds": 0.0,
        "provenance": {"data": "CMUdict, by the makers of g2p-en"},
    }
    return Checkpoint(recipe, source, target, weights, progress, {})


def _gru(name: str, prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    kinds = {"weight_ih": "w_ih", "weight_hh": "w_hh", "bias_ih": "b_ih", "bias_hh": "b_hh"}
    return {name.format(ours): tensors[f"{prefix}_{theirs}"] for ours, theirs in kinds.items()}


def _decoder(tensors: dict[str, Tensor], hidden_size: int, embedding_size: int) -> dict[str, Tensor]:
    """The source reaches this decoder as its first state only: what would read the context later is zero."""
    context = torch.zeros(3 * hidden_size, hidden_size)
    unread = torch.zeros(hidden_size, embedding_size + hidden_size)
    return {
        "decoder.stack.cells.0.input.weight": torch.cat((tensors["dec_w_ih"], context), dim=1),
        "decoder.stack.cells.0.input.bias": tensors["dec_b_ih"],
        "decoder.stack.cells.0.hidden.weight": tensors["dec_w_hh"],
        "decoder.stack.cells.0.hidden.bias": tensors["dec_b_hh"],
        "decoder.readout.linear.weight": torch.cat((torch.eye(hidden_size), unread), dim=1),
        "decoder.readout.linear.bias": torch.zeros(hidden_size),
    }
