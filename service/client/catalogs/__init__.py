"""Message catalogs (gettext, XLIFF, JSON): python -m service.client po fills what a person has not translated."""

from service.client.catalogs.command import run

__all__ = ["run"]
