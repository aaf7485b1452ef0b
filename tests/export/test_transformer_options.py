from __future__ import annotations

from pathlib import Path

import pytest

from export.writer import ExportOptions, export
from service.bundle.manifest import load_manifest
from tests.export.checkpoints import make_checkpoint

TINY: dict[str, object] = {
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
    "model_size": 32,
    "feed_forward_size": 48,
    "num_heads": 4,
}
MODERN: dict[str, object] = {"normalization": "rms", "activation": "swiglu", "positions": "rotary"}


@pytest.mark.parametrize(
    ("precision", "changes"),
    [
        ("float32", {**MODERN, "num_key_value_heads": 2, "num_decoder_layers": 2}),
        pytest.param("int8", {**MODERN, "num_key_value_heads": 2, "norm": "post"}, marks=pytest.mark.slow),
        pytest.param(
            "float16",
            {"normalization": "rms", "activation": "gelu", "positions": "learned", "num_key_value_heads": 1},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_options_in_every_precision(tmp_path: Path, precision: str, changes: dict[str, object]) -> None:
    checkpoint = make_checkpoint(3, **(TINY | changes))  # type: ignore[arg-type]
    manifest = export(checkpoint, tmp_path / "bundle", ExportOptions(precision=precision))  # type: ignore[arg-type]
    assert manifest.parity.identical_translations == manifest.parity.num_sentences == 32
    assert manifest.parity.identical_beams == manifest.parity.num_beams == 8
    assert load_manifest(tmp_path / "bundle") == manifest
    caches = {array.shape[1] for array in manifest.state}
    assert caches == {changes["num_key_value_heads"]}
