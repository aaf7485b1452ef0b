from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.captioning import published_weights
from training.captioning.efficientnet import (
    ConvolutionBlock,
    EfficientNetLite,
    EfficientNetSettings,
    Stage,
    read_weights,
)
from training.errors import TrainingError


def test_lite0_reads_the_published_names_and_makes_a_grid(tmp_path: Path) -> None:
    settings = EfficientNetSettings()
    network = EfficientNetLite(settings).eval()
    published = published_weights(settings)
    torch.save(published, tmp_path / "weights.pth")
    network.load_state_dict(read_weights(tmp_path / "weights.pth"))
    assert sum(weight.numel() for weight in network.parameters()) == 4_652_008 - 1_281_000  # of which the classifier
    torch.testing.assert_close(network.stem.convolution.weight, published["_conv_stem.weight"])
    torch.testing.assert_close(network.blocks[15].project.norm.weight, published["_blocks.15._bn2.weight"])
    with torch.inference_mode():
        features = network(torch.randn(2, 3, 64, 96))
    assert features.shape == (2, 2 * 3, 1280)


def test_the_grid_goes_row_by_row() -> None:
    settings = EfficientNetSettings(stages=(Stage(num_blocks=1, kernel=3, stride=16, expansion=1, channels=8),))
    network = EfficientNetLite(settings).train()  # so that random weights leave something of the picture
    pixels = torch.randn(2, 3, 96, 128)
    with torch.no_grad():
        feature_map = network.head(network.blocks(network.stem(pixels)))  # (N, C, 3, 4)
        features = network(pixels)
    assert features.std() > 0.1
    for row, column in ((0, 3), (2, 0), (1, 2)):
        torch.testing.assert_close(features[:, row * 4 + column], feature_map[:, :, row, column])


@pytest.mark.parametrize(("kernel", "left"), [(3, 0), (5, 1)])
def test_padding_is_tensorflows(kernel: int, left: int) -> None:
    """With an even side and stride 2, SAME puts one row and column more on the right and below than on the left."""
    block = ConvolutionBlock((1, 1), kernel, stride=2, is_activated=False).eval()
    with torch.no_grad():
        block.convolution.weight.zero_()[0, 0, left, left] = 1.0
        block.norm.running_var.fill_(1 - block.norm.eps)
        picture = torch.arange(64.0).reshape(1, 1, 8, 8)
        torch.testing.assert_close(block(picture), picture[:, :, ::2, ::2])


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no weights at .*nowhere\.pth"):
        read_weights(tmp_path / "nowhere.pth")
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(TrainingError, match="holds no weights"):
        read_weights(tmp_path / "text.pth")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(TrainingError, match="no weights of EfficientNet-Lite0"):
        read_weights(tmp_path / "other.pth")
    with pytest.raises(ValueError, match="multiply to 16"):
        EfficientNetSettings(stages=EfficientNetSettings().stages[:3])
