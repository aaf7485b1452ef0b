"""int8 layers whose result for one row never depends on the other rows of the batch.

Weights are signed, one scale per output channel. Activations are quantised as they come, one scale per row: stock
dynamic quantisation takes one scale over the whole batch, so that a translation changes with its neighbours.

N rows, K input size, M output size.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.onnx.ops import symbolic

LARGEST = 127.0
ZERO_POINT = 128  # of the unsigned activations, which run faster than signed ones on x86
SMALLEST_SCALE = 1e-8


def quantize_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """(M, K) -> int8 (M, K) and the scale of each row (M,), so that scale * int8 is close to the weight."""
    scale = (weight.abs().amax(dim=1) / LARGEST).clamp(min=SMALLEST_SCALE)
    return torch.round(weight / scale[:, None]).clamp(-LARGEST, LARGEST).to(torch.int8), scale


class QuantizedLinear(nn.Module):
    """A linear layer on int8 operands with int32 sums."""

    weight: Tensor
    weight_scale: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        quantized, scale = quantize_rows(linear.weight.detach())
        self.register_buffer("weight", quantized.t().contiguous())  # (K, M), as MatMul wants it
        self.register_buffer("weight_scale", scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())

    def forward(self, inputs: Tensor) -> Tensor:
        """(…, K) -> (…, M)."""
        rows = inputs.reshape(-1, inputs.shape[-1])  # (N, K)
        scale = (rows.abs().amax(dim=1) / LARGEST).clamp(min=SMALLEST_SCALE)  # (N,)
        is_exporting = torch.onnx.is_in_onnx_export()
        sums = self._onnx_product(rows, scale) if is_exporting else self._product(rows, scale)
        outputs = sums * scale[:, None]
        if self.bias is not None:
            outputs = outputs + self.bias
        return outputs.reshape(*inputs.shape[:-1], self.weight.shape[1])

    def _product(self, rows: Tensor, scale: Tensor) -> Tensor:
        quantized = torch.round(rows / scale[:, None]).clamp(-LARGEST, LARGEST)
        # float64 holds the int32 sums exactly.
        return (quantized.double() @ self.weight.double()).float() * self.weight_scale

    def _onnx_product(self, rows: Tensor, scale: Tensor) -> Tensor:
        zero_points = torch.full_like(scale, ZERO_POINT, dtype=torch.uint8)
        quantized = symbolic(
            "QuantizeLinear", (rows, scale, zero_points), {"axis": 0}, dtype=torch.uint8, shape=rows.shape, version=21
        )
        return symbolic(
            "com.microsoft::MatMulIntegerToFloat",
            (
                quantized,
                self.weight,
                torch.tensor(1.0),
                self.weight_scale,
                torch.tensor(ZERO_POINT, dtype=torch.uint8),
            ),
            dtype=torch.float32,
            shape=(rows.shape[0], self.weight.shape[1]),
            version=1,
        )


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


def quantize(model: nn.Module) -> nn.Module:
    """A copy of the model with every linear layer and embedding in int8."""
    quantized = copy.deepcopy(model)
    for module in list(quantized.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear):
                setattr(module, name, QuantizedLinear(child))
            elif isinstance(child, nn.Embedding):
                setattr(module, name, QuantizedEmbedding(child))
    return quantized.eval()
