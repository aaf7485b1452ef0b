"""Subword vocabularies: SentencePiece (Kudo and Richardson, 2018)."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import sentencepiece

from training.errors import TrainingError
from training.recipe import VocabularySettings

PAD_ID, UNKNOWN_ID, BEGIN_ID, END_ID = 0, 1, 2, 3


class Vocabulary:
    """One SentencePiece model: text to ids and back."""

    def __init__(self, model: bytes) -> None:
        """`model` is the content of a .model file."""
        self.model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read a .model file.

        Raises:
            TrainingError: the file is missing.
        """
        if not path.is_file():
            raise TrainingError(f"{path} is missing: run `python -m training vocabulary` first")
        return cls(path.read_bytes())

    @classmethod
    def train(
        cls, sentences: Iterable[str], settings: VocabularySettings, seed: int = 1, symbols: Sequence[str] = ()
    ) -> Vocabulary:
        """Learn a vocabulary from sentences. Same sentences, settings and seed: same model.

        Args:
            sentences: what to learn from.
            settings: its size and kind.
            seed: of the draw of sentences.
            symbols: pieces that are never cut, besides those of the settings.

        Raises:
            TrainingError: the text is too small for the size asked for.
        """
        sentencepiece.set_random_generator_seed(seed)
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(sentences),
                model_writer=model,
                vocab_size=settings.size,
                model_type=settings.kind,
                character_coverage=settings.character_coverage,
                byte_fallback=settings.byte_fallback,
                input_sentence_size=settings.max_sentences,
                split_digits=True,
                user_defined_symbols=list(dict.fromkeys((*symbols, *settings.symbols))),
                pad_id=PAD_ID,
                unk_id=UNKNOWN_ID,
                bos_id=BEGIN_ID,
                eos_id=END_ID,
                normalization_rule_name="nmt_nfkc",
                num_threads=1,
                max_sentence_length=16384,
                minloglevel=2,
            )
        except (RuntimeError, OSError) as error:
            raise TrainingError(f"vocabulary.size {settings.size} does not suit this text: {error}") from None
        return cls(model.getvalue())

    def extended(self, symbols: Sequence[str]) -> Vocabulary:
        """The same pieces under the same ids, and after them the symbols that it does not have yet, never cut."""
        from sentencepiece import sentencepiece_model_pb2

        model = sentencepiece_model_pb2.ModelProto.FromString(self.model)
        known = {piece.piece for piece in model.pieces}
        for symbol in dict.fromkeys(symbols):
            if symbol not in known:
                model.pieces.add(piece=symbol, score=0.0, type=model.SentencePiece.USER_DEFINED)
        model.trainer_spec.vocab_size = len(model.pieces)
        return Vocabulary(model.SerializeToString())

    def __len__(self) -> int:
        return int(self._processor.get_piece_size())

    def pieces(self) -> list[str]:
        """What each id stands for, as the vocabulary writes it."""
        return [str(self._processor.id_to_piece(index)) for index in range(len(self))]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, without beginning or end of sentence."""
        ids: list[list[int]] = self._processor.encode(list(texts), num_threads=-1)
        return ids

    def encode_with_places(self, text: str) -> list[tuple[int, int, int]]:
        """Ids, each with the characters [begin, end) of the text that it was made from."""
        encoded = text.encode()
        pieces = self._processor.encode(text, return_type="proto").pieces  # with offsets in bytes
        return [
            (piece.id, *(len(encoded[:offset].decode(errors="ignore")) for offset in (piece.begin, piece.end)))
            for piece in pieces
        ]

    def sample(self, texts: Sequence[str], alpha: float, seed: int) -> list[list[int]]:
        """Ids of each text, cut into pieces at random (Kudo 2018); see `AugmentationSettings.sampling_alpha`."""
        sentencepiece.set_random_generator_seed(seed)
        ids: list[list[int]] = self._processor.encode(
            list(texts), num_threads=1, enable_sampling=True, alpha=alpha, nbest_size=-1
        )
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; special ids are left out."""
        text: str = self._processor.decode([i for i in ids if i not in (PAD_ID, BEGIN_ID, END_ID)])
        return text

    def save(self, path: Path) -> None:
        """Write the .model file."""
        path.write_bytes(self.model)
