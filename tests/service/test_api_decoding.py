"""Ways to decode, over real gRPC."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests import synthetic
from tests.conftest import Serve
from tests.service.messages import EXACT
from training.checkpoint import Checkpoint
from training.search import BeamSettings, beam_search, next_log_probs
from training.vocabulary import END_ID

SCORES = pb.ReturnOptions(scores=True, token_log_probs=True)


async def translate(serve: Serve, *texts: str, **decoding: object) -> list[pb.TranslationResult]:
    async with serve() as (_, channel):
        request = pb.TranslateRequest(
            model_selection=EXACT, texts=texts, decoding=pb.DecodingOptions(**decoding), return_options=SCORES
        )
        response = await pb_grpc.TranslationServiceStub(channel).Translate(request)
    return list(response.results)


def texts_of(result: pb.TranslationResult) -> list[str]:
    return [hypothesis.text for hypothesis in result.hypotheses]


@pytest.mark.parametrize("normalization", [pb.LENGTH_NORMALIZATION_UNSPECIFIED, pb.LENGTH_NORMALIZATION_TOKENS])
async def test_served_beams_are_pytorchs_token_for_token_and_score_for_score(
    serve: Serve, synthetic_run: Path, normalization: pb.LengthNormalization
) -> None:
    checkpoint = Checkpoint.load(synthetic_run / "averaged.pt")
    model = checkpoint.build_model()
    sources = synthetic.sentences(12, seed=21)
    beam = {"beam_size": 5, "num_hypotheses": 5, "length_penalty": 1.0, "max_target_tokens": 20}
    results = await translate(serve, *sources, **beam, length_normalization=normalization)
    is_by_tokens = normalization == pb.LENGTH_NORMALIZATION_TOKENS
    for source, result in zip(sources, results, strict=True):
        ids = [*checkpoint.source_vocabulary.encode([source])[0], END_ID]
        expected = beam_search(
            next_log_probs(model, ids), BeamSettings(5, 20, 5, 1.0, is_normalized_by_tokens=is_by_tokens)
        )
        decode = checkpoint.target_vocabulary.decode
        # A symbol of a protected span that the source does not have is left out, and such a translation comes last.
        expected = sorted(expected, key=lambda hypothesis: "⟦" in decode(list(hypothesis.token_ids)))
        texts = [re.sub("⟦\\d+⟧", "", decode(list(hypothesis.token_ids))) for hypothesis in expected]
        assert texts_of(result) == texts
        for found, hypothesis in zip(result.hypotheses, expected, strict=True):
            assert found.score == pytest.approx(hypothesis.score, abs=1e-4)
            assert found.log_prob == pytest.approx(hypothesis.log_prob, abs=1e-4)
            assert len(found.tokens) == len(hypothesis.token_ids) + hypothesis.is_ended


async def test_scores_of_hypotheses_are_teacher_forced_log_probs(serve: Serve) -> None:
    [result] = await translate(serve, "big dog sees cat", beam_size=3, num_hypotheses=3)
    assert len(set(texts_of(result))) == 3
    async with serve() as (_, channel):
        pairs = [pb.TextPair(source="big dog sees cat", target=text) for text in texts_of(result)]
        request = pb.ScoreRequest(pairs=pairs, model_selection=EXACT)
        scored = await pb_grpc.TranslationServiceStub(channel).Score(request)
    for hypothesis, score in zip(result.hypotheses, scored.scores, strict=True):
        if [token.piece for token in hypothesis.tokens] == [token.piece for token in score.tokens]:
            assert hypothesis.log_prob == pytest.approx(score.log_prob, abs=1e-3)
    assert [token.piece for token in result.hypotheses[0].tokens] == [token.piece for token in scored.scores[0].tokens]


async def test_hypotheses_of_several_sentences_are_the_best_combinations(serve: Serve) -> None:
    whole, *parts = await translate(serve, "red cat. big dog.", "red cat.", "big dog.", beam_size=3, num_hypotheses=3)
    scores = [hypothesis.score for hypothesis in whole.hypotheses]
    sums = sorted((a.score + b.score for a in parts[0].hypotheses for b in parts[1].hypotheses), reverse=True)
    assert scores == pytest.approx(sums[:3], abs=1e-4)
    assert texts_of(whole)[0] == " ".join(texts_of(part)[0] for part in parts)


async def test_a_beam_streams_what_it_will_not_take_back(serve: Serve) -> None:
    decoding = pb.DecodingOptions(beam_size=4, num_hypotheses=2)
    text = "the big dog sees a bird. red cat likes house book tree"
    async with serve() as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        plain = await stub.Translate(pb.TranslateRequest(texts=[text], model_selection=EXACT, decoding=decoding))
        stream = stub.TranslateStream(pb.TranslateStreamRequest(text=text, model_selection=EXACT, decoding=decoding))
        responses = [response async for response in stream]
    assert "".join(response.delta.text for response in responses[:-1]) == texts_of(plain.results[0])[0]
    assert len(responses) > 4
    assert responses[-1].result == plain.results[0]


async def test_terms_are_in_the_translation_and_reported(serve: Serve) -> None:
    terms = [
        pb.Term(source="CAT", target="lub nov"),
        pb.Term(source="at", target="dom"),
        pb.Term(source="tree", target="arb"),
    ]
    first, second, third = await translate(serve, "red cat sees dog", "old tree", "big dog", terminology=terms)
    [place] = first.hypotheses[0].applied_terms
    text = first.hypotheses[0].text
    assert (place.term, text[place.target_begin : place.target_end]) == (0, "lub nov")
    assert "dom" not in text  # "at" is not a word of the source
    assert texts_of(second) == [synthetic.translate("old tree")]  # the model says it anyway
    assert [place.term for place in second.hypotheses[0].applied_terms] == [2]
    assert texts_of(third) == [synthetic.translate("big dog")]
    assert not third.hypotheses[0].applied_terms


async def test_forbidden_phrases_stay_out(serve: Serve) -> None:
    [plain] = await translate(serve, "big dog sees cat")
    [result] = await translate(serve, "big dog sees cat", forbidden_phrases=["hun mak"], beam_size=2, num_hypotheses=2)
    assert "hun mak" in plain.hypotheses[0].text
    assert not [text for text in texts_of(result) if "hun mak" in text]


async def test_alternatives_at_a_position(serve: Serve) -> None:
    source = "big dog sees cat"
    [result] = await translate(serve, source, return_alternatives=True, num_hypotheses=3, target_prefix="katu")
    assert texts_of(result)[0] == synthetic.translate(source)
    assert all(text.startswith("katu") for text in texts_of(result))
    [plain] = await translate(serve, source, target_prefix="katu")
    num_shared = len(plain.hypotheses[0].tokens) - len(synthetic.translate(source).split()) + 1
    thirds = [[token.piece for token in hypothesis.tokens][:num_shared] for hypothesis in result.hypotheses]
    assert len(set(map(tuple, thirds))) == 3


async def test_several_samples_with_one_seed(serve: Serve) -> None:
    options: dict[str, object] = {"temperature": 5.0, "seed": 3, "num_hypotheses": 3, "max_target_tokens": 8}
    [first] = await translate(serve, "big dog sees cat", **options)
    [again, _] = await translate(serve, "big dog sees cat", "red", **options)
    assert first == again
    assert len(set(texts_of(first))) == 3
    assert [h.score for h in first.hypotheses] == sorted((h.score for h in first.hypotheses), reverse=True)


async def test_interactive_requests_pass_a_batch(serve: Serve) -> None:
    slow = pb.DecodingOptions(min_target_tokens=30, max_target_tokens=30)
    async with serve(max_rows=1) as (_, channel):
        stub = pb_grpc.TranslationServiceStub(channel)
        done: list[str] = []

        async def run(name: str, priority: pb.Priority, decoding: pb.DecodingOptions) -> None:
            await stub.Translate(
                pb.TranslateRequest(texts=["cat"] * 4, model_selection=EXACT, decoding=decoding, priority=priority)
            )
            done.append(name)

        batch = [asyncio.create_task(run("batch", pb.PRIORITY_BATCH, slow)) for _ in range(3)]
        await asyncio.sleep(0.02)
        await run("interactive", pb.PRIORITY_INTERACTIVE, pb.DecodingOptions())
        await asyncio.gather(*batch)
    assert done[0] == "interactive"
