"""Latin to Khmer letters: the GRU encoder-decoder with additive attention of PyPI's netra-transliterate (MIT).

A Keras model. Its vocabulary is a pickle there, which was read once and is JSON here.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.errors import ExportError
from export.importers.symbols import rows, silence, symbol_vocabulary
from training.checkpoint import Checkpoint
from training.model_settings import RnnSettings
from training.recipe import DataSettings, Recipe, VocabularySettings
from training.vocabulary import PAD_ID, UNKNOWN_ID

FILE_NAME = "bi_gru_attention_khmer_transliterator.keras"
Arrays = dict[str, NDArray[Any]]
# Of PyTorch's gates reset, update, new, the places in Keras's order update, reset, new.
_GATES = (1, 0, 2)


def import_netra(directory: Path) -> Checkpoint:
    """Read the model that lies in the package's folder khmer_transliterator/weights; no code of it is run.

    Raises:
        ExportError: it is missing or of another shape, or h5py is not installed.
    """
    symbols = json.loads((Path(__file__).parent / "netra.json").read_text(encoding="utf-8"))
    # Row 0 is padding.
    letters = {symbol: row for row, symbol in enumerate(symbols["source"], start=1)}
    khmer = {symbol: row for row, symbol in enumerate(symbols["target"], start=1)}
    source = symbol_vocabulary([symbol for symbol in letters if len(symbol) == 1], "char", is_latin=True)
    target = symbol_vocabulary([symbol for symbol in khmer if symbol not in ("<unk>", "\t", "\n")], "char")
    path = directory / FILE_NAME
    try:
        arrays = _read(path)
        special = [0, khmer["<unk>"], khmer["\t"], khmer["\n"]]
        bias = rows(arrays["dense/vars/1"], khmer, target, special)
        weights = {
            # Its sources end in padding, which it reads.
            "encoder.embedding.weight": rows(arrays["embedding/vars/0"], letters, source, [0, letters["<unk>"], 0, 0]),
            "embedding.weight": rows(arrays["embedding_1/vars/0"], khmer, target, special),
            "output.bias": silence(bias, PAD_ID, UNKNOWN_ID),
            **_layers(arrays),
        }
        kernel = rows(arrays["dense/vars/0"].T, khmer, target, special)
        weights["output.weight"] = _context_first(kernel)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ExportError(f"{path} does not hold the weights of netra-transliterate 1.0: {error}") from None
    hidden_size = len(weights["decoder.attention.score.energy.weight"][0])
    recipe = Recipe(
        name="netra-transliterate",
        source_language="km-Latn",
        target_language="km",
        vocabulary=VocabularySettings(size=len(target), is_shared=False),
        data=DataSettings(max_source_tokens=symbols["length"], max_target_tokens=2 * symbols["length"]),
        model=RnnSettings(
            decoder="luong",
            score="concat",
            embedding_size=weights["embedding.weight"].shape[1],
            hidden_size=hidden_size,
            readout_size=2 * hidden_size,
            initial_state="zeros",
            is_memory_projected=True,
            readout="linear",
            dropout=0.0,
            padded_source_tokens=symbols["length"],
        ),
    )
    progress = {
        "step": 0,
        "target_tokens": 0,
        "seconds": 0.0,
        "provenance": {"data": "by the makers of netra-transliterate"},
    }
    return Checkpoint(recipe, source, target, weights, progress, {})


def _read(path: Path) -> Arrays:
    """The arrays of a .keras file by name."""
    try:
        import h5py
    except ImportError:
        raise ExportError("reading Keras weights needs h5py: pip install seq2serve[import]") from None

    arrays: Arrays = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and name.startswith("layers/"):
            arrays[name.removeprefix("layers/")] = np.asarray(item[()])

    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(keep)
    return arrays


def _layers(arrays: Arrays) -> dict[str, Tensor]:
    """What lies between embeddings and output."""
    weights: dict[str, Tensor] = {}
    for direction, suffix in (("forward", ""), ("backward", "_reverse")):
        cell = _cell(arrays, f"bidirectional/{direction}_layer/cell")
        for ours, theirs in (("weight_ih", "input.weight"), ("weight_hh", "hidden.weight")):
            weights[f"encoder.recurrent.{ours}_l0{suffix}"] = cell[theirs]
        for ours, theirs in (("bias_ih", "input.bias"), ("bias_hh", "hidden.bias")):
            weights[f"encoder.recurrent.{ours}_l0{suffix}"] = cell[theirs]
    weights |= {f"decoder.stack.cells.0.{name}": tensor for name, tensor in _cell(arrays, "gru/cell").items()}
    projection = _tensor(arrays["time_distributed/layer/vars/0"].T)
    size = len(projection)
    return weights | {
        "encoder.projection.weight": projection,
        "encoder.projection.bias": _tensor(arrays["time_distributed/layer/vars/1"]),
        # Keras adds query and key as they are.
        "decoder.attention.score.query.weight": torch.eye(size),
        "decoder.attention.score.key.weight": torch.eye(size),
        "decoder.attention.score.key.bias": torch.zeros(size),
        "decoder.attention.score.energy.weight": _tensor(arrays["additive_attention/vars/0"])[None],
        "decoder.readout.linear.weight": torch.eye(2 * size),
        "decoder.readout.linear.bias": torch.zeros(2 * size),
    }


def _cell(arrays: Arrays, name: str) -> dict[str, Tensor]:
    """A GRU cell with its gates in PyTorch's order."""
    kernel, recurrent, biases = (arrays[f"{name}/vars/{index}"] for index in range(3))
    gates = {"input.weight": kernel.T, "hidden.weight": recurrent.T, "input.bias": biases[0], "hidden.bias": biases[1]}
    return {key: _tensor(np.concatenate([np.split(array, 3)[gate] for gate in _GATES])) for key, array in gates.items()}


def _context_first(kernel: Tensor) -> Tensor:
    """Keras joins state and context in this order, our readout in the other."""
    state, context = kernel.chunk(2, dim=1)
    return torch.cat((context, state), dim=1)


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
