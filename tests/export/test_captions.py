from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from PIL import Image

from export.__main__ import main
from export.caption_parity import check_caption_parity, samples
from export.parity import ParityError, run_engine
from export.stored_halves import fold_normalization, rounded_to_halves, store_in_halves
from export.write_graph import write_graph
from service.bundle.bundle import Bundle
from service.bundle.manifest import load_manifest
from service.bundle.runtime import Runtime
from service.pictures.decoding import decode
from service.request import DecodingOptions, Picture
from tests import captioning
from training.captioning.checkpoint import CaptionCheckpoint
from training.captioning.efficientnet import ConvolutionBlock
from training.captioning.pictures import normalised, to_pixels
from training.captioning.search import greedy_captions
from training.vocabulary import BEGIN_ID, END_ID


@pytest.fixture(scope="module")
def checkpoint(caption_run: Path) -> CaptionCheckpoint:
    return CaptionCheckpoint.load(caption_run / "averaged.pt")


@pytest.fixture(scope="module")
def directory(checkpoint: CaptionCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with its weights in float16."""
    directory = tmp_path_factory.mktemp("bundle")
    checkpoint.save(directory / "captions.pt")
    arguments = ["--from", "captions", str(directory / "captions.pt"), str(directory / "bundle")]
    assert main([*arguments, "--precision", "float16", "--licence", "GPL-2.0-or-later"]) == 0
    return directory / "bundle"


def test_the_manifest_says_what_the_service_needs(directory: Path, checkpoint: CaptionCheckpoint) -> None:
    manifest = load_manifest(directory)
    assert manifest.reads_images
    assert (manifest.image.height, manifest.image.width, manifest.image.grid) == (64, 96, captioning.GRID)
    assert manifest.caption_tags == checkpoint.tag_ids
    assert manifest.limits.max_source_tokens == 6
    parity = manifest.parity
    assert (parity.identical_translations, parity.identical_beams) == (parity.num_sentences, parity.num_beams)
    assert parity.num_sentences == parity.num_beams == 8
    assert max(parity.max_log_prob_difference, parity.max_attention_difference) < 1e-4
    assert parity.mean_quantization_difference is not None
    assert 0 < parity.mean_quantization_difference < 0.01
    card = (directory / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "48 scenes of the project's own making" in card
    assert "GPL-2.0-or-later" in card
    tags = Bundle.load(directory, Runtime.start("cpu")).target_tokenizer
    assert tags.decode([manifest.caption_tags["ko"]]) == ""  # a tag is no text


def test_the_engine_describes_pictures_as_pytorch_does(directory: Path, checkpoint: CaptionCheckpoint) -> None:
    model = checkpoint.build_model()
    fold_normalization(model)
    rounded_to_halves(model)
    bundle = Bundle.load(directory, Runtime.start("cpu"))
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(12)]
    with torch.inference_mode():
        features = model.encode(normalised(np.stack(pictures)))
    for tag in checkpoint.tag_ids.values():
        expected = greedy_captions(model, features, [tag] * 12, 15)
        decoding = DecodingOptions(16, prefix=(tag,))
        found = run_engine(bundle, [Picture(pixels, 6) for pixels in pictures], decoding)
        assert [list(one[0].token_ids) for one in found] == [[tag, *tokens] for tokens in expected]
        alone = run_engine(bundle, [Picture(pictures[3], 6)], decoding)
        assert alone[0][0].token_ids == found[3][0].token_ids


def test_pixels_are_normalised_as_in_training(directory: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, 64, 96, 3), dtype=np.uint8)
    found = load_manifest(directory).image.normalized(list(pixels))
    np.testing.assert_allclose(found, normalised(pixels).numpy(), atol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "CMYK"])
def test_pixels_are_decoded_as_in_training(mode: str) -> None:
    values = np.random.default_rng(2).integers(0, 256, (90, 70, 4), dtype=np.uint8)
    picture = Image.fromarray(values).convert(mode)
    content = BytesIO()
    picture.save(content, "JPEG" if mode == "CMYK" else "PNG")
    with Image.open(BytesIO(content.getvalue())) as read:
        expected = to_pixels(read, 64, 96)
    np.testing.assert_array_equal(decode(content.getvalue(), 64, 96, 10_000), expected)


def test_explained_attention_is_the_models(directory: Path, checkpoint: CaptionCheckpoint) -> None:
    model = checkpoint.build_model()
    fold_normalization(model)
    rounded_to_halves(model)
    bundle = Bundle.load(directory, Runtime.start("cpu"))
    pixels = normalised(checkpoint.examples[:1].numpy())
    target = [BEGIN_ID, checkpoint.tag_ids["en"], 9, 12, 20, END_ID]
    inputs = {"pixels": pixels.numpy(), "target_ids": np.array([target])}
    log_probs, encoder, decoder, cross = bundle.explain.run(None, inputs)
    assert log_probs.shape == (1, 5)
    assert (encoder.shape[1], decoder.shape[1]) == (0, 0)
    assert cross.shape == (1, 1, 1, 5, 6)
    with torch.inference_mode():
        features = model.encode(pixels)
        _, attention = model.attend_and_tell(features, model.lengths(features), torch.tensor([target[:-1]]))
    np.testing.assert_allclose(cross[0, 0, 0], attention[0].numpy(), atol=1e-5)
    np.testing.assert_allclose(cross.sum(axis=-1), 1.0, atol=1e-5)


def test_a_bundle_of_other_weights_is_refused(directory: Path, checkpoint: CaptionCheckpoint) -> None:
    model = checkpoint.build_model()
    with torch.no_grad():
        model.output.bias[20] += 3.0
    found = samples(model, checkpoint.examples, list(checkpoint.tag_ids.values()))
    with pytest.raises(ParityError):
        check_caption_parity(Bundle.load(directory, Runtime.start("cpu")), model, model, found)


def test_a_convolution_is_stored_in_two_bytes_with_its_normalisation(tmp_path: Path) -> None:
    torch.manual_seed(0)
    block = ConvolutionBlock((24, 32), 3).eval()
    for values in (block.norm.weight.data, block.norm.running_mean, block.norm.running_var):
        values.uniform_(0.5, 2.0)
    pixels = torch.randn(2, 24, 8, 8)
    expected = block(pixels).detach()
    fold_normalization(block)
    np.testing.assert_allclose(block(pixels).detach(), expected, atol=1e-5)
    rounded_to_halves(block)
    write_graph(block, (pixels,), [{0: "batch"}], ["inputs"], ["outputs"], tmp_path / "graph.onnx")
    store_in_halves(tmp_path / "graph.onnx")
    kinds = {tuple(weight.dims): weight.data_type for weight in onnx.load(tmp_path / "graph.onnx").graph.initializer}
    assert kinds[32, 24, 3, 3] == TensorProto.FLOAT16
    np.testing.assert_allclose(_run(tmp_path / "graph.onnx", pixels), expected, atol=0.02)


def test_weights_are_stored_in_two_bytes_without_loss(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(40, 50), torch.nn.Linear(50, 30)).eval()
    rounded_to_halves(module[0])
    inputs = torch.randn(3, 40)
    path = tmp_path / "graph.onnx"
    write_graph(module, (inputs,), [{0: "rows"}], ["inputs"], ["outputs"], path)
    before = _run(path, inputs)
    num_bytes = path.stat().st_size
    store_in_halves(path)
    assert num_bytes - path.stat().st_size > 40 * 50 * 2 - 500
    kinds = {tuple(sorted(weight.dims)): weight.data_type for weight in onnx.load(path).graph.initializer}
    assert kinds[40, 50] == TensorProto.FLOAT16
    assert kinds[30, 50] == TensorProto.FLOAT  # would lose
    after = _run(path, inputs)
    np.testing.assert_array_equal(after, before)
    np.testing.assert_allclose(after, module(inputs).detach().numpy(), atol=1e-5)


def _run(path: Path, inputs: torch.Tensor) -> np.ndarray:
    session = Runtime.start("cpu").open(path.read_bytes(), str(path), "explain")
    outputs: np.ndarray = session.run(None, {"inputs": inputs.numpy()})[0]
    return outputs


def test_what_captions_cannot_be_exported_as(
    directory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(directory.parent / "captions.pt")
    assert main(["--from", "captions", path, str(tmp_path / "bundle"), "--precision", "int8"]) == 2
    assert "float32 or float16" in capsys.readouterr().err
    assert main(["--from", "captions", path, path, str(tmp_path / "bundle")]) == 2
    assert "takes one checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "bundle").exists()
