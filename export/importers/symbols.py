"""Vocabularies of single symbols, letters or sounds, and rows of weights in their order."""

from __future__ import annotations

import io
import string
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sentencepiece
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.vocabulary import BEGIN_ID, END_ID, PAD_ID, UNKNOWN_ID, Vocabulary

SPACE = "\u2581"
NEVER = -1e9
"""The logit of what a model cannot say."""


def symbol_vocabulary(symbols: Sequence[str], kind: Literal["char", "word"], is_latin: bool = False) -> Vocabulary:
    """A vocabulary of these symbols alone.

    Args:
        symbols: all different.
        kind: char: they follow each other directly; word: spaces separate them.
        is_latin: read capital letters as small ones, and leave out everything of ASCII that is no letter.
    """
    model = io.BytesIO()
    with tempfile.TemporaryDirectory() as directory:
        rules = Path(directory) / "rules.tsv"
        rules.write_text(_latin_rules() if is_latin else "", encoding="ascii")
        sentencepiece.SentencePieceTrainer.train(
            # The more often, the smaller the id.
            sentence_iterator=(symbol for rank, symbol in enumerate(symbols) for _ in range(len(symbols) - rank)),
            model_writer=model,
            model_type=kind,
            vocab_size=END_ID + 1 + len(symbols),
            hard_vocab_limit=False,
            character_coverage=1.0,
            add_dummy_prefix=kind == "word",
            normalization_rule_tsv=str(rules) if is_latin else "",
            normalization_rule_name="identity",
            pad_id=PAD_ID,
            unk_id=UNKNOWN_ID,
            bos_id=BEGIN_ID,
            eos_id=END_ID,
            num_threads=1,
            minloglevel=2,
        )
    return Vocabulary(model.getvalue())


def rows(weights: NDArray[Any], places: Mapping[str, int], vocabulary: Vocabulary, special: Sequence[int]) -> Tensor:
    """Rows of a table in the order of a vocabulary.

    Args:
        weights: (symbols, …).
        places: the row of each symbol.
        vocabulary: of V pieces.
        special: the rows for padding, unknown, beginning and end of sentence.

    Returns:
        (V, …), float32.
    """
    symbols = [piece.removeprefix(SPACE) for piece in vocabulary.pieces()[len(special) :]]
    chosen = [*special, *(places[symbol] for symbol in symbols)]
    return torch.from_numpy(np.asarray(weights, np.float32)[chosen])


def silence(bias: Tensor, *token_ids: int) -> Tensor:
    """An output bias (V,) that keeps tokens from being said."""
    silenced = bias.clone()
    silenced[list(token_ids)] = NEVER
    return silenced


def _latin_rules() -> str:
    """SentencePiece's table of normalisation: code points, tab, what they become."""
    small = [f"{ord(letter):X}\t{ord(letter.lower()):X}" for letter in string.ascii_uppercase]
    others = set(map(chr, range(0x20, 0x7F))) - set(string.ascii_letters)
    return "\n".join([*small, *(f"{ord(character):X}\t" for character in sorted(others))]) + "\n"
