"""The CPU image, built once by the repository's Dockerfile."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.image.workshop import REPOSITORY, Workshop


@dataclass(frozen=True)
class Image:
    """What the build made."""

    id: str
    revision: str
    """What it was told to be built from."""


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    with Workshop(REPOSITORY / "build" / "image") as workshop:
        workshop.make_base()
        yield workshop


@pytest.fixture(scope="session")
def image(workshop: Workshop) -> Image:
    revision = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    workshop.forget("seq2serve")
    return Image(workshop.build("--target=cpu", REVISION=revision), revision)


@pytest.fixture(scope="module")
def files(workshop: Workshop, image: Image) -> Iterator[Path]:
    """The image's root directory."""
    with workshop.files(image.id) as root:
        yield root
