"""What the benchmarks stand on: the other engine has our weights, and the text is real."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from bench.ctranslate2_model import convert
from bench.ctranslate2_runtime import open_translator, tokens
from bench.sentences import sentences
from bench.training.__main__ import VOCABULARY
from bench.training.joeynmt_weights import renamed
from bench.training.subject import Case, Subject, read_batches, write
from bench.training.workers import Worker
from tests.export.checkpoints import make_checkpoint, random_sources
from training.checkpoint import Checkpoint
from training.loss import sequence_loss
from training.model_settings import TransformerSettings
from training.search import BeamSettings, beam_search, greedy, next_log_probs
from training.vocabulary import PAD_ID, Vocabulary


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


@pytest.fixture(scope="module")
def tiny_training(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    model = TransformerSettings(
        num_encoder_layers=1, num_decoder_layers=2, model_size=16, feed_forward_size=32, num_heads=2, dropout=0.1
    )
    case = Case("tiny", model, "float32", batch_tokens=256, updates=2)
    return write(case, Vocabulary.load(VOCABULARY), 3, tmp_path_factory.mktemp("tiny"))


def test_our_training_worker_trains_on_the_batches_of_the_file(tiny_training: Subject) -> None:
    first, *others = read_batches(tiny_training.batches)
    assert [int((batch.target_output != PAD_ID).sum()) for batch in (first, *others)] == tiny_training.tokens
    loss = sequence_loss(Checkpoint.load(tiny_training.checkpoint).build_model(), first, label_smoothing=0.0)
    with Worker(sys.executable, "bench.training.ours", tiny_training, threads=1) as worker:
        assert worker.loss == pytest.approx(loss.item() / tiny_training.tokens[0], rel=1e-5)
        assert worker.gradient_norm > 0
        assert min(worker.train([0, 2])) > 0
        with pytest.raises(RuntimeError, match="list index out of range"):
            worker.train([3])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_joeynmt_gets_every_weight_once(norm: str) -> None:
    checkpoint = make_checkpoint(3, num_encoder_layers=1, num_decoder_layers=2, norm=norm, tie_embeddings=True)
    given = renamed(checkpoint.weights, checkpoint.recipe.to_dict()["model"])
    numbers = {tensor.data_ptr(): tensor.numel() for tensor in given.values()}
    assert sum(numbers.values()) == sum(parameter.numel() for parameter in checkpoint.build_model().parameters())
    assert all(torch.isfinite(tensor).all() for tensor in given.values())
