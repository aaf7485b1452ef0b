"""How this machine reaches its index of Python packages, as secrets of a build: no layer and no history keeps them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FROM_ELSEWHERE = ("index-url", "extra-index-url", "proxy", "trusted-host")
"""pip's options that hold inside of a build, too, unless they name files of this machine."""
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def build_secrets(directory: Path) -> list[str]:
    """Values of `--secret`; none where pip works by its defaults.

    Args:
        directory: for a file with pip's options.
    """
    options = pip_options()
    secrets = []
    lines = [
        f"{name} = {options[name]}" for name in FROM_ELSEWHERE if not options.get(name, "file:").startswith("file:")
    ]
    if lines:
        file = directory / "pip.conf"
        file.write_text("\n".join(["[global]", *lines, ""]))
        secrets.append(f"id=pip.conf,src={file}")
    certificates = options.get("cert") or next(filter(None, map(os.environ.get, CERTIFICATES)), None)
    if certificates:
        secrets.append(f"id=ca-certificates,src={certificates}")
    return secrets


def pip_options() -> dict[str, str]:
    """What files and variables tell pip, without the section that it stands in."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    options = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        options[name.strip(":").rpartition(".")[2]] = value.strip("'\"")
    return options
