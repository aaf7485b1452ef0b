"""Small parts of ONNX graphs that are put together from others."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import ModelProto, NodeProto, OperatorSetIdProto, ValueInfoProto, helper


def same(name: str, other: str) -> NodeProto:
    """A node that gives a tensor a second name."""
    return helper.make_node("Identity", [name], [other])


def renamed(value: ValueInfoProto, name: str) -> ValueInfoProto:
    """An input or output of the same type and shape under another name."""
    copy = ValueInfoProto()
    copy.CopyFrom(value)
    copy.name = name
    return copy


def all_opsets(models: Iterable[ModelProto]) -> list[OperatorSetIdProto]:
    """The operator sets that any of the models needs."""
    versions = {entry.domain: entry.version for model in models for entry in model.opset_import}
    return [helper.make_opsetid(domain, version) for domain, version in versions.items()]
