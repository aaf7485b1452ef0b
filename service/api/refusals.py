"""Bundles that are not loaded, in words for clients: they learn names of directories, never paths."""

from __future__ import annotations

import os
import re
from pathlib import Path

from service.errors import BundleError, BundleRefusedError, InvalidRequestError

MAX_NAME_BYTES = 255
_LEADING_DIRECTORIES = re.compile(r"(?<![\w.~-])/(?:[^\s/:'\"]+/)*")


class NameTakenError(BundleRefusedError):
    """The bundle of another directory has the model's name."""


def check_directory_name(name: str) -> None:
    """Of a bundle's directory, as a client may ask for it.

    Raises:
        InvalidRequestError: it is no plain name.
    """
    if not name:
        raise InvalidRequestError.of("directory", "is empty")
    is_plain = name.isprintable() and not name.startswith(".") and not set(name) & set("/\\")
    if not is_plain or len(os.fsencode(name)) > MAX_NAME_BYTES:
        raise InvalidRequestError.of(
            "directory", f"{name[:40]!r} is not the plain name of a directory below that of the models"
        )


def refused(error: BundleError, place: Path) -> BundleRefusedError:
    """The same for a client.

    Args:
        error: what is wrong with the bundle.
        place: of the bundle.
    """
    text = str(error)
    for path in (place, place.resolve()):
        text = text.replace(str(path), path.name)
    return BundleRefusedError(_LEADING_DIRECTORIES.sub("", text))
