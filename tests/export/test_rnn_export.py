from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from export.parity import decode_with_engine, run_engine
from export.writer import ExportOptions, export
from service.bundle.bundle import Bundle
from service.bundle.runtime import Runtime
from service.request import DecodingOptions
from tests.conftest import Serve
from tests.export.attended import check_recurrent
from tests.export.checkpoints import WORDS, random_sources
from tests.export.recurrent import LONGEST, make_checkpoint
from tests.training.recurrent import FAMILIES
from training.search import BeamSettings, beam_search, greedy, next_log_probs
from training.vocabulary import BEGIN_ID, END_ID

SLOW = ("copied", "deep bahdanau", "local", "context", "dot", "concat", "padded")
"""What else they are made of is in the others: together all take too long."""


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in FAMILIES]
)
async def test_every_family_decodes_and_attends_as_pytorch_does(family: str, tmp_path: Path, serve: Serve) -> None:
    checkpoint = make_checkpoint(**FAMILIES[family])
    manifest = export(checkpoint, tmp_path / "bundle", ExportOptions())
    parity = manifest.parity
    assert (parity.identical_translations, parity.identical_beams) == (parity.num_sentences, parity.num_beams)
    assert max(parity.max_log_prob_difference, parity.max_attention_difference) < 1e-5
    model = checkpoint.build_model()
    bundle = Bundle.load(tmp_path / "bundle", Runtime.start("cpu"))
    sources = random_sources(40, len(checkpoint.source_vocabulary), LONGEST - 1, seed=2)
    expected = greedy(model, sources, [20] * len(sources))
    assert len({tuple(tokens) for tokens in expected}) > 10
    # Rows of different lengths come and go; alone or among others, the tokens are the same.
    assert decode_with_engine(bundle, sources, 20) == expected
    assert [decode_with_engine(bundle, [source], 20)[0] for source in sources[:5]] == expected[:5]
    found = run_engine(bundle, sources[:6], DecodingOptions(12, beam_size=3, num_hypotheses=3))
    for source, translations in zip(sources[:6], found, strict=True):
        beams = beam_search(next_log_probs(model, source), BeamSettings(3, 12, 3))
        assert [translation.token_ids for translation in translations] == [beam.token_ids for beam in beams]
    has_attention = FAMILIES[family]["decoder"] != "context"
    await check_recurrent(serve, tmp_path / "bundle", checkpoint, WORDS[3:14], has_attention)


@pytest.mark.parametrize(
    ("family", "precision"),
    [
        ("bahdanau", "int8"),
        pytest.param("general", "float16", marks=pytest.mark.slow),
        pytest.param("bahdanau", "float16", marks=pytest.mark.slow),
        pytest.param("general", "int8", marks=pytest.mark.slow),
    ],
)
def test_other_precisions(family: str, precision: str, tmp_path: Path) -> None:
    options = ExportOptions(precision=precision)  # type: ignore[arg-type]
    manifest = export(make_checkpoint(1.5, **FAMILIES[family]), tmp_path / "bundle", options)
    assert manifest.parity.identical_translations == manifest.parity.num_sentences
    assert manifest.parity.mean_quantization_difference is not None
    assert 0 < manifest.parity.mean_quantization_difference < 0.5


def test_the_state_is_what_the_architecture_carries(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(**FAMILIES["general"])
    state = export(checkpoint, tmp_path / "bundle", ExportOptions()).state
    found = {array.name: (array.shape, array.owner, array.update) for array in state}
    assert found == {
        "memory": (("rows", "source", 64), "source", "none"),
        "keys": (("rows", "source", 32), "source", "none"),
        "hidden_0": (("rows", 32), "hypothesis", "replace"),
        "readout": (("rows", 24), "hypothesis", "replace"),
    }


def test_explained_alignment_is_the_models(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(**FAMILIES["padded"])
    export(checkpoint, tmp_path / "bundle", ExportOptions())
    bundle = Bundle.load(tmp_path / "bundle", Runtime.start("cpu"))
    source, target = [*range(5, 11), END_ID], [BEGIN_ID, 20, 21, 22, END_ID]
    inputs = {
        "source_ids": np.array([source]),
        "source_lengths": np.array([len(source)]),
        "target_ids": np.array([target]),
    }
    _, encoder, decoder, cross = bundle.explain.run(None, inputs)
    assert (encoder.shape[1], decoder.shape[1]) == (0, 0)
    model = checkpoint.build_model()
    state = model.start(torch.tensor([source]), torch.tensor([len(source)]))
    for position, token in enumerate(target[:-1]):
        model.step(torch.tensor([token]), state)
        weights = state.weights[0, 0].detach().numpy()  # over the source and the padding that this model reads
        expected = [*weights[: len(source) - 1], weights[len(source) - 1 :].sum()]
        np.testing.assert_allclose(cross[0, 0, 0, position], expected, atol=1e-6)
        assert cross[0, 0, 0, position].sum() == pytest.approx(1.0)
