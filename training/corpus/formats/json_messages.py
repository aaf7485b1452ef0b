"""Messages in JSON files, one file for each language beside the English one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from training.corpus.formats.files import read
from training.corpus.formats.keyed import pair_up
from training.corpus.text import Entry


def read_json_messages(directory: Path, language: str) -> Iterator[Entry]:
    """Entries of every en.json below a directory with a file of the language beside it, by key."""
    for english in sorted(directory.glob("**/en.json")):
        other = english.with_name(f"{language}.json")
        if other.is_file():
            yield from pair_up(parse_messages(read(english)), parse_messages(read(other)))


def parse_messages(content: bytes) -> dict[str, str]:
    """Texts by key; keys that begin with @ are about the file.

    Raises:
        ValueError: it is no JSON object.
    """
    messages = json.loads(content)
    if not isinstance(messages, dict):
        raise ValueError("messages must be a JSON object")
    return {key: text for key, text in messages.items() if isinstance(text, str) and not key.startswith("@")}
