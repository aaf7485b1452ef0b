"""What can be wrong with a bundle on disk, place by place."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
FILE_ROLES = ("encoder", "decoder", "explain", "source_tokenizer", "target_tokenizer")
MASKS = (0x01, 0x80, 0x20)

ABSURDITIES: tuple[tuple[tuple[str | int, ...], Any], ...] = (
    *((("limits", name), value) for name in ("max_source_tokens", "max_target_tokens") for value in (0, -1, 10**12)),
    (("limits", "max_target_tokens"), 2**70),
    *((("vocabulary", name), value) for name in ("source_size", "target_size") for value in (0, 1, 10**9)),
    *((("vocabulary", f"{name}_id"), 10**6) for name in ("begin", "end", "pad", "unknown")),
    (("vocabulary", "begin_id"), -1),
    (("state",), []),
    (("state", 0, "shape"), []),
    (("state", 0, "shape", 1), 10**9),
    (("state", 0, "shape", 1), 5),
    (("state", 0, "name"), "self_key_1"),
    (("state", 0, "dtype"), "float32"),
    (("state", 0, "owner"), "source"),
    (("state", 0, "update"), "replace"),
    (("files", "encoder", "name"), "../encoder.onnx"),
    (("files", "encoder", "num_bytes"), 10**18),
    (("files", "encoder"), None),
    *((("schema_version",), value) for value in (None, -1, 99, "2", 2.5)),
    (("name",), "../../etc"),
    (("precision",), "int4"),
    (("source_language",), ""),
    (("protected_spans",), {"symbols": ["x"], "patterns": []}),
    (("protected_spans",), {"symbols": [], "patterns": ["("]}),
)
"""Manifests that describe the files rightly and are nonsense all the same."""


@dataclass(frozen=True)
class Damage:
    """One thing that is wrong."""

    file: str
    """Name in the bundle."""
    offset: int | None = None
    """Flip bits of this byte."""
    mask: int = MASKS[0]
    """Which bits."""
    length: int | None = None
    """Cut or fill up with zeros to that many bytes."""
    replaced_by: str | None = None
    """Take another file of the bundle instead; empty: the file is missing."""
    patch: tuple[Any, ...] = ()
    """Of the manifest: where, and what stands there instead."""
    is_forged: bool = False
    """The manifest describes the damaged file rightly."""

    def apply(self, pristine: Path, directory: Path) -> None:
        """Do it to a copy of the pristine bundle."""
        content = self._content(pristine)
        path = directory / self.file
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        if self.is_forged and content is not None:
            (directory / MANIFEST).write_bytes(_describing(pristine, self.file, content))

    def undo(self, pristine: Path, directory: Path) -> None:
        """Make the copy a copy again."""
        for name in {self.file, MANIFEST}:
            shutil.copyfile(pristine / name, directory / name)

    def _content(self, pristine: Path) -> bytes | None:
        if self.replaced_by is not None:
            return (pristine / self.replaced_by).read_bytes() if self.replaced_by else None
        content = bytearray((pristine / self.file).read_bytes())
        if self.offset is not None:
            content[self.offset] ^= self.mask
        if self.length is not None:
            content = content[: self.length].ljust(self.length, b"\0")
        if self.patch:
            content = bytearray(_patched(bytes(content), *self.patch))
        return bytes(content)


def places(size: int, number: int) -> list[int]:
    """Offsets spread evenly over a file, the first and the last byte among them."""
    return sorted({round(index * (size - 1) / (number - 1)) for index in range(number)})


def flips(file: str, offsets: Sequence[int], is_forged: bool = False) -> Iterator[Damage]:
    """One damage for each offset; the bits take turns."""
    for index, offset in enumerate(offsets):
        yield Damage(file, offset=offset, mask=MASKS[index % len(MASKS)], is_forged=is_forged)


def lengths(file: str, size: int, is_forged: bool = False) -> Iterator[Damage]:
    """Empty, cut, and too long."""
    for length in (0, 1, size // 3, size // 2, size - 1, size + 1):
        yield Damage(file, length=length, is_forged=is_forged)


def graph_and_tokenizer_files(bundle: Path) -> list[str]:
    """Names of all that the manifest lists."""
    files = json.loads((bundle / MANIFEST).read_text())["files"]
    return [files[role]["name"] for role in FILE_ROLES]


def accidents(bundle: Path, places_per_file: int, places_of_manifest: int) -> list[Damage]:
    """Every region of every file flipped; lengths; files missing and swapped; manifests that are nonsense."""
    names = graph_and_tokenizer_files(bundle)
    found: list[Damage] = []
    for name in names:
        size = (bundle / name).stat().st_size
        found += [*flips(name, places(size, places_per_file)), *lengths(name, size), Damage(name, replaced_by="")]
        others = [other for other in names if (bundle / other).read_bytes() != (bundle / name).read_bytes()]
        found.append(Damage(name, replaced_by=others[0]))
    content = (bundle / MANIFEST).read_bytes()
    facts = content.index(b'"training"')  # what follows is told to people and decides little
    found += flips(MANIFEST, [*places(facts, places_of_manifest), *places(len(content), places_of_manifest)])
    found += [
        *lengths(MANIFEST, len(content)),
        Damage(MANIFEST, replaced_by=""),
        Damage(MANIFEST, replaced_by=names[0]),
    ]
    found += [Damage(MANIFEST, patch=absurdity) for absurdity in ABSURDITIES]
    return found


def forgeries(bundle: Path, places_per_file: int) -> list[Damage]:
    """Content that is malformed though all hashes are right."""
    found: list[Damage] = []
    for name in graph_and_tokenizer_files(bundle):
        size = (bundle / name).stat().st_size
        found += [*flips(name, places(size, places_per_file), is_forged=True), *lengths(name, size, is_forged=True)]
    return found


def _patched(content: bytes, path: Sequence[str | int], value: Any) -> bytes:
    manifest = json.loads(content)
    place: Any = manifest
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(manifest, indent=2).encode()


def _describing(bundle: Path, name: str, content: bytes) -> bytes:
    """The manifest with hash and size of a file of other content."""
    manifest = json.loads((bundle / MANIFEST).read_bytes())
    for role in FILE_ROLES:
        file = manifest["files"][role]
        if file["name"] == name:
            file |= {"sha256": hashlib.sha256(content).hexdigest(), "num_bytes": len(content)}
    return json.dumps(manifest, indent=2).encode()
