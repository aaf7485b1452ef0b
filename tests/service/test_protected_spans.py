from __future__ import annotations

import time
from unittest.mock import Mock

import grpc
import pytest

from service.api.sentence_options import SentenceOptions
from service.bundle.manifest import ProtectedSpans
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from service.request import DecodingOptions
from service.text.protected_spans import ProtectedText, Span, SpanProtector, merge_over
from service.text.segmentation import segment
from tests import synthetic
from tests.conftest import Serve
from training.protected_spans import PATTERNS, ProtectedSpanSettings, protect

SYMBOLS = ("⟦1⟧", "⟦2⟧", "⟦3⟧")
PROTECTOR = SpanProtector(SYMBOLS, PATTERNS)
EXACT = pb.ModelSelection(model="exact")


@pytest.mark.parametrize("text", ["no span", "%s", "a %s <b>c</b> {0} d", "%s%s%s%s", "see http://a.org/b?c, or `x y`"])
def test_training_and_service_read_a_text_alike(text: str) -> None:
    assert PROTECTOR.protect(text).text == protect(text, ProtectedSpanSettings(num_symbols=3)).text


def test_what_looks_like_a_symbol_is_a_span_and_never_read_as_one() -> None:
    protected = PROTECTOR.protect("⟦2⟧ and ⟦x⟧ and %s and ⟦1⟧")
    assert protected.text == "⟦1⟧ and ⟦2⟧ and ⟦3⟧ and [1]"
    assert protected.restore("⟦3⟧ ⟦1⟧") == "%s ⟦2⟧"


def test_offsets_in_what_the_model_read_are_offsets_in_the_text() -> None:
    text = "Open {long_name} or <b>x</b>"
    protected = PROTECTOR.protect(text)
    assert protected.text == "Open ⟦1⟧ or ⟦2⟧x⟦3⟧"
    for part, original in (
        ("Open", "Open"),
        ("⟦1⟧", "{long_name}"),
        ("or", "or"),
        ("⟦2⟧", "<b>"),
        ("x", "x"),
        ("⟦3⟧", "</b>"),
    ):
        begin = protected.text.index(part)
        first, last = protected.original(begin, begin + len(part))
        assert text[first:last] == original
    assert protected.original(5, 6) == (5, 16)  # a part of a symbol stands for the whole span


def test_a_translation_is_covered_restored_and_checked() -> None:
    protected = PROTECTOR.protect("%s in %s of {x}")
    assert protected.cover("{x}: %s, %s, %s") == "⟦3⟧: ⟦1⟧, ⟦2⟧, %s"
    assert not protected.faults("⟦3⟧ ⟦2⟧ ⟦1⟧")
    assert protected.faults("⟦3⟧ ⟦3⟧ ⟦1⟧ ⟦9⟧") == {"⟦3⟧": 1, "⟦2⟧": 1, "⟦9⟧": 1}
    places = protected.places("⟦3⟧: ⟦1⟧ ⟦1⟧")
    assert [(span.text, place) for span, place in places] == [("%s", 5), ("%s", None), ("{x}", 0)]
    assert protected.restore("⟦3⟧: ⟦9⟧⟦1⟧") == "{x}: %s"


def test_a_sentence_does_not_end_within_a_span() -> None:
    text = "Run `make it. Then stop.` now. Then rest."
    spans = SpanProtector(SYMBOLS, PATTERNS).places(text)
    assert [part.text for part in segment(text, "en", len, 100, spans).segments] == [
        "Run `make it. Then stop.` now.",
        "Then rest.",
    ]
    assert merge_over([(0, 4), (5, 9), (10, 12)], [(3, 11)]) == [(0, 12)]
    assert merge_over([(0, 4), (5, 9), (10, 12)], [(0, 2), (3, 6), (7, 9)]) == [(0, 9), (10, 12)]


def test_a_long_sentence_is_not_cut_within_a_span() -> None:
    text = "word " * 10 + '<a href="x y z">' + " word" * 10 + ' <b c="d e f g h i j k">'

    def count_words(part: str) -> int:
        return len(PROTECTOR.protect(part).text.split())

    parts = segment(text, "en", count_words, 6, PROTECTOR.places(text)).segments
    assert all(part.text.count("<") == part.text.count(">") for part in parts)
    assert all(count_words(part.text) <= 6 for part in parts)
    assert text.split() == " ".join(part.text for part in parts).split()


def test_a_symbol_within_a_required_term_is_not_required_twice() -> None:
    options = SentenceOptions(Mock(), Mock(id_of=lambda symbol: SYMBOLS.index(symbol) + 1), max_beam_size=8)
    decoding = DecodingOptions(max_target_tokens=20, beam_size=4, required=((1, 9),))
    stricter = options.with_spans(decoding, PROTECTOR.protect("%s in {x}"))
    assert stricter is not None
    assert stricter.required == ((1, 9), (2,))


def test_many_sentences_with_many_spans_are_joined_at_once() -> None:
    begun = time.process_time()
    assert len(merge_over([(at, at + 3) for at in range(0, 400_000, 4)], [(at, at + 2) for at in range(0, 400_000, 4)]))
    assert time.process_time() - begun < 2


def test_a_text_without_spans_is_itself() -> None:
    plain = ProtectedText("open")
    assert plain.restore("⟦1⟧") == "⟦1⟧"
    assert not plain.faults("⟦1⟧")
    written = PROTECTOR.protect("open")
    assert written.restore("⟦1⟧x") == "x"
    assert written.faults("⟦1⟧x") == {"⟦1⟧": 1}
    with pytest.raises(ValueError, match="no regular expression"):
        ProtectedSpans(symbols=SYMBOLS, patterns=("a", "(?i)b"))  # good alone, but not as one of several
    assert SpanProtector(SYMBOLS, ()).protect("open %s").text == "open %s"
    assert plain.cover("x") == "x"
    assert plain.original(1, 3) == (1, 3)
    assert Span("⟦1⟧", "%s", 4).end == 6


@pytest.mark.parametrize("model", ["exact", "small"])
async def test_placeholders_come_through(serve: Serve, model: str) -> None:
    sources = [synthetic.with_placeholders(source, seed) for seed, source in enumerate(synthetic.sentences(60, seed=5))]
    async with serve() as (_, channel):
        response = await pb_grpc.TranslationServiceStub(channel).Translate(
            pb.TranslateRequest(texts=sources, model_selection=pb.ModelSelection(model=model))
        )
    hypotheses = [result.hypotheses[0] for result in response.results]
    num_right = 0
    for source, hypothesis in zip(sources, hypotheses, strict=True):
        num_right += hypothesis.text == synthetic.translate(source)
        spans = [word for word in source.split() if word in synthetic.PLACEHOLDERS]
        assert len(hypothesis.protected_spans) == len(spans)
        for span, place in zip(spans, hypothesis.protected_spans, strict=True):
            assert source[place.source_begin : place.source_end] == span
            assert place.HasField("target_begin")  # none is ever lost here: a second try with a beam must have it
            assert hypothesis.text[place.target_begin :].startswith(span)
    assert num_right >= 55


async def test_streams_scores_prefixes_and_alignments_speak_of_the_text_itself(serve: Serve) -> None:
    source, translation = "red {name} cat", "katu {name} ruk"
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        stream = stub.TranslateStream(pb.TranslateStreamRequest(text=source, model_selection=EXACT))
        pieces = [response.delta.text async for response in stream if response.WhichOneof("event") == "delta"]
        assert "".join(pieces) == translation
        decoding = pb.DecodingOptions(target_prefix="katu {name}")
        wanted = pb.ReturnOptions(alignment=True)
        (result,) = (
            await stub.Translate(
                pb.TranslateRequest(texts=[source], model_selection=EXACT, decoding=decoding, return_options=wanted)
            )
        ).results
        assert result.hypotheses[0].text == translation
        parts = {
            (source[link.source_begin : link.source_end], translation[link.target_begin : link.target_end])
            for link in result.hypotheses[0].alignment
        }
        assert ("{name}", "{name}") in parts
        pairs = [pb.TextPair(source=source, target=target) for target in (translation, "katu ruk {name}")]
        right, wrong = (await stub.Score(pb.ScoreRequest(pairs=pairs, model_selection=EXACT))).scores
        assert right.log_prob > -0.5 > wrong.log_prob
        attended = await stub.Attend(pb.AttendRequest(source=source, model_selection=EXACT))
        spans = {source[token.begin : token.end].strip() for token in attended.source_tokens}
        assert {"{name}", "red", "cat"} & spans >= {"{name}"}
        assert {"{name}"} <= {translation[token.begin : token.end].strip() for token in attended.target_tokens}


async def test_protection_may_be_turned_off_or_required(serve: Serve) -> None:
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)

        async def translate(text: str, protection: pb.SpanProtection, **options: object) -> pb.Hypothesis:
            decoding = pb.DecodingOptions(span_protection=protection, **options)  # type: ignore[arg-type]
            request = pb.TranslateRequest(texts=[text], model_selection=EXACT, decoding=decoding)
            return (await stub.Translate(request)).results[0].hypotheses[0]

        off = await translate("red %s cat", pb.SPAN_PROTECTION_OFF)
        assert not off.protected_spans
        assert off.text != "katu %s ruk"
        kept = await translate("red %s cat", pb.SPAN_PROTECTION_REQUIRE)
        assert kept.text == "katu %s ruk"
        short = await translate("red %s cat", pb.SPAN_PROTECTION_KEEP, max_target_tokens=1)
        assert short.text == "%s"  # what must be there has the only place
        too_short = await translate("red %s {name}", pb.SPAN_PROTECTION_KEEP, max_target_tokens=1)
        assert not all(span.HasField("target_begin") for span in too_short.protected_spans)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await translate("red %s cat", pb.SPAN_PROTECTION_REQUIRE, forbidden_phrases=["⟦1⟧"])
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION, caught.value.details()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await translate("red", 9)
        assert "span_protection" in str(caught.value.details())
