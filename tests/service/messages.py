"""Requests that several tests send."""

from __future__ import annotations

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from tests import synthetic

EXACT = pb.ModelSelection(model="exact")
LONG = " ".join(synthetic.sentences(1, seed=5) * 40)


def option(**values: object) -> pb.TranslateRequest:
    """A request for one word with decoding options."""
    return pb.TranslateRequest(model_selection=EXACT, texts=["cat"], decoding=pb.DecodingOptions(**values))
