"""Requests that several tests send."""

from __future__ import annotations

from typing import Any

import grpc
from google.rpc import status_pb2

from service.api.status import DETAILS_KEY
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from tests import synthetic

EXACT = pb.ModelSelection(model="exact")
CAT = pb.TranslateRequest(texts=["cat"], model_selection=EXACT)
LONG = " ".join(synthetic.sentences(1, seed=5) * 40)


def option(**values: object) -> pb.TranslateRequest:
    """A request for one word with decoding options."""
    return pb.TranslateRequest(model_selection=EXACT, texts=["cat"], decoding=pb.DecodingOptions(**values))


def detail(error: grpc.aio.AioRpcError, kind: Any) -> Any:
    """The detail of that kind in an error's rich status."""
    trailers = dict(error.trailing_metadata() or ())
    message = kind()
    status = status_pb2.Status.FromString(trailers[DETAILS_KEY])
    assert any(one.Unpack(message) for one in status.details), f"no {kind.__name__}"
    return message
