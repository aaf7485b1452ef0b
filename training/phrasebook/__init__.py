"""The project's own phrasebook: everyday English–Korean sentence pairs, by a small grammar and by hand."""

from training.phrasebook.book import phrases
from training.phrasebook.phrase import Phrase

__all__ = ["Phrase", "phrases"]
