"""What goes wrong before anything is compared."""

from __future__ import annotations


class ExportError(Exception):
    """The export was asked for something it cannot do; the message says what to change."""
