"""Which characters of a source each part of its translation comes from."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from service.api.explainer import Turns
from service.api.explanation import Explanation, align, explain
from service.api.offsets import AlignedSpan, Side, aligned_spans
from service.api.pairs import Pair, pair_with
from service.api.served_model import ServedModel
from service.api.text_translation import TextTranslation
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.text.segmentation import Segment


async def align_text(model: ServedModel, translated: TextTranslation, turns: Turns) -> list[AlignedSpan]:
    """Links of a whole text, in order of the translation."""
    spans: list[AlignedSpan] = []
    for sentence, target_begin in translated.placed_sentences():
        pair = pair_with(model, sentence)
        spans += await turns.run(align_pair, model, pair, sentence.segment, target_begin)
    return spans


def align_pair(model: ServedModel, pair: Pair, segment: Segment, target_begin: int) -> list[AlignedSpan]:
    """Links of one sentence. Blocks: call it off the event loop.

    Args:
        model: what translated it.
        pair: the sentence and its translation, or a beginning of that.
        segment: the sentence's place in the source.
        target_begin: the place of its translation in the whole, in characters.
    """
    explanation = explain(model.bundle, pair.source_ids, pair.target_ids)
    return spans_of(model, pair, explanation, segment, target_begin)


def spans_of(
    model: ServedModel, pair: Pair, explanation: Explanation, segment: Segment, target_begin: int
) -> list[AlignedSpan]:
    """The same where the pair is explained already."""
    chosen = model.manifest.alignment
    alignment = None if chosen is msgspec.UNSET else chosen
    links = align(explanation.cross_attention, alignment, len(model.languages.source_prefix_ids))
    source = [(token.begin, token.end) for token in model.source_tokens(pair.protected)]
    target = model.target_offsets(pair.target_ids[:-1], pair.protected)
    return aligned_spans(
        links, Side(segment.text, segment.begin, source), Side(pair.target_text(model), target_begin, target)
    )


def links_of(spans: Iterable[AlignedSpan]) -> list[pb.AlignmentLink]:
    """Links as clients get them."""
    return [
        pb.AlignmentLink(
            source_begin=span.source_begin,
            source_end=span.source_end,
            target_begin=span.target_begin,
            target_end=span.target_end,
            weight=span.weight,
        )
        for span in spans
    ]
