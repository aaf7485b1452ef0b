"""SentencePiece: text to ids, ids to text, and ids to text as it grows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import sentencepiece

from service.errors import BundleError
from service.words import has_word

SPACE = "\u2581"
NUM_VARIANTS = 8
NUM_REMEMBERED_PHRASES = 1024


@dataclass(frozen=True)
class Token:
    """A piece of text and where it stands: characters [begin, end) of the text it was made from."""

    id: int
    piece: str
    begin: int
    end: int


class Tokenizer:
    """One vocabulary. Safe to share between threads."""

    def __init__(self, content: bytes, name: str) -> None:
        """Of a file's content.

        Args:
            content: of a SentencePiece model; not empty.
            name: for the message of an error.

        Raises:
            BundleError: it is something else.
        """
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=content)
        except Exception as error:  # what the library's bindings raise is not written down
            raise BundleError(f"{name} is not a SentencePiece model: {error}") from None
        self._remembered_variants = lru_cache(NUM_REMEMBERED_PHRASES)(self._variants)
        self.size = int(self._processor.get_piece_size())
        self._is_control = [bool(self._processor.is_control(index)) for index in range(self.size)]

    def encode(self, text: str) -> list[int]:
        """Ids without beginning or end of sentence."""
        ids: list[int] = self._processor.encode(text)
        return ids

    def variants(self, phrase: str) -> frozenset[tuple[int, ...]]:
        """The ways in which a phrase is likely to be cut inside a text.

        After a space or attached to what is before; with its last piece, or its only one, part of a longer piece, as
        where a particle follows.

        Args:
            phrase: not empty. What was asked of late is remembered; else it takes milliseconds.
        """
        return self._remembered_variants(phrase)

    def _variants(self, phrase: str) -> frozenset[tuple[int, ...]]:
        cuts = {tuple(self.encode(phrase))}
        # Only unigram models can name other ways, and the library tells by an error which kind it is.
        with contextlib.suppress(RuntimeError):
            cuts.update(tuple(ids) for ids in self._processor.nbest_encode(phrase, nbest_size=NUM_VARIANTS))
        whole = {cut for ids in cuts for cut in (ids, self._attached(ids)) if cut}
        longer = {(*cut[:-1], last) for cut in whole for last in self._longer_pieces(cut[-1]) if len(cut) > 1}
        holding = {(index,) for index, text in enumerate(self._texts) if has_word(text, phrase.strip())}
        return frozenset(whole | longer | holding)

    def tokens(self, text: str) -> list[Token]:
        """Like `encode`, with each piece and its place in the text."""
        encoded = text.encode()
        pieces = self._processor.encode(text, return_type="proto").pieces  # with offsets in bytes
        return [
            Token(
                piece.id,
                piece.piece,
                len(encoded[: piece.begin].decode(errors="ignore")),
                len(encoded[: piece.end].decode(errors="ignore")),
            )
            for piece in pieces
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; control ids are left out."""
        text: str = self._processor.decode([token for token in ids if not self._is_control[token]])
        return text

    @cached_property
    def _texts(self) -> list[str]:
        """What every piece stands for."""
        return [self.piece(index).replace(SPACE, " ") for index in range(self.size)]

    def _longer_pieces(self, token_id: int) -> list[int]:
        """Pieces that go on where this one ends, and not within a word of a script with spaces."""
        text = self._texts[token_id]
        return [
            index
            for index, longer in enumerate(self._texts)
            if longer.startswith(text) and has_word(longer.strip(), text.strip())
        ]

    def _attached(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """The same pieces without the space before the first; empty where the vocabulary has no such piece."""
        bare = self.piece(ids[0]).removeprefix(SPACE)
        if not bare:
            return ids[1:]
        known = int(self._processor.piece_to_id(bare))
        return (known, *ids[1:]) if self.piece(known) == bare else ()

    def id_of(self, piece: str) -> int:
        """The id of a piece that the vocabulary has."""
        return int(self._processor.piece_to_id(piece))

    def piece(self, token_id: int) -> str:
        """The piece of an id, as the vocabulary writes it."""
        piece: str = self._processor.id_to_piece(token_id)
        return piece


class TextStream:
    """Turns ids that arrive one by one into text that never splits a character.

    The concatenation of all `push` results and `finish` equals `Tokenizer.decode` of all the ids.
    """

    def __init__(self, tokenizer: Tokenizer, restore: Callable[[str], str] = str) -> None:
        """`restore`: what is done to the text of ids; that of fewer ids must stay a beginning of that of more."""
        self._tokenizer = tokenizer
        self._restore = restore
        self._ids: list[int] = []
        self._sent = ""

    def push(self, ids: Sequence[int]) -> str:
        """The text that is certain now and was not before; may be empty."""
        self._ids += ids
        text = self._restore(self._tokenizer.decode(self._ids))
        # Bytes of an unfinished character decode to replacement characters at the end; they may still change.
        return self._emit(text.rstrip("\ufffd"))

    def finish(self) -> str:
        """The rest of the text."""
        return self._emit(self._restore(self._tokenizer.decode(self._ids)))

    def _emit(self, text: str) -> str:
        if not text.startswith(self._sent):
            return ""
        fresh, self._sent = text[len(self._sent) :], text
        return fresh
