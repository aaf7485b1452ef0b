"""Real parallel text from the translations that free software ships, gathered from Debian packages with provenance."""

from training.corpus.command import add_arguments, run

__all__ = ["add_arguments", "run"]
