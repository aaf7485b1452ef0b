"""Systems to compare: a name and a translation of each sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import TrainingError


@dataclass(frozen=True)
class System:
    """What one system makes of a test set."""

    name: str
    translations: list[str]
    """One for each sentence, in their order."""


def read_systems(specifications: Sequence[str], num_sentences: int) -> list[System]:
    """Read what `--translations` names.

    Args:
        specifications: `FILE` or `NAME=FILE` each; a file without a name is called by its own, without its suffix.
        num_sentences: how many translations each must hold.

    Raises:
        TrainingError: a file is missing, not UTF-8 or of another length, or two systems have one name.
    """
    systems: list[System] = []
    for specification in specifications:
        name, path = _named(specification)
        translations = read_lines(path)
        if len(translations) != num_sentences:
            raise TrainingError(f"--translations {path}: {len(translations)} translations of {num_sentences} sentences")
        if any(system.name == name for system in systems):
            raise TrainingError(f"--translations: two systems are called {name}; write NAME={path}")
        systems.append(System(name, translations))
    return systems


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, without their ends; empty ones count.

    Raises:
        TrainingError: it is missing or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: {error}") from None


def translate_with(checkpoint: Path, texts: list[str], languages: str | None) -> System:
    """Translate greedily with a checkpoint of `training.trainer`; see `training.translate.translate`."""
    from training.checkpoint import Checkpoint
    from training.translate import translate

    return System(checkpoint.stem, translate(Checkpoint.load(checkpoint), texts, languages))


def _named(specification: str) -> tuple[str, Path]:
    name, separator, file = specification.partition("=")
    if separator and name and "/" not in name:
        return name, Path(file)
    return Path(specification).stem, Path(specification)
