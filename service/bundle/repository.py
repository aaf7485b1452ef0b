"""The directory of bundles that a service is started with."""

from __future__ import annotations

from pathlib import Path

from service.bundle.bundle import Bundle
from service.bundle.manifest import FILE_NAME
from service.bundle.runtime import Runtime
from service.errors import BundleError


def load_bundles(directory: Path, runtime: Runtime) -> list[Bundle]:
    """Load the bundle at `directory`, or every bundle directly below it, ordered by name.

    Raises:
        BundleError: there is none, one is not fit to be served, or two have the same name.
    """
    if (directory / FILE_NAME).is_file():
        places = [directory]
    elif directory.is_dir():
        places = sorted(place.parent for place in directory.glob(f"*/{FILE_NAME}"))
    else:
        raise BundleError(f"{directory} is not a directory: --models takes a bundle or a directory of bundles")
    if not places:
        raise BundleError(f"{directory} holds no bundle: write one with python -m export CHECKPOINT {directory}/NAME")
    bundles = sorted((Bundle.load(place, runtime) for place in places), key=lambda bundle: bundle.manifest.name)
    names = [bundle.manifest.name for bundle in bundles]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BundleError(f"{directory}: more than one bundle is called {', '.join(repeated)}: export with --name")
    return bundles
