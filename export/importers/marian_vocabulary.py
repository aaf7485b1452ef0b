"""Marian's vocabularies: vocab.json numbers the pieces that source.spm and target.spm cut texts into.

V pieces of vocab.json. Here the special pieces come first, then those of vocab.json in their order, then pieces that
only a SentencePiece model has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from sentencepiece import sentencepiece_model_pb2 as spm

from export.errors import ExportError
from training.vocabulary import BEGIN_ID, END_ID, PAD_ID, UNKNOWN_ID, Vocabulary

UNKNOWN = "<unk>"
BEGIN = "<begin of translation>"
SPACE = "\u2581"
_Piece = spm.ModelProto.SentencePiece


@dataclass(frozen=True)
class Numbering:
    """How the ids of a vocab.json become ours."""

    pieces: tuple[str, ...]
    """By our id."""
    rows: tuple[int, ...]
    """By our id: the id in vocab.json, whose rows of embedding and output are its own."""
    num_known: int
    """Special pieces and those of vocab.json; what comes after them the model does not know: unknown to the encoder,
    never said by the decoder."""
    size: int
    """Rows that there are."""


@dataclass(frozen=True)
class SpecialIds:
    """Of vocab.json."""

    pad: int
    end: int
    begin: int
    """What decoding begins with; often that of padding."""


def number(vocabulary: dict[str, int], size: int, special: SpecialIds, models: Sequence[spm.ModelProto]) -> Numbering:
    """Our ids for the pieces of a vocab.json and of the SentencePiece models that go with it.

    Args:
        vocabulary: ids by piece.
        size: rows of the embedding, at least V.
        special: ids of `vocabulary`.
        models: whose pieces need ids.

    Raises:
        ExportError: the vocabulary has no <unk>, or ids do not fit.
    """
    if UNKNOWN not in vocabulary:
        raise ExportError(f"vocab.json has no {UNKNOWN}")
    names = {row: piece for piece, row in vocabulary.items()}
    outside = [row for row in (*names, special.pad, special.end, special.begin) if not 0 <= row < size]
    if outside or len(names) < len(vocabulary):
        raise ExportError(f"vocab.json and config.json do not number {size} pieces: {outside or 'ids come twice'}")
    unknown = vocabulary[UNKNOWN]
    first = (special.pad, unknown, special.begin, special.end)
    rest = [row for row in range(size) if row not in (special.pad, unknown, special.end)]
    pieces = [names.get(row, f"<id {row}>") for row in (*first, *rest)]
    pieces[BEGIN_ID] = BEGIN
    known = set(pieces)
    extra = {piece.piece: None for model in models for piece in model.pieces if _is_text(piece)}
    unnamed = [piece for piece in extra if piece not in known]
    return Numbering((*pieces, *unnamed), (*first, *rest, *[unknown] * len(unnamed)), len(pieces), size)


def parse(content: bytes, name: str) -> spm.ModelProto:
    """A SentencePiece model.

    Raises:
        ExportError: it is none; the message has `name`.
    """
    model = spm.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError:
        raise ExportError(f"{name} is not a SentencePiece model") from None
    if not any(piece.type == _Piece.UNKNOWN for piece in model.pieces):
        raise ExportError(f"{name} is not a SentencePiece model: it has no unknown piece")
    return model


def renumber(model: spm.ModelProto, numbering: Numbering, is_source: bool) -> Vocabulary:
    """A SentencePiece model that cuts texts as `model` does, with our ids.

    Pieces that `model` lacks do not come of cutting, with two exceptions, for transformers looks up in vocab.json
    whatever `model` leaves uncut: language tokens such as >>fra<<, followed by a space; and pieces whose characters are
    all strange to `model`. (Where several such pieces adjoin, transformers finds one unknown piece; and it looks for
    language tokens only in front of a source.)
    """
    own = {piece.piece: piece for piece in model.pieces if _is_text(piece)}
    characters = set("".join(own))
    # Of this and no lower score: the lowest one decides how bad unknown characters are.
    lowest = min((piece.score for piece in own.values() if piece.type == _Piece.NORMAL), default=0.0)
    # Texts begin with a space once they are normalised, and so must what is to be found in front of them.
    language_prefix = SPACE if model.normalizer_spec.add_dummy_prefix else ""
    result = spm.ModelProto()
    result.CopyFrom(model)
    del result.pieces[:]
    for index, text in enumerate(numbering.pieces):
        if index in (PAD_ID, BEGIN_ID, END_ID):
            result.pieces.add(piece=text, score=0.0, type=_Piece.CONTROL)
        elif index == UNKNOWN_ID:
            result.pieces.add(piece=text, score=0.0, type=_Piece.UNKNOWN)
        elif text in own:
            result.pieces.add().CopyFrom(own[text])
        elif is_source and _is_language(text):
            result.pieces.add(piece=language_prefix + text, score=0.0, type=_Piece.USER_DEFINED)
        elif characters.isdisjoint(text):
            result.pieces.add(piece=text, score=lowest, type=_Piece.NORMAL)
        else:
            # What the target's decoder says must have a text; what no text contains need not.
            result.pieces.add(piece=text, score=lowest, type=_Piece.CONTROL if is_source else _Piece.UNUSED)
    _describe(result.trainer_spec, numbering)
    return Vocabulary(result.SerializeToString())


def _describe(spec: spm.TrainerSpec, numbering: Numbering) -> None:
    spec.vocab_size = len(numbering.pieces)
    spec.pad_id, spec.unk_id, spec.bos_id, spec.eos_id = PAD_ID, UNKNOWN_ID, BEGIN_ID, END_ID
    spec.pad_piece, spec.unk_piece, spec.bos_piece, spec.eos_piece = numbering.pieces[: END_ID + 1]
    spec.unk_surface = ""  # as transformers leaves it out


def _is_text(piece: spm.ModelProto.SentencePiece) -> bool:
    return piece.type not in (_Piece.UNKNOWN, _Piece.CONTROL)


def _is_language(piece: str) -> bool:
    return piece.startswith(">>") and piece.endswith("<<")
