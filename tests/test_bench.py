"""What the benchmarks stand on: the other engine has our weights, and the text is real."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.ctranslate2_model import convert
from bench.ctranslate2_runtime import open_translator, tokens
from bench.sentences import sentences
from tests.export.test_export import make_checkpoint, random_sources
from training.search import BeamSettings, beam_search, greedy, next_log_probs


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_ctranslate2_says_what_pytorch_says(tmp_path: Path, norm: str) -> None:
    checkpoint = make_checkpoint(11, scale=2.0, num_encoder_layers=2, model_size=64, num_heads=4, norm=norm)
    model = checkpoint.build_model()
    size = len(checkpoint.source_vocabulary)
    translator = open_translator(convert(model, tmp_path / "model", size, size), "float32", threads=1)
    sources = random_sources(8, size, 30, seed=4)
    batch = [tokens(source) for source in sources]
    found = translator.translate_batch(batch, beam_size=1, max_decoding_length=20)
    assert [result.hypotheses[0] for result in found] == [tokens(ids) for ids in greedy(model, sources, [20] * 8)]
    beams = translator.translate_batch(
        batch, beam_size=4, length_penalty=0.0, max_decoding_length=12, return_scores=True
    )
    for source, result in zip(sources, beams, strict=True):
        [best] = beam_search(next_log_probs(model, source), BeamSettings(4, 12, length_penalty=0.0))
        assert result.scores[0] == pytest.approx(best.log_prob, rel=0.05)


def test_sentences_are_real_ragged_and_the_same_every_time() -> None:
    texts = sentences(500)
    assert texts == sentences(500)
    assert len(set(texts)) == 500
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) < 8 < 30 < max(lengths)
    with pytest.raises(ValueError, match="sentences"):
        sentences(10**6)
