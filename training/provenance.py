"""What a model was trained on and by which code, as a model card quotes it."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path


def describe_provenance(data_directory: Path) -> dict[str, str]:
    """The training text's size and hash, its origins, and the commit of this code (`unknown` outside a checkout)."""
    train = data_directory / "train.tsv"
    origins = set()
    num_pairs = 0
    with train.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            num_pairs += 1
            origins.add(line.rstrip("\n").split("\t")[-1])
    return {
        "data": f"{num_pairs} pairs from {', '.join(sorted(origins))}",
        "data_sha256": sha256_of(train),
        "commit": code_commit(),
    }


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_commit() -> str:
    """Of this code; `unknown` outside a checkout."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()
