"""What Attend tells of a Transformer, compared with PyTorch; for recurrent models see test_rnn_export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from tests.conftest import Serve
from tests.export.attended import attend, ids, weights_of
from training.checkpoint import Checkpoint
from training.vocabulary import BEGIN_ID


async def test_a_transformers_weights_are_pytorchs(
    serve: Serve, synthetic_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as (_, channel):
        response = await attend(channel, "exact", "red cat sees %s and old bird", "")
    checkpoint = Checkpoint.load(synthetic_run / "averaged.pt")
    source = ids(checkpoint.source_vocabulary, response.source_tokens)
    target = ids(checkpoint.target_vocabulary, response.target_tokens)
    seen: list[torch.Tensor] = []
    original = functional.scaled_dot_product_attention

    def watched(query: Any, key: Any, value: Any, mask: Any, dropout: float, is_causal: bool = False) -> Any:
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        if is_causal:
            scores = scores.masked_fill(torch.ones(scores.shape[-2:]).triu(1).bool(), -torch.inf)
        elif mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        context = original(query, key, value, mask, dropout, is_causal)
        torch.testing.assert_close(scores.softmax(-1) @ value, context)  # these are the weights that it used
        seen.append(scores.softmax(-1)[0])
        return context

    monkeypatch.setattr(functional, "scaled_dot_product_attention", watched)
    with torch.inference_mode():
        inputs = torch.tensor([[BEGIN_ID, *target[:-1]]])
        checkpoint.build_model()(torch.tensor([source]), torch.tensor([len(source)]), inputs)
    assert len(seen) == 6  # two layers of the encoder, then self- and cross-attention of two of the decoder
    for kind, expected in (
        (pb.ATTENTION_KIND_ENCODER_SELF, seen[:2]),
        (pb.ATTENTION_KIND_DECODER_SELF, seen[2::2]),
        (pb.ATTENTION_KIND_CROSS, seen[3::2]),
    ):
        found = weights_of(response, kind)
        np.testing.assert_allclose(found, torch.cat(expected).numpy(), atol=1e-5)
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
