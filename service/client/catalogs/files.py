"""Catalog files: which format, and how they are replaced."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from service.client.catalogs.entry import Catalog
from service.client.catalogs.errors import CatalogError
from service.client.catalogs.json_catalog import JsonCatalog
from service.client.catalogs.language import code_of_file_name
from service.client.catalogs.po import PoCatalog
from service.client.catalogs.xliff import XliffCatalog

TEMPLATES = (".pot", ".json")
"""Formats whose input has no place for translations."""
SUFFIXES = (".po", ".pot", ".xlf", ".xliff", ".json")


def read(path: Path, language: str, output: Path | None) -> Catalog:
    """The catalog in a file, by its extension.

    Args:
        path: of the file.
        language: BCP-47 code of the translations, where the user says it; empty: as the file or its name says.
        output: where the user wants it, if not in its usual place.

    Raises:
        CatalogError: the file cannot be read.
        OSError: the file cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise CatalogError(f"{path}: unknown extension; known: {', '.join(SUFFIXES)}")
    if suffix in TEMPLATES and not language:
        raise CatalogError(f"{path}: has no translations itself, so that it needs --target-language")
    content = path.read_bytes()
    if suffix == ".json":
        target = target_of(path, language, output)
        return JsonCatalog(content, target.read_bytes() if target.exists() else b"{}", str(path), language)
    return parse(content, path, language)


def parse(content: bytes, path: Path, language: str) -> Catalog:
    """The catalog in the content of a file that holds its own translations; see `read`."""
    if path.suffix.lower() in (".xlf", ".xliff"):
        return XliffCatalog(content, str(path), language or code_of_file_name(path.stem))
    return PoCatalog(content, str(path), language or code_of_file_name(path.stem))


def target_of(path: Path, language: str, output: Path | None) -> Path:
    """Where the filled catalog goes: for a template LANGUAGE.po beside it, for JSON LANGUAGE.json, else the file.

    Raises:
        CatalogError: the output exists and would be replaced, or is what a JSON file is read from.
    """
    suffix = path.suffix.lower()
    if output is None and suffix not in TEMPLATES:
        return path.resolve()
    extension = ".po" if suffix == ".pot" else suffix
    target = (output or path.with_name(language.replace("-", "_") + extension)).resolve()
    if suffix == ".pot" and target.exists():
        raise CatalogError(f"{target}: exists already; msgmerge --update it with {path}, then fill {target}")
    if suffix != ".json" and target != path.resolve() and target.exists():
        raise CatalogError(f"{target}: exists already and may be somebody's work; fill it itself, or remove it")
    if suffix == ".json" and target == path.resolve():
        raise CatalogError(f"{target}: holds the sources, not translations into {language!r}")
    return target


class Target:
    """A file that is replaced whole, and only while nobody else changes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _content(path)

    def replace(self, content: bytes) -> None:
        """Put new content in its place.

        Raises:
            CatalogError: the file was changed by somebody else since it was read.
            OSError: it cannot be written.
        """
        if _content(self.path) != self._known:
            raise CatalogError(f"{self.path}: was changed meanwhile; it is left as it is, run again")
        if content == self._known:
            return
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, self.path.stat().st_mode & 0o777 if self.path.exists() else 0o666 & ~_umask())
            os.replace(name, self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._known = content


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
