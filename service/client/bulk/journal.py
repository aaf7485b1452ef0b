"""What an output was made from, and how far it is: OUTPUT.json beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec


class Counts(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Of everything that is in the output."""

    texts: int = 0
    """Read from the input."""
    rows: int = 0
    """Written."""
    dropped: int = 0
    """Translations that a filter left out."""
    reasons: dict[str, int] = {}
    """Why the best translations ended, or why there are none."""
    source_tokens: int = 0
    target_tokens: int = 0
    """Of best translations."""
    seconds: float = 0.0


class Journal(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The content of OUTPUT.json."""

    input: str
    settings: dict[str, Any]
    """What decides the output."""
    input_sha256: str = ""
    """Of the texts that are done, each with a line break."""
    output_bytes: int = 0
    is_complete: bool = False
    counts: Counts = msgspec.field(default_factory=Counts)

    @classmethod
    def load(cls, path: Path) -> Journal | None:
        """Read it; None where there is none.

        Raises:
            ValueError: it is no journal.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise ValueError(f"{path} is not a record of a bulk translation: {error}") from None

    def save(self, path: Path) -> None:
        """Write it whole or not at all."""
        temporary = path.with_name(f"{path.name}.new")
        with temporary.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
