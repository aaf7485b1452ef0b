"""Every RPC that the server has, from the descriptors of the code generated for it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

import service.pb

RARE_METHODS = frozenset({"LoadModel", "UnloadModel"})
"""They change what is served, so they come now and then only."""


@dataclass(frozen=True)
class Method:
    """An RPC as clients see it."""

    path: str
    """`/package.Service/Method`."""
    request: Descriptor = field(repr=False)
    response: Descriptor = field(repr=False)
    is_request_stream: bool = False
    is_response_stream: bool = False
    is_ours: bool = True
    """Whether our code answers; health and reflection are gRPC's."""

    @property
    def name(self) -> str:
        """What stands after the service."""
        return self.path.rpartition("/")[2]


def every_method() -> list[Method]:
    """Those of our services, of health and of reflection."""
    found = [_method(method, is_ours=True) for one in _our_services() for method in one.methods]
    for module in (health_pb2, reflection_pb2):
        for one in module.DESCRIPTOR.services_by_name.values():
            found += [_method(method, is_ours=False) for method in one.methods]
    return found


def unknown_method(path: str) -> Method:
    """One that no server has; our server should say so in its own way."""
    return Method(path, Empty.DESCRIPTOR, Empty.DESCRIPTOR)


def _method(method: MethodDescriptor, is_ours: bool) -> Method:
    return Method(
        f"/{method.containing_service.full_name}/{method.name}",
        method.input_type,
        method.output_type,
        method.client_streaming,
        method.server_streaming,
        is_ours,
    )


def _our_services() -> Iterator[ServiceDescriptor]:
    for found in pkgutil.walk_packages(service.pb.__path__, "service.pb."):
        if found.name.endswith("_pb2"):
            yield from importlib.import_module(found.name).DESCRIPTOR.services_by_name.values()
