"""int8 layers and caches whose result for one row never depends on the other rows of the batch.

Weights are signed, one scale per output channel. Activations, and the keys and values that a decoder keeps, have fixed
scales found by calibration: stock dynamic quantisation takes one scale over the whole batch, so that a translation
changes with its neighbours.

K input size, M output size.
"""

from __future__ import annotations

import copy
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.onnx.ops import symbolic

from export.calibration import Ranges
from training.feed_forward import FeedForward
from training.seq2seq import Seq2Seq
from training.transformer import DecoderLayer

LARGEST = 127.0
MIDDLE = 128  # zero point of unsigned activations, which run faster than signed ones on x86
SMALLEST_SCALE = 1e-8


def quantize(model: Seq2Seq[Any], ranges: Ranges) -> Seq2Seq[Any]:
    """A copy of the model with every linear layer, embedding and decoder cache in int8."""
    quantized = copy.deepcopy(model)
    for name in _caches(quantized):
        _replace(quantized, name, RoundedStored(*ranges.stored[name]))
    for name, module in list(quantized.named_modules()):
        if isinstance(module, nn.Linear):
            is_after_relu = _is_relu_network(_parent(quantized, name)) and name.endswith("output")
            _replace(quantized, name, QuantizedLinear(module, ranges.inputs[name], is_after_relu))
        elif isinstance(module, nn.Embedding):
            _replace(quantized, name, QuantizedEmbedding(module))
    for name, module in list(quantized.named_modules()):
        if _is_relu_network(module):
            _replace(quantized, name, QuantizedFeedForward(module))
    return quantized.eval()


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(M, K) -> int8 (M, K) and the scale of each row (M,), so that scale * int8 is close to the weight."""
    scale = (weight.abs().amax(dim=1) / LARGEST).clamp(min=SMALLEST_SCALE)
    return torch.round(weight / scale[:, None]).clamp(-LARGEST, LARGEST).to(torch.int8), scale


class QuantizedLinear(nn.Module):
    """A linear layer on int8 operands with int32 sums."""

    weight: Tensor
    weight_scale: Tensor
    bias: Tensor | None
    input_scale: Tensor
    zero_point: Tensor

    def __init__(self, linear: nn.Linear, largest_input: float, is_after_relu: bool = False) -> None:
        """`is_after_relu`: inputs are never negative, or their negative part is to be cut: 8 bits for the positive."""
        super().__init__()
        quantized, scale = quantize_rows(linear.weight.detach())
        self.register_buffer("weight", quantized.t().contiguous())  # (K, M), as MatMul wants it
        self.register_buffer("weight_scale", scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())
        steps = LARGEST + MIDDLE if is_after_relu else LARGEST
        self.register_buffer("input_scale", torch.tensor(max(largest_input / steps, SMALLEST_SCALE)))
        self.register_buffer("zero_point", torch.tensor(0 if is_after_relu else MIDDLE, dtype=torch.uint8))

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, K) -> (…, M)."""
        if torch.onnx.is_in_onnx_export():
            return self._onnx_product(inputs)
        zero_point = int(self.zero_point)
        quantized = torch.round(inputs / self.input_scale).clamp(-zero_point, 255 - zero_point)
        # float64 holds the int32 sums exactly.
        sums = (quantized.double() @ self.weight.double()).float()
        outputs: Tensor = sums * (self.input_scale * self.weight_scale)
        return outputs if self.bias is None else outputs + self.bias

    def _onnx_product(self, inputs: Tensor) -> Tensor:
        quantized = symbolic(
            "QuantizeLinear",
            (inputs, self.input_scale, self.zero_point),
            dtype=torch.uint8,
            shape=inputs.shape,
            version=21,
        )
        operands = [quantized, self.weight, self.input_scale, self.weight_scale, self.zero_point]
        if self.bias is not None:
            operands += [None, self.bias]  # type: ignore[list-item]
        return symbolic(
            "com.microsoft::MatMulIntegerToFloat",
            operands,
            dtype=torch.float32,
            shape=(*inputs.shape[:-1], self.weight.shape[1]),
            version=1,
        )


class RoundedStored(nn.Module):
    """Keys and values as they come back from a decoder's cache in int8, one scale for each of the two."""

    key_scale: Tensor
    value_scale: Tensor

    def __init__(self, largest_key: float, largest_value: float) -> None:
        super().__init__()
        self.register_buffer("key_scale", torch.tensor(max(largest_key / LARGEST, SMALLEST_SCALE)))
        self.register_buffer("value_scale", torch.tensor(max(largest_value / LARGEST, SMALLEST_SCALE)))

    def forward(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """See `Stored`."""
        return _snap(key, self.key_scale), _snap(value, self.value_scale)


class QuantizedEmbedding(nn.Module):
    """An embedding table in int8, one scale per token."""

    weight: Tensor
    weight_scale: Tensor

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        quantized, scale = quantize_rows(embedding.weight.detach())
        self.register_buffer("weight", quantized)
        self.register_buffer("weight_scale", scale)

    def forward(self, token_ids: Tensor) -> Tensor:
        """(…) ids -> (…, D)."""
        return self.weight[token_ids].float() * self.weight_scale[token_ids][..., None]


class QuantizedFeedForward(nn.Module):
    """Two quantised layers; the second one's input has no negative values, which is the ReLU between them."""

    def __init__(self, feed_forward: FeedForward) -> None:
        super().__init__()
        self.inner = feed_forward.inner
        self.output = feed_forward.output

    def forward(self, states: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D)."""
        output: Tensor = self.output(self.inner(states))
        return output


def to_cache(values: Tensor, scale: Tensor) -> Tensor:
    """Values as int8, for export."""
    zero_point = torch.tensor(0, dtype=torch.int8)
    return symbolic("QuantizeLinear", (values, scale, zero_point), dtype=torch.int8, shape=values.shape, version=21)


def _snap(values: Tensor, scale: Tensor) -> Tensor:
    """To int8 and back."""
    if not torch.onnx.is_in_onnx_export():
        return torch.round(values / scale).clamp(-LARGEST - 1, LARGEST) * scale
    operands = (to_cache(values, scale), scale, torch.tensor(0, dtype=torch.int8))
    return symbolic("DequantizeLinear", operands, dtype=torch.float32, shape=values.shape, version=21)


def _caches(model: nn.Module) -> list[str]:
    """Names of what stands for decoder caches."""
    layers = [name for name, module in model.named_modules() if isinstance(module, DecoderLayer)]
    return [f"{name}.{attention}.stored" for name in layers for attention in ("self_attention", "cross_attention")]


def _is_relu_network(module: nn.Module) -> TypeGuard[FeedForward]:
    return isinstance(module, FeedForward) and module.activation == "relu"


def _parent(model: nn.Module, name: str) -> nn.Module:
    return model.get_submodule(name.rpartition(".")[0])


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    setattr(_parent(model, name), name.rpartition(".")[2], module)
