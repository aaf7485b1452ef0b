"""Writes a filled catalog when gettext's check agrees; entries of ours that it complains of are taken back."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from service.client.catalogs import files, msgfmt
from service.client.catalogs.entry import Catalog
from service.client.catalogs.errors import CatalogError
from service.client.catalogs.filling import Outcome


class Saver:
    """Writes one catalog, as often as asked."""

    def __init__(self, path: Path, catalog: Catalog, target: files.Target | None, *, with_msgfmt: bool) -> None:
        """For a catalog read from `path`; without target nothing is written, but checked all the same."""
        self._path = path
        self._catalog = catalog
        self._target = target
        self._is_gettext = path.suffix.lower() in (".po", ".pot")
        self._checks = with_msgfmt and self._is_gettext and msgfmt.is_installed()
        self._with_msgfmt = with_msgfmt
        self._passes = True

    @property
    def verdict(self) -> str:
        """What is to be said of the check."""
        if self._checks:
            return "msgfmt --check passes" if self._passes else "msgfmt --check fails"
        if not self._is_gettext or not self._with_msgfmt:
            return "not checked with msgfmt"
        return "not checked: msgfmt is not installed (package gettext)"

    def check_input(self) -> None:
        """See that the file is sound before any work is done on it.

        Raises:
            CatalogError: it is not; the message names the line.
        """
        if self._checks and self._path.suffix.lower() == ".po":
            self._refuse(self._catalog.content({}))

    def save(self, outcome: Outcome) -> None:
        """Write the catalog with its fillings; takes back those that msgfmt complains of.

        Raises:
            CatalogError: msgfmt complains of something else, or the file was changed by somebody else.
            OSError: it cannot be written.
        """
        if not outcome.fillings:
            return
        content = self._catalog.content(outcome.fillings)
        while self._checks and self._take_back(content, outcome):
            content = self._catalog.content(outcome.fillings)
        if self._checks:
            self._refuse(content)
        if self._target is not None:
            self._target.replace(content)

    def _take_back(self, content: bytes, outcome: Outcome) -> bool:
        written = files.parse(content, self._path, self._catalog.language)
        lines = [entry.line for entry in written.entries]
        is_changed = False
        for complaint in msgfmt.complaints(content, with_fuzzy=True):
            index = bisect_right(lines, complaint.line) - 1
            if index in outcome.fillings:
                outcome.take_back(index, f"msgfmt: {complaint.message}")
                is_changed = True
        return is_changed

    def _refuse(self, content: bytes) -> None:
        found = msgfmt.complaints(content, with_fuzzy=False)
        self._passes = not found
        if found:
            raise CatalogError(
                f"{self._path}:{found[0].line}: msgfmt --check: {found[0].message}; nothing was written. "
                "Correct the file, or give --no-msgfmt"
            )
