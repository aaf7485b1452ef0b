"""An int8 bundle of ours as a checkpoint again, to be trained further on other text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from export.errors import ExportError
from export.language_tags import with_tags
from service.bundle.manifest import Manifest, load_manifest, read_file
from training.checkpoint import Checkpoint
from training.model import build_model
from training.recipe import parse_recipe
from training.vocabulary import Vocabulary


def import_bundle(directory: Path) -> Checkpoint:
    """Read the weights that the graphs hold, to within half a step of their int8.

    Raises:
        BundleError: it is damaged.
        ExportError: its precision or its graphs are others; the message says what is missing.
    """
    manifest = load_manifest(directory)
    _check(manifest, directory)
    recipe = parse_recipe(manifest.training.recipe, str(directory / "manifest.json"))
    tags = tuple(recipe.tags.values())
    source, target = (with_tags(Vocabulary(read_file(directory, file)), tags) for file in manifest.files.tokenizers)
    model = build_model(recipe, source, target)
    _fill(model, *(_Tensors(read_file(directory, file)) for file in (manifest.files.encoder, manifest.files.decoder)))
    training = manifest.training
    provenance = {"data": training.data, "data_sha256": training.data_sha256, "commit": training.commit}
    return Checkpoint(
        recipe=recipe,
        source_vocabulary=source,
        target_vocabulary=target,
        weights={name: weight.clone() for name, weight in model.state_dict().items()},
        progress={
            "step": training.steps,
            "target_tokens": training.target_tokens,
            "seconds": training.hours * 3600,
            "provenance": provenance | {"initialized_from": training.initialized_from},
        },
        trainer={},
    )


def _check(manifest: Manifest, directory: Path) -> None:
    if manifest.reads_images:
        raise ExportError(f"{directory} describes pictures: only models of text are read; use its checkpoint")
    if manifest.precision != "int8":
        raise ExportError(
            f"{directory} is {manifest.precision}: only int8 graphs tell which weight is which; use its checkpoint"
        )
    if "members" in manifest.training.recipe:
        raise ExportError(f"{directory} is an ensemble: its members were trained one by one")


class _Tensors:
    """What a graph holds, by name."""

    def __init__(self, content: bytes) -> None:
        initializers = onnx.load_from_string(content).graph.initializer
        self._arrays = {item.name.removeprefix("model."): numpy_helper.to_array(item) for item in initializers}

    def find(self, name: str) -> Tensor | None:
        """A parameter of that name, from int8 where it is quantised."""
        array, scale = self._arrays.get(name), self._arrays.get(f"{name}_scale")
        if array is None:
            return None
        return torch.from_numpy(array.copy() if scale is None else (array * scale).T)

    def find_rows(self, num_rows: int, width: int) -> Tensor | None:
        """The table (num_rows, width) of the decoder's tokens or positions, whose names the exporter drops."""
        quantized, scale = self._find_unnamed(np.int8, num_rows, width), self._find_unnamed(np.float32, num_rows)
        if quantized is not None and scale is not None:
            return torch.from_numpy(quantized * scale[:, None])
        table = self._find_unnamed(np.float32, num_rows, width)
        return None if table is None else torch.from_numpy(table.copy())

    def _find_unnamed(self, dtype: type[np.generic], *shape: int) -> NDArray[Any] | None:
        unnamed = [array for name, array in self._arrays.items() if "." not in name]
        found = [array for array in unnamed if array.dtype == dtype and array.shape == shape]
        return found[0] if len(found) == 1 else None


@torch.no_grad()
def _fill(model: nn.Module, encoder: _Tensors, decoder: _Tensors) -> None:
    # Tied weights are one parameter under several names: any of them will do.
    missing = {id(weight): name for name, weight in model.named_parameters()}
    for name, module in model.named_modules():
        for kind, weight in module.named_parameters(recurse=False):
            values = _find(f"{name}.{kind}", weight, encoder, decoder)
            if values is not None:
                weight.copy_(values)
                missing.pop(id(weight), None)
    if missing:
        raise ExportError(f"the graphs do not tell {', '.join(missing.values())}: only those of a Transformer are read")


def _find(name: str, weight: Tensor, encoder: _Tensors, decoder: _Tensors) -> Tensor | None:
    # Keys and values of the source are the encoder graph's work.
    in_encoder = re.sub(
        r"^decoder\.layers\.(\d+)\.cross_attention\.key_value\.", r"cross_attentions.\1.key_value.", name
    )
    is_encoder = name.startswith("encoder.") or name != in_encoder
    graph = encoder if is_encoder else decoder
    found = graph.find(in_encoder)
    if found is None and ".embedding." in name:
        return graph.find_rows(*weight.shape)
    return found
