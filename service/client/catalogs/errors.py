"""What is wrong with a catalog or its options."""

from __future__ import annotations


class CatalogError(ValueError):
    """The file or an option cannot be used; the message names the file, the line where there is one, and what to do."""
