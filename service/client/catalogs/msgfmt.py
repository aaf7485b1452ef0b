"""gettext's own check of a catalog."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from service.client.catalogs.errors import CatalogError

_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Complaint:
    """An error that msgfmt found."""

    line: int
    """From 1; 0 where it names none."""
    message: str


def is_installed() -> bool:
    """Whether msgfmt is on the PATH."""
    return shutil.which("msgfmt") is not None


def complaints(content: bytes, with_fuzzy: bool) -> list[Complaint]:
    """What msgfmt --check says of a catalog: errors, not warnings.

    Args:
        content: of a .po file.
        with_fuzzy: also check entries that are marked fuzzy, which msgfmt leaves out by itself.

    Raises:
        CatalogError: it takes too long.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "catalog.po")
        file.write_bytes(content)
        flags = ["--use-fuzzy"] if with_fuzzy else []
        try:
            done = subprocess.run(
                ["msgfmt", "--check", *flags, "--output-file", os.devnull, str(file)],
                capture_output=True,
                env={**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "en"},
                check=False,
                timeout=_TIMEOUT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise CatalogError(f"msgfmt took more than {_TIMEOUT_SECONDS} s; give --no-msgfmt") from None
        if done.returncode == 0:
            return []
        said = done.stderr.decode("utf-8", "replace")
        pattern = re.compile(rf"^{re.escape(str(file))}:(\d+):(?:\d+:)? (?!warning)(.*)$", re.MULTILINE)
        found = [Complaint(int(line), message) for line, message in pattern.findall(said)]
        return found or [Complaint(0, said.strip().replace(str(file), "the file"))]
