"""What Attend answers: attention maps, their means, alignment and encodings of one pair.

S source tokens, T target tokens, ends of sentence included in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from service import request_context
from service.api.alignment import links_of, spans_of
from service.api.conversion import decoding_of
from service.api.explainer import Turns
from service.api.explanation import Explanation, encode, explain
from service.api.pairs import Pair, pair_of, pair_with, source_violation
from service.api.served_model import ServedModel
from service.errors import InvalidRequestError
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.request import Priority
from service.text.segmentation import Segment

MAX_RESPONSE_BYTES = 4 * 2**20
"""What gRPC's clients accept unless told otherwise."""
BYTES_PER_NUMBER = 4
KINDS = (pb.ATTENTION_KIND_ENCODER_SELF, pb.ATTENTION_KIND_DECODER_SELF, pb.ATTENTION_KIND_CROSS)
MEAN = -1
"""In place of a layer or a head."""

Weights: TypeAlias = dict["pb.AttentionKind", NDArray[Any]]
"""By kind that was asked for: (layers, heads, rows, columns)."""


async def attend(
    model: ServedModel, request: pb.AttendRequest, deadline_seconds: float | None, turns: Turns
) -> pb.AttendResponse:
    """Explain a pair; a missing target is translated first.

    Raises:
        InvalidRequestError: a field is wrong, or the answer would be larger than clients accept.
        ServiceError: the model failed.
    """
    kinds = _kinds(request)
    pair = await _pair(model, request, deadline_seconds)
    request_context.current().spend(len(pair.source_ids))
    return await turns.run(_explained, model, pair, request, kinds)


async def _pair(model: ServedModel, request: pb.AttendRequest, deadline_seconds: float | None) -> Pair:
    if request.target:
        return pair_of(model, request.source, request.target)
    source_ids = model.source_ids(model.protect(request.source).text)
    violation = source_violation(model, source_ids, "source")
    if violation is not None:
        raise InvalidRequestError([violation])
    decoding = decoding_of(pb.DecodingOptions(), model, Priority.INTERACTIVE)
    translated = await model.translate_sentence(Segment("", request.source, 0), decoding, deadline_seconds)
    return pair_with(model, translated[0])


def _explained(
    model: ServedModel, pair: Pair, request: pb.AttendRequest, kinds: Sequence[pb.AttentionKind]
) -> pb.AttendResponse:
    """Runs in a thread, the making of the message included: a large one would hold up the event loop."""
    explanation = explain(model.bundle, pair.source_ids, pair.target_ids)
    weights = _weights(explanation, kinds)
    _check_index("layer", request, weights, axis=0)
    _check_index("head", request, weights, axis=1)
    maps, averages = list(_maps(request, weights)), list(_averages(request, weights))
    encodings = encode(model.bundle, pair.source_ids) if request.return_encodings else np.zeros((0, 0), np.float32)
    num_numbers = sum(one.size for *_, one in (*maps, *averages)) + encodings.size
    _check_size(BYTES_PER_NUMBER * num_numbers, BYTES_PER_NUMBER * encodings.size)
    spans = spans_of(model, pair, explanation, Segment("", request.source, 0), target_begin=0)
    response = pb.AttendResponse(
        source_tokens=_source_tokens(model, pair),
        target_tokens=_target_tokens(model, pair),
        maps=[_map(*one) for one in maps],
        averages=[_map(*one) for one in averages],
        alignment=links_of(spans),
        encodings=[pb.Encoding(values=row.tolist()) for row in encodings if row.size],
        source=request.source,
        target=pair.target_text(model),
        model=model.manifest.name,
        model_version=model.manifest.version,
    )
    _check_size(response.ByteSize(), sum(encoding.ByteSize() for encoding in response.encodings))
    return response


def _kinds(request: pb.AttendRequest) -> Sequence[pb.AttentionKind]:
    for index, kind in enumerate(request.kinds):
        if kind not in KINDS:
            raise InvalidRequestError.of(f"kinds[{index}]", f"{kind} is no kind of attention")
    return [kind for kind in KINDS if kind in request.kinds] or KINDS


def _weights(explanation: Explanation, kinds: Sequence[pb.AttentionKind]) -> Weights:
    found = (explanation.encoder_attention, explanation.decoder_attention, explanation.cross_attention)
    return {kind: weights for kind, weights in zip(KINDS, found, strict=True) if kind in kinds}


def _check_index(field: str, request: pb.AttendRequest, weights: Weights, axis: int) -> None:
    lengths = [one.shape[axis] for one in weights.values() if len(one)]
    index = getattr(request, field)
    if request.HasField(field) and (index < 0 or (lengths and index >= max(lengths))):
        limits = f"; limits 0 to {max(lengths) - 1}" if lengths else ""
        raise InvalidRequestError.of(field, f"{index} is out of range{limits}")


def _check_size(num_bytes: int, num_encoding_bytes: int) -> None:
    """All bytes of a response, and how many of them are its encodings."""
    if num_bytes <= MAX_RESPONSE_BYTES:
        return
    told = f"the response would take {num_bytes} bytes; limit {MAX_RESPONSE_BYTES}"
    if num_bytes - num_encoding_bytes <= MAX_RESPONSE_BYTES:
        raise InvalidRequestError.of("return_encodings", f"{told}: ask for fewer kinds beside them")
    raise InvalidRequestError.of("kinds", f"{told}: ask for fewer of them, or for one layer or head")


def _maps(request: pb.AttendRequest, weights: Weights) -> Iterator[tuple[pb.AttentionKind, int, int, NDArray[Any]]]:
    for kind, one in weights.items():
        for layer in _chosen(request, "layer", one.shape[0]):
            for head in _chosen(request, "head", one.shape[1]):
                yield kind, layer, head, one[layer, head]


def _averages(request: pb.AttendRequest, weights: Weights) -> Iterator[tuple[pb.AttentionKind, int, int, NDArray[Any]]]:
    for kind, one in weights.items():
        for layer in _chosen(request, "layer", one.shape[0]):
            yield kind, layer, MEAN, one[layer].mean(axis=0)
        if len(one):
            yield kind, MEAN, MEAN, one.mean(axis=(0, 1))


def _chosen(request: pb.AttendRequest, field: str, length: int) -> range:
    if not request.HasField(field):
        return range(length)
    index = getattr(request, field)
    return range(index, min(index + 1, length))


def _map(kind: pb.AttentionKind, layer: int, head: int, weights: NDArray[Any]) -> pb.AttentionMap:
    rows, columns = weights.shape
    return pb.AttentionMap(
        kind=kind, layer=layer, head=head, rows=rows, columns=columns, weights=weights.ravel().tolist()
    )


def _source_tokens(model: ServedModel, pair: Pair) -> list[pb.AttendedToken]:
    prefix = [(0, 0)] * len(model.languages.source_prefix_ids)  # read, and so attended to, but no part of the text
    places = prefix + [(token.begin, token.end) for token in model.source_tokens(pair.protected)]
    return _attended(pair.source_ids, places, model.bundle.source_tokenizer.piece)


def _target_tokens(model: ServedModel, pair: Pair) -> list[pb.AttendedToken]:
    places = model.target_offsets(pair.target_ids[:-1], pair.protected)
    return _attended(pair.target_ids, places, model.bundle.target_tokenizer.piece)


def _attended(ids: tuple[int, ...], offsets: list[tuple[int, int]], piece: Any) -> list[pb.AttendedToken]:
    end = offsets[-1][1] if offsets else 0
    spans = [*offsets, (end, end)]  # the end of sentence stands for no character
    return [
        pb.AttendedToken(piece=piece(token), begin=begin, end=stop)
        for token, (begin, stop) in zip(ids, spans, strict=True)
    ]
