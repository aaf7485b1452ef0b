"""Every way to search, through the engine and the toy model, against slow references and by hand."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from service.engine.batch import Candidates
from service.engine.engine import Engine
from service.engine.kv_cache import KVCache
from service.engine.scheduler import Scheduler
from service.request import (
    DecodingOptions,
    FinishedEvent,
    FinishReason,
    LengthNormalization,
    Request,
    SamplingOptions,
    TokensEvent,
    Translation,
)
from service.search.factory import build_search
from service.search.score import length_penalty, score
from service.search.terminology import Progress, allocate
from tests.service.toy import END, FIRST, NUM_WORDS, SPEC, ToyRunner, toy_log_probs, toy_translation
from training.search import BeamHypothesis, BeamSettings, NextLogProbs, beam_search

SOURCE = [10, 20, 30, 5]


def translate(
    requests: Sequence[tuple[list[int], DecodingOptions]], max_rows: int = 16
) -> list[tuple[Translation, ...]]:
    """All requests through one engine; streamed tokens are checked on the way."""
    cache = KVCache(SPEC, max_rows, source_capacity=32, target_capacity=33)
    engine = Engine(ToyRunner(), cache, Scheduler(1000, 64), lambda: 0.0)
    for number, (source, options) in enumerate(requests):
        engine.submit(Request(number, (*source, END), options, 0.0, is_streaming=True))
    told: dict[int, tuple[int, ...]] = dict.fromkeys(range(len(requests)), ())
    found: dict[int, tuple[Translation, ...]] = {}
    while engine.has_work:
        for event in engine.step():
            if isinstance(event, TokensEvent):
                told[event.request_id] += event.token_ids
            elif isinstance(event, FinishedEvent):
                found[event.request_id] = event.translations
        engine.check_integrity()
    assert {number: translations[0].token_ids for number, translations in found.items()} == told
    return [found[number] for number in range(len(requests))]


def one(options: DecodingOptions, source: list[int] = SOURCE) -> tuple[Translation, ...]:
    return translate([(source, options)])[0]


def toy_next(source: Sequence[int]) -> NextLogProbs:
    def compute(translations: Sequence[tuple[int, ...]]) -> torch.Tensor:
        numbers = [source[len(tokens)] if len(tokens) < len(source) else None for tokens in translations]
        rows = [toy_log_probs(number, sum(tokens)) for number, tokens in zip(numbers, translations, strict=True)]
        return torch.from_numpy(np.array(rows))

    return compute


def reference(source: list[int], options: DecodingOptions) -> list[BeamHypothesis]:
    settings = BeamSettings(
        options.beam_size,
        options.max_target_tokens,
        options.num_hypotheses,
        options.length_penalty,
        options.is_early_stopping,
        options.min_target_tokens,
        options.length_normalization is LengthNormalization.TOKENS,
    )
    return beam_search(toy_next(source), settings, END)


def assert_same(found: Sequence[Translation], expected: Sequence[BeamHypothesis]) -> None:
    assert [translation.token_ids for translation in found] == [hypothesis.token_ids for hypothesis in expected]
    for translation, hypothesis in zip(found, expected, strict=True):
        assert translation.score == pytest.approx(hypothesis.score, abs=1e-5)
        assert translation.log_prob == pytest.approx(hypothesis.log_prob, abs=1e-5)
        assert (translation.finish_reason is FinishReason.END) == hypothesis.is_ended


def test_length_penalty_by_hand() -> None:
    plain, whole = DecodingOptions(16, length_penalty=0.0), DecodingOptions(16, length_penalty=1.0)
    assert length_penalty(1, DecodingOptions(16)) == 1.0
    assert length_penalty(7, whole) == 2.0
    assert score(-6.0, 7, whole) == -3.0
    assert score(-6.0, 7, plain) == -6.0
    by_tokens = DecodingOptions(16, length_penalty=2.0, length_normalization=LengthNormalization.TOKENS)
    assert score(-18.0, 3, by_tokens) == -2.0
    assert score(0.0, 0, by_tokens) == 0.0


@pytest.mark.parametrize("is_early_stopping", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("beam_size", [2, 3, 5, 8])
def test_beams_equal_the_reference_side_by_side(beam_size: int, alpha: float, is_early_stopping: bool) -> None:
    generator = random.Random(beam_size)
    requests = []
    for _ in range(12):
        source = [generator.randrange(NUM_WORDS) for _ in range(generator.randrange(1, 12))]
        options = DecodingOptions(
            max_target_tokens=generator.choice([3, 16]),
            min_target_tokens=generator.choice([0, 2]),
            beam_size=beam_size,
            num_hypotheses=generator.randint(1, beam_size),
            length_penalty=alpha,
            is_early_stopping=is_early_stopping,
            length_normalization=generator.choice(list(LengthNormalization)),
        )
        requests.append((source, options))
    for found, (source, options) in zip(translate(requests), requests, strict=True):
        assert_same(found, reference(source, options))


def test_the_beam_stays_full_when_a_sentence_may_end() -> None:
    search = build_search(DecodingOptions(16, beam_size=3), END)
    assert search.needs().num_candidates == 4
    candidates = Candidates(np.array([[7, END, 8, 9]]), np.log(np.array([[0.4, 0.3, 0.2, 0.1]])))
    parents, token_ids = search.advance(candidates, [0])
    assert (parents, token_ids) == ([0, 0, 0], [7, 8, 9])


def test_a_wide_beam_finds_what_greedy_search_misses() -> None:
    greedy, beam = one(DecodingOptions(16))[0], one(DecodingOptions(16, beam_size=8, is_early_stopping=False))[0]
    assert list(greedy.token_ids) == toy_translation([*SOURCE, END])
    assert beam.score >= greedy.score


def test_mixed_requests_do_not_change_each_other() -> None:
    kinds = [
        DecodingOptions(16),
        DecodingOptions(16, beam_size=4, num_hypotheses=4),
        DecodingOptions(16, num_hypotheses=3, sampling=SamplingOptions(3.0, seed=5)),
        DecodingOptions(16, num_hypotheses=3, are_alternatives=True),
        DecodingOptions(16, beam_size=6, required=((40, 41), (50,))),
        DecodingOptions(16, repetition_penalty=1.5),
        DecodingOptions(16, no_repeat_ngram_size=2, beam_size=3),
        DecodingOptions(16, prefix=(9, 9)),
        DecodingOptions(16, forbidden=((13,), (12, 30))),
    ]
    generator = random.Random(0)
    requests = [
        ([generator.randrange(NUM_WORDS) for _ in range(generator.randrange(1, 10))], kind) for kind in kinds * 3
    ]
    generator.shuffle(requests)
    together = translate(requests, max_rows=13)
    assert together == [translate([request])[0] for request in requests]


def test_several_samples_differ_and_come_again() -> None:
    options = DecodingOptions(16, num_hypotheses=4, sampling=SamplingOptions(4.0, seed=9))
    found = one(options)
    assert len({translation.token_ids for translation in found}) == 4
    assert found == one(options)
    assert found != one(replace(options, sampling=SamplingOptions(4.0, seed=10)))
    assert [translation.score for translation in found] == sorted((t.score for t in found), reverse=True)


def test_alternatives_part_after_the_prefix_and_go_on_alone() -> None:
    found = one(DecodingOptions(16, prefix=(13,), num_hypotheses=3, are_alternatives=True))
    ranked = toy_log_probs(SOURCE[1], 13).argsort()[::-1]
    assert [translation.token_ids[:1] for translation in found if translation.token_ids] == [(13,)] * 3
    seconds = [translation.token_ids[1] if len(translation.token_ids) > 1 else END for translation in found]
    assert seconds == ranked[:3].tolist()
    for translation in found:
        if len(translation.token_ids) > 1:
            [alone] = one(DecodingOptions(16, prefix=translation.token_ids[:2]))
            assert alone.token_ids == translation.token_ids


def test_a_prefix_is_kept_by_beams() -> None:
    found = one(DecodingOptions(16, prefix=(40, 41), beam_size=4, num_hypotheses=4))
    assert all(translation.token_ids[:2] == (40, 41) for translation in found)
    assert len({translation.token_ids for translation in found}) == 4


def test_forbidden_phrases_do_not_come() -> None:
    plain = toy_translation([*SOURCE, END])
    [without_token] = one(DecodingOptions(16, forbidden=((plain[1],),)))
    assert plain[1] not in without_token.token_ids
    assert without_token.token_ids[0] == plain[0]
    [without_pair] = one(DecodingOptions(16, forbidden=((plain[0], plain[1]),)))
    assert (plain[0], plain[1]) not in itertools.pairwise(without_pair.token_ids)
    for translation in one(DecodingOptions(16, beam_size=4, num_hypotheses=4, forbidden=((plain[0],),))):
        assert plain[0] not in translation.token_ids


def test_many_forbidden_tokens_leave_the_best_of_the_others() -> None:
    plain = toy_translation([*SOURCE, END])
    forbidden = tuple((token,) for token in range(FIRST, FIRST + 30))
    [found] = one(DecodingOptions(16, min_target_tokens=4, forbidden=forbidden))
    assert min(found.token_ids) >= FIRST + 30
    assert found.token_ids[0] == max(range(FIRST + 30, FIRST + NUM_WORDS), key=lambda t: toy_log_probs(SOURCE[0], 0)[t])
    assert plain[0] < FIRST + 30


def test_no_ngram_comes_twice() -> None:
    source = [0] * 20
    options = DecodingOptions(20, min_target_tokens=20)
    assert max(toy_translation([*source, END]).count(token) for token in range(FIRST, FIRST + NUM_WORDS)) > 1
    [single] = one(replace(options, no_repeat_ngram_size=1), source)
    assert len(set(single.token_ids)) == 20
    for translation in one(replace(options, no_repeat_ngram_size=2, beam_size=4, num_hypotheses=4), source):
        pairs = list(itertools.pairwise(translation.token_ids))
        assert len(pairs) == len(set(pairs))


def test_a_repetition_penalty_changes_the_choice_and_not_the_log_prob() -> None:
    source = [0] * 20
    options = DecodingOptions(20, min_target_tokens=20, repetition_penalty=40.0)
    [penalised] = one(options, source)
    total, tokens = 0.0, list(penalised.token_ids)
    for index, token in enumerate(tokens):
        log_probs = toy_log_probs(0, sum(tokens[:index]))
        log_probs[END] = -100.0
        values = log_probs.copy()
        values[tokens[:index]] *= 40.0
        assert token == values.argmax()
        assert penalised.token_log_probs[index] == pytest.approx(log_probs[token])
        total += values[token]
    assert penalised.score == pytest.approx(score(total, 20, DecodingOptions(20)))
    assert tokens != list(one(replace(options, repetition_penalty=1.0), source)[0].token_ids)


@pytest.mark.parametrize("beam_size", [2, 4, 8])
def test_required_phrases_are_always_there(beam_size: int) -> None:
    generator = random.Random(beam_size)
    for _ in range(20):
        source = [generator.randrange(NUM_WORDS) for _ in range(generator.randrange(2, 12))]
        required = tuple(
            tuple(generator.randrange(FIRST, FIRST + NUM_WORDS) for _ in range(generator.randint(1, 3)))
            for _ in range(generator.randint(1, 3))
        )
        options = DecodingOptions(14, beam_size=beam_size, num_hypotheses=beam_size, required=required)
        for translation in one(options, source):
            for phrase in required:
                places = range(len(translation.token_ids) - len(phrase) + 1)
                assert any(translation.token_ids[p : p + len(phrase)] == phrase for p in places), (
                    required,
                    translation,
                )


def test_what_the_model_says_anyway_costs_nothing() -> None:
    said = tuple(toy_translation([*SOURCE, END]))
    free = one(DecodingOptions(16, beam_size=8))[0]
    assert free.token_ids == said
    assert one(DecodingOptions(16, beam_size=8, required=(said[1:3],)))[0] == free


def test_progress_of_required_phrases() -> None:
    progress = Progress(((1, 2, 3), (2, 4)))
    assert (progress.num_missing, progress.next_tokens) == (5, [1, 2])
    progress = progress.after(1).after(2)
    assert progress.num_missing == 3
    assert progress.next_tokens == [3]
    lost = progress.after(9)
    assert (lost.num_missing, lost.next_tokens) == (5, [1, 2])
    other = progress.after(4)  # 1 2 4: the second phrase is complete
    assert other.remaining == ((1, 2, 3),)
    assert progress.after(3).remaining == ((2, 4),)


def test_a_phrase_that_begins_anew_inside_itself() -> None:
    progress = Progress(((1, 2, 1, 3),))
    for token in (1, 2, 1, 2, 1, 3):
        progress = progress.after(token)
    assert progress.remaining == ()


def test_banks_share_the_beam() -> None:
    assert allocate(8, 3, {0: 9, 1: 9, 2: 9, 3: 9}) == {0: 2, 1: 2, 2: 2, 3: 2}
    assert allocate(5, 3, {0: 9, 1: 9, 2: 9, 3: 9}) == {0: 2, 1: 1, 2: 1, 3: 1}
    assert allocate(8, 3, {2: 1, 3: 9}) == {2: 1, 3: 7}
    assert allocate(4, 1, {0: 1, 1: 1}) == {0: 1, 1: 1}
