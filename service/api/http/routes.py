"""Which RPC answers which method and path: as google.api.http says in the protos."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor

_TEMPLATE = re.compile(r"(/([\w.:-]+|\{[a-z_]+\}))+")
"""As much of the language of paths as the protos here use."""


@dataclass(frozen=True)
class Route:
    """One way to call an RPC."""

    method: str
    """GET or POST."""
    path: str
    """With fields of the request in braces, such as /v1/models/{name}."""
    rpc: MethodDescriptor
    is_body_whole: bool
    """Whether the body is the request; else there is none, and fields are in the query."""

    @property
    def rpc_path(self) -> str:
        """The RPC's full name, such as /seq2serve.v1.TranslationService/Translate."""
        return f"/{self.rpc.containing_service.full_name}/{self.rpc.name}"

    @property
    def request(self) -> Descriptor:
        """The RPC's request."""
        return self.rpc.input_type


def routes_of(services: Iterable[ServiceDescriptor]) -> Iterator[Route]:
    """The routes of all RPCs that have some.

    Raises:
        ValueError: an annotation says what the gateway does not know.
    """
    for service in services:
        for rpc in service.methods:
            if rpc.GetOptions().HasExtension(annotations_pb2.http):
                yield _route_of(rpc)


def _route_of(rpc: MethodDescriptor) -> Route:
    rule = rpc.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    path = getattr(rule, verb)
    is_known = (verb, rule.body) in (("get", ""), ("post", "*")) and not rule.additional_bindings
    if not is_known or not _TEMPLATE.fullmatch(path) or rpc.client_streaming:
        raise ValueError(f"{rpc.full_name}: the gateway does not know this google.api.http rule")
    return Route(verb.upper(), path, rpc, rule.body == "*")
