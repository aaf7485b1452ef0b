from __future__ import annotations

import numpy as np
import pytest

from service.request import SamplingOptions
from service.search.sampling import sample

LOG_PROBS = np.log(np.array([0.5, 0.25, 0.15, 0.1], np.float32))


def frequencies(options: SamplingOptions, log_probs: np.ndarray = LOG_PROBS) -> list[float]:
    generator = np.random.default_rng(0)
    draws = [sample(log_probs, options, generator) for _ in range(4000)]
    return [draws.count(token) / len(draws) for token in range(4)]


def test_temperature_one_draws_the_model_itself() -> None:
    assert frequencies(SamplingOptions(1.0)) == pytest.approx([0.5, 0.25, 0.15, 0.1], abs=0.03)


def test_temperature_is_a_power_of_the_probabilities() -> None:
    squared = np.array([0.5, 0.25, 0.15, 0.1]) ** 2
    assert frequencies(SamplingOptions(0.5)) == pytest.approx(list(squared / squared.sum()), abs=0.03)


def test_top_k_keeps_the_best() -> None:
    assert frequencies(SamplingOptions(1.0, top_k=2)) == pytest.approx([2 / 3, 1 / 3, 0, 0], abs=0.03)


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    assert frequencies(SamplingOptions(1.0, top_p=0.6)) == pytest.approx([2 / 3, 1 / 3, 0, 0], abs=0.03)
    assert frequencies(SamplingOptions(1.0, top_p=0.4)) == [1, 0, 0, 0]


def test_a_forbidden_token_is_never_drawn() -> None:
    log_probs = LOG_PROBS.copy()
    log_probs[0] = -np.inf
    assert frequencies(SamplingOptions(1.0), log_probs) == pytest.approx([0, 0.5, 0.3, 0.2], abs=0.03)
