"""What Attend answers, as arrays.

S source tokens, T target tokens, ends of sentence included in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.pb.seq2serve.v1 import translation_service_pb2 as pb

Kind = Literal["cross", "encoder", "decoder"]
MEAN = -1
KINDS: dict[Kind, pb.AttentionKind] = {
    "cross": pb.ATTENTION_KIND_CROSS,
    "encoder": pb.ATTENTION_KIND_ENCODER_SELF,
    "decoder": pb.ATTENTION_KIND_DECODER_SELF,
}


@dataclass(frozen=True)
class Token:
    """A piece and the characters [begin, end) of its text that it stands for."""

    piece: str
    begin: int
    end: int


@dataclass(frozen=True)
class Link:
    """Characters of the source, and those of the target that were drawn from them."""

    source_begin: int
    source_end: int
    target_begin: int
    target_end: int
    weight: float
    """Share of the attention, 0 to 1."""


@dataclass(frozen=True)
class Attention:
    """What a model looks at while it translates one sentence."""

    source: str
    target: str
    source_tokens: tuple[Token, ...]
    target_tokens: tuple[Token, ...]
    maps: dict[Kind, NDArray[np.float32]]
    """(layers, heads, rows, columns) of each kind that was asked for and that the model has; rows look, columns are
    looked at. Where a layer or a head was asked for, only that one."""
    means: dict[Kind, NDArray[np.float32]]
    """(rows, columns) of each kind that the model has: the mean of all its layers and heads."""
    alignment: tuple[Link, ...]
    encodings: NDArray[np.float32]
    """(S, E) where they were asked for, else (0, 0)."""
    model: str
    model_version: str

    @classmethod
    def of(cls, response: pb.AttendResponse) -> Attention:
        """Of a message."""
        maps: dict[Kind, NDArray[np.float32]] = {}
        means: dict[Kind, NDArray[np.float32]] = {}
        for kind, number in KINDS.items():
            found = [one for one in response.maps if one.kind == number]
            if found:
                maps[kind] = _stacked(found)
            means.update((kind, _array(one)) for one in response.averages if (one.kind, one.layer) == (number, MEAN))
        encodings = [encoding.values for encoding in response.encodings]
        return cls(
            source=response.source,
            target=response.target,
            source_tokens=_tokens(response.source_tokens),
            target_tokens=_tokens(response.target_tokens),
            maps=maps,
            means=means,
            alignment=tuple(
                Link(one.source_begin, one.source_end, one.target_begin, one.target_end, one.weight)
                for one in response.alignment
            ),
            encodings=np.array(encodings, np.float32) if encodings else np.zeros((0, 0), np.float32),
            model=response.model,
            model_version=response.model_version,
        )

    def labels(self, kind: Kind) -> tuple[list[str], list[str]]:
        """What to write beside the rows and over the columns of a map."""
        source = [_label(token, self.source) for token in self.source_tokens]
        target = [_label(token, self.target) for token in self.target_tokens]
        # A step of the decoder reads the token before the one that it predicts.
        columns = {"cross": source, "encoder": source, "decoder": ["<s>", *target[:-1]]}
        return (source if kind == "encoder" else target), columns[kind]


def _label(token: Token, text: str) -> str:
    return text[token.begin : token.end].strip() or token.piece


def _tokens(tokens: Iterable[pb.AttendedToken]) -> tuple[Token, ...]:
    return tuple(Token(token.piece, token.begin, token.end) for token in tokens)


def _stacked(maps: list[pb.AttentionMap]) -> NDArray[np.float32]:
    num_layers = len({one.layer for one in maps})
    stacked = np.stack([_array(one) for one in maps])
    return stacked.reshape(num_layers, -1, *stacked.shape[1:])


def _array(one: pb.AttentionMap) -> NDArray[np.float32]:
    return np.array(one.weights, np.float32).reshape(one.rows, one.columns)
