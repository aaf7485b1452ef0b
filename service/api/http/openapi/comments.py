"""The comments of protos, by the full names of what they stand at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)

Path = tuple[int, ...]


def comments_of(files: Iterable[FileDescriptorProto]) -> dict[str, str]:
    """Comments on one line each; `files` have source information."""
    comments: dict[str, str] = {}
    for file in files:
        names = dict(_names(file))
        for location in file.source_code_info.location:
            name = names.get(tuple(location.path))
            if name is not None and location.leading_comments:
                comments[name] = " ".join(location.leading_comments.split())
    return comments


def _names(file: FileDescriptorProto) -> Iterator[tuple[Path, str]]:
    number = {field.name: field.number for field in FileDescriptorProto.DESCRIPTOR.fields}
    yield from _each(file.message_type, (number["message_type"],), file.package, _in_message)
    yield from _each(file.enum_type, (number["enum_type"],), file.package, _in_enum)
    yield from _each(file.service, (number["service"],), file.package, _in_service)


def _each(elements: Sequence[Any], path: Path, prefix: str, inside: Any = None) -> Iterator[tuple[Path, str]]:
    for index, element in enumerate(elements):
        place, name = (*path, index), f"{prefix}.{element.name}"
        yield place, name
        if inside is not None:
            yield from inside(element, place, name)


def _in_message(message: DescriptorProto, path: Path, name: str) -> Iterator[tuple[Path, str]]:
    yield from _each(message.field, (*path, DescriptorProto.FIELD_FIELD_NUMBER), name)
    yield from _each(message.nested_type, (*path, DescriptorProto.NESTED_TYPE_FIELD_NUMBER), name, _in_message)
    yield from _each(message.enum_type, (*path, DescriptorProto.ENUM_TYPE_FIELD_NUMBER), name, _in_enum)


def _in_enum(enum: EnumDescriptorProto, path: Path, name: str) -> Iterator[tuple[Path, str]]:
    yield from _each(enum.value, (*path, EnumDescriptorProto.VALUE_FIELD_NUMBER), name)


def _in_service(service: ServiceDescriptorProto, path: Path, name: str) -> Iterator[tuple[Path, str]]:
    yield from _each(service.method, (*path, ServiceDescriptorProto.METHOD_FIELD_NUMBER), name)
