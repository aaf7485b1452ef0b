"""What a directory of Hugging Face's save_pretrained holds: JSON and safetensors, never pickles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from export.errors import ExportError

WEIGHTS, INDEX, PICKLE = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"


def read_json(directory: Path, name: str, is_required: bool = True) -> dict[str, Any]:
    """An object of a JSON file; empty where it is missing and need not be there.

    Raises:
        ExportError: the file is missing, or holds something else.
    """
    path = directory / name
    if not path.is_file() and not is_required:
        return {}
    try:
        content = json.loads(read_bytes(directory, name))
    except ValueError as error:
        raise ExportError(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ExportError(f"{path} holds no object")
    return content


def read_bytes(directory: Path, name: str) -> bytes:
    """A file.

    Raises:
        ExportError: it is missing or cannot be read.
    """
    path = directory / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ExportError(f"{path} is missing") from None
    except OSError as error:
        raise ExportError(f"{path}: {error}") from None


def read_weights(directory: Path) -> dict[str, Tensor]:
    """All tensors, in float32, of one safetensors file or of those that an index names.

    Raises:
        ExportError: there are none, a file of them is missing or damaged, or the weights are pickled only.
    """
    if (directory / WEIGHTS).is_file():
        names = [WEIGHTS]
    elif (directory / INDEX).is_file():
        names = sorted(set(map(str, read_json(directory, INDEX).get("weight_map", {}).values())))
    elif (directory / PICKLE).is_file():
        raise ExportError(
            f"{directory / PICKLE} is a pickle, which may run code, and is not read: convert it to safetensors, for "
            "example by transformers' from_pretrained and save_pretrained"
        )
    else:
        raise ExportError(f"{directory / WEIGHTS} is missing")
    tensors: dict[str, Tensor] = {}
    for name in names:
        if Path(name).name != name:
            raise ExportError(f"{directory / INDEX} names a file elsewhere: {name}")
        tensors |= _load(directory / name)
    return tensors


class Weights:
    """Tensors by name, each to be taken once, so that none is forgotten."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self._tensors = dict(tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def take(self, name: str) -> Tensor:
        """A tensor.

        Raises:
            ExportError: there is none of that name.
        """
        if name not in self._tensors:
            raise ExportError(f"the weights lack {name}")
        return self._tensors.pop(name)

    def first(self, *names: str) -> Tensor:
        """The first of several that there is; it may be asked for again.

        Raises:
            ExportError: there is none of them.
        """
        for name in names:
            if name in self._tensors:
                return self._tensors[name]
        raise ExportError(f"the weights lack {names[0]}")

    def leave(self, *names: str) -> None:
        """Tensors that are not needed, if they are there."""
        for name in names:
            self._tensors.pop(name, None)

    def finish(self) -> None:
        """Nothing may be left.

        Raises:
            ExportError: names what is.
        """
        if self._tensors:
            raise ExportError(f"the weights hold what this architecture does not have: {', '.join(self._tensors)}")


def _load(path: Path) -> dict[str, Tensor]:
    try:
        return {name: tensor.float() for name, tensor in load_file(path).items()}
    except FileNotFoundError:
        raise ExportError(f"{path} is missing") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise ExportError(f"{path} is not a readable safetensors file: {error}") from None
