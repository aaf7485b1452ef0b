from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from export import writer
from export.__main__ import main
from export.calibration import observe
from export.parity import ParityError, decode_with_engine, run_engine
from export.quantization import QuantizedLinear, quantize, quantize_rows
from export.writer import ExportOptions, export
from service.bundle.bundle import Bundle
from service.bundle.manifest import load_manifest
from service.bundle.runtime import Runtime
from service.errors import BundleError
from service.request import DecodingOptions
from tests.export.checkpoints import make_checkpoint, random_sources
from training.attention import Stored
from training.checkpoint import Checkpoint
from training.search import BeamSettings, beam_search, greedy, next_log_probs


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return Runtime.start("cpu")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> tuple[Checkpoint, Bundle]:
    """A model of the bundled architecture whose translations differ, and its bundle."""
    checkpoint, directory = make_checkpoint(1, scale=2.5), tmp_path_factory.mktemp("exported") / "bundle"
    export(checkpoint, directory, ExportOptions())
    return checkpoint, Bundle.load(directory, runtime)


def test_onnx_equals_pytorch_token_for_token_on_the_bundled_architecture(exported: tuple[Checkpoint, Bundle]) -> None:
    checkpoint, bundle = exported
    parity = bundle.manifest.parity
    assert parity.identical_translations == parity.num_sentences == 32
    model = checkpoint.build_model()
    sources = random_sources(50, len(checkpoint.source_vocabulary), 120, seed=2)
    expected = greedy(model, sources, [100] * len(sources))
    assert len({tuple(tokens) for tokens in expected}) > 25
    assert max(len(tokens) for tokens in expected) == 100
    assert decode_with_engine(bundle, sources, 100) == expected


SLOW_PRECISIONS = [pytest.param(precision, marks=pytest.mark.slow) for precision in ("float32", "float16")]


@pytest.mark.parametrize("precision", [*SLOW_PRECISIONS, "int8"])
def test_every_precision_and_post_norm(tmp_path: Path, precision: str, runtime: Runtime) -> None:
    shape = {"norm": "post", "num_encoder_layers": 1, "num_decoder_layers": 2, "model_size": 64, "num_heads": 8}
    checkpoint = make_checkpoint(3, **shape)
    manifest = export(checkpoint, tmp_path / "bundle", ExportOptions(precision=precision))  # type: ignore[arg-type]
    assert manifest == load_manifest(tmp_path / "bundle")
    assert manifest.parity.identical_translations == manifest.parity.num_sentences
    assert (manifest.parity.mean_quantization_difference is None) == (precision == "float32")
    assert Bundle.load(tmp_path / "bundle", runtime).manifest.precision == precision
    card = (tmp_path / "bundle/MODEL_CARD.md").read_text()
    assert "Not measured." in card
    assert precision in card


def test_a_graph_that_differs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = make_checkpoint(4, num_encoder_layers=1, num_decoder_layers=1)

    original = writer.check_parity

    def with_other_weights(bundle, exportable, reference, *rest):  # type: ignore[no-untyped-def]
        other = make_checkpoint(5, num_encoder_layers=1, num_decoder_layers=1).build_model()
        return original(bundle, exportable, other, *rest)

    monkeypatch.setattr(writer, "check_parity", with_other_weights)
    with pytest.raises(ParityError, match="differ"):
        export(checkpoint, tmp_path / "bundle", ExportOptions())
    assert list(tmp_path.iterdir()) == []


def test_beams_equal_pytorch_on_a_random_model(exported: tuple[Checkpoint, Bundle]) -> None:
    checkpoint, bundle = exported
    parity = bundle.manifest.parity
    assert parity.identical_beams == parity.num_beams == 8
    model = checkpoint.build_model()
    sources = random_sources(12, len(checkpoint.source_vocabulary), 40, seed=3)
    decoding = DecodingOptions(24, beam_size=5, num_hypotheses=5, length_penalty=1.0)
    found = run_engine(bundle, sources, decoding)
    lengths = set()
    for source, translations in zip(sources, found, strict=True):
        expected = beam_search(next_log_probs(model, source), BeamSettings(5, 24, 5, 1.0))
        assert [translation.token_ids for translation in translations] == [beam.token_ids for beam in expected]
        assert [t.score for t in translations] == pytest.approx([beam.score for beam in expected], rel=1e-5)
        assert [t.log_prob for t in translations] == pytest.approx([beam.log_prob for beam in expected], rel=1e-5)
        lengths.update(len(translation.token_ids) for translation in translations)
    assert len(lengths) > 1


def quantized_linear(largest: float, is_after_relu: bool = False) -> tuple[torch.nn.Linear, QuantizedLinear]:
    torch.manual_seed(0)
    linear = torch.nn.Linear(256, 64)
    return linear, QuantizedLinear(linear, largest, is_after_relu)


def test_quantised_rows_do_not_depend_on_each_other() -> None:
    _, layer = quantized_linear(4.0)
    rows = torch.randn(5, 256) * torch.tensor([1e-3, 1.0, 10.0, 0.0, 100.0])[:, None]
    together = layer(rows)
    for index in range(5):
        assert torch.equal(layer(rows[index : index + 1])[0], together[index])


def test_quantisation_is_close() -> None:
    linear, layer = quantized_linear(4.5)
    rows = torch.randn(10, 256)
    exact, close = linear(rows), layer(rows)
    assert (exact - close).abs().max() < 0.03 * exact.abs().max()
    weight, scale = quantize_rows(linear.weight.detach())
    assert weight.dtype == torch.int8
    assert (weight * scale[:, None] - linear.weight).abs().max() <= scale.max() / 2 + 1e-6


def test_a_quantised_layer_after_a_relu_is_the_relu_too() -> None:
    linear, layer = quantized_linear(4.5, is_after_relu=True)
    rows = torch.randn(10, 256)
    assert torch.equal(layer(rows), layer(rows.relu()))
    exact = linear(rows.relu())
    _, without = quantized_linear(4.5)
    assert (exact - layer(rows)).abs().mean() < 0.7 * (exact - without(rows.relu())).abs().mean()


def test_calibration_sees_what_layers_read_and_attention_stores() -> None:
    model = make_checkpoint(6, num_encoder_layers=1, num_decoder_layers=1).build_model()
    sources = random_sources(5, 200, 20, seed=1)
    ranges = observe(model, sources)
    assert ranges.inputs.keys() == {n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    assert observe(model, sources[:2]).inputs["output"] <= ranges.inputs["output"]
    assert set(ranges.stored) == {n for n, m in model.named_modules() if isinstance(m, Stored)}
    name = "decoder.layers.0.cross_attention.stored"
    assert observe(model, sources[:2]).stored[name] <= ranges.stored[name]
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_quantising_leaves_the_model_alone() -> None:
    model = make_checkpoint(6, num_encoder_layers=1, num_decoder_layers=1).build_model()
    quantized = quantize(model, observe(model, random_sources(3, 200, 20, seed=1)))
    assert not any(isinstance(module, torch.nn.Linear) for module in quantized.modules())
    assert isinstance(model.output, torch.nn.Linear)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle") / "model"
    export(make_checkpoint(7, num_encoder_layers=1, num_decoder_layers=1, model_size=32), directory, ExportOptions())
    return directory


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 9}, "schema version 9, this service reads 2"),
        ({"precision": "int3"}, "malformed: .*precision"),
        ({"surprise": 1}, "malformed: .*surprise"),
        ({"limits": {"max_source_tokens": 0, "max_target_tokens": 5}}, "malformed: .*limits"),
        ({"state": []}, "do not match the manifest"),
        ({"name": "../../etc"}, "malformed: .*name"),
    ],
)
def test_a_wrong_manifest_is_refused(
    bundle: Path, tmp_path: Path, change: dict[str, object], message: str, runtime: Runtime
) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text()) | change
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=message):
        Bundle.load(copy, runtime)


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "explain.onnx", "source.model", "target.model"])
def test_a_changed_or_missing_file_is_refused(bundle: Path, tmp_path: Path, name: str, runtime: Runtime) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} is not the file that the manifest describes"):
        Bundle.load(copy, runtime)
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        Bundle.load(copy, runtime)


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder.onnx", "explain.onnx"])
def test_a_bundle_names_no_file_of_the_machine_that_exported_it(bundle: Path, name: str) -> None:
    assert str(Path(writer.__file__).parent.parent).encode() not in (bundle / name).read_bytes()


def test_the_command_line(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_checkpoint(8, num_encoder_layers=1, num_decoder_layers=1, model_size=32).save(tmp_path / "model.pt")
    (tmp_path / "scores.json").write_text(
        json.dumps(
            {
                "held out": {
                    "num_sentences": 9,
                    "bleu": 12.34,
                    "chrf": 45.6,
                    "bleu_signature": "b",
                    "chrf_signature": "c",
                }
            }
        )
    )
    arguments = [str(tmp_path / "model.pt"), str(tmp_path / "out"), "--name", "mine", "--version", "3"]
    assert main([*arguments, "--scores", str(tmp_path / "scores.json"), "--licence", "CC0-1.0"]) == 0
    assert "mine 3, float32" in capsys.readouterr().out
    card = (tmp_path / "out/MODEL_CARD.md").read_text()
    assert "| held out | 9 | 12.3 | 45.6 |" in card
    assert "CC0-1.0" in card
    assert main(arguments) == 2
    assert "exists: remove it" in capsys.readouterr().err
    assert main([str(tmp_path / "none.pt"), str(tmp_path / "other")]) == 2
