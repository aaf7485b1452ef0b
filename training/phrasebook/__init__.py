"""The project's own phrasebook: a small grammar that writes everyday English–Korean sentence pairs."""

from training.phrasebook.grammar import Phrase, phrases

__all__ = ["Phrase", "phrases"]
