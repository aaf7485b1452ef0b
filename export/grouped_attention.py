"""com.microsoft.GroupQueryAttention: ragged attention over a cache that is updated in place.

B batch, n rows, S source length, C cache capacity, H heads of queries, G heads of keys and values, W head width.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.onnx.ops import symbolic_multi_out

from export.quantization import RoundedStored
from training.attention import CrossAttention, SelfAttention


def cached_attention(inputs: tuple[Tensor | None, ...], attention: SelfAttention | CrossAttention) -> list[Tensor]:
    """Attend to the cached positions and the new one, if any, which the operator stores.

    Rows are ragged: each attends to its own positions, in the target and in the source.

    Args:
        inputs: query (n, 1, H W), or with key and value packed (n, 1, (H + 2 G) W); key and value (n, 0, G W) or none;
            past key and past value (n, G, C, W); positions before the last (n,); capacity C.
        attention: whose heads and scales they are.

    Returns:
        context (n, 1, H W) and the updated caches.
    """
    query, key, _, past_key, past_value, *_ = inputs
    assert query is not None
    assert past_key is not None
    assert past_value is not None
    attributes: dict[str, Any] = {"num_heads": attention.num_heads, "kv_num_heads": attention.num_key_value_heads}
    if key is not None:
        attributes["causal"] = 0
    if isinstance(attention.stored, RoundedStored):
        attributes |= {"k_quant_type": "PER_TENSOR", "v_quant_type": "PER_TENSOR", "kv_cache_bit_width": 8}
        scales = attention.stored.key_scale[None], attention.stored.value_scale[None]
        inputs = (*inputs, None, None, None, None, None, *scales)
    size = attention.num_heads * past_key.shape[3]
    return list(
        symbolic_multi_out(
            "com.microsoft::GroupQueryAttention",
            inputs,
            attributes,
            dtypes=(query.dtype, past_key.dtype, past_value.dtype),
            shapes=((query.shape[0], 1, size), past_key.shape, past_value.shape),
            version=1,
        )
    )


def whole_attention(projected: Tensor, num_before_last: Tensor, longest: Tensor, attention: SelfAttention) -> Tensor:
    """The same operator over whole ragged sequences, in both directions: (B, S, (H + 2 G) W) -> (B, S, H W)."""
    batch, length, size = projected.shape
    num_heads, num_key_value_heads = attention.num_heads, attention.num_key_value_heads
    width = size // (num_heads + 2 * num_key_value_heads)
    cache = (batch, num_key_value_heads, length, width)
    context, _, _ = symbolic_multi_out(
        "com.microsoft::GroupQueryAttention",
        (projected, None, None, None, None, num_before_last, longest),
        {"num_heads": num_heads, "kv_num_heads": num_key_value_heads, "causal": 0},
        dtypes=(projected.dtype,) * 3,
        shapes=((batch, length, num_heads * width), cache, cache),
        version=1,
    )
    return context
