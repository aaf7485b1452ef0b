"""The project's own phrasebook: everyday sentence pairs, by a small grammar (Korean) and by hand."""

from training.phrasebook.book import phrases
from training.phrasebook.everyday import LANGUAGES
from training.phrasebook.phrase import Phrase

__all__ = ["LANGUAGES", "Phrase", "phrases"]
