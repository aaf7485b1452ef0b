"""A baseline: Apertium's rules (Forcada et al. 2011), where they are installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

from training.errors import TrainingError

_SEPARATOR = "\n\n"
"""An empty line: without it, rules reach into the next sentence."""


def translate(texts: Sequence[str], mode: str) -> list[str]:
    """Translate with the program `apertium`; unknown words stay as they are.

    Args:
        texts: sentences, one line each.
        mode: what Apertium calls a pair in one direction, such as `eng-spa`.

    Raises:
        TrainingError: Apertium or the pair is not installed, or it fails.
    """
    if shutil.which("apertium") is None:
        raise TrainingError("apertium is not installed; on Debian, for example: apt-get install apertium-eng-spa")
    command = ["apertium", "-u", mode]
    done = subprocess.run(command, input=_SEPARATOR.join(texts) + "\n", capture_output=True, text=True, check=False)
    if done.returncode:
        raise TrainingError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    translations = [" ".join(text.split()) for text in done.stdout.split(_SEPARATOR)]
    if len(translations) != len(texts):
        raise TrainingError(f"{' '.join(command)}: {len(translations)} translations of {len(texts)} sentences")
    return translations
