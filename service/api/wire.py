"""Requests that protobuf cannot parse: which field is to blame.

gRPC answers a message that does not parse with INTERNAL. A string that is not UTF-8 is the client's mistake, though,
and the client should learn which field it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from service.errors import InvalidRequestError

MAX_FIELDS_SEARCHED = 10_000
"""Looking further would hold up everybody else."""
_VARINT, _FIXED64, _LENGTH_DELIMITED, _FIXED32 = 0, 1, 2, 5


def parser(parse: Callable[[bytes], Message], descriptor: Descriptor, max_bytes: int) -> Callable[[bytes], Message]:
    """A deserializer that raises InvalidRequestError for what is too long or does not parse."""

    def deserialize(content: bytes) -> Message:
        if len(content) > max_bytes:
            raise InvalidRequestError.of(descriptor.name, f"{len(content)} bytes; limit {max_bytes}")
        try:
            return parse(content)
        except DecodeError:
            field = find_invalid_string(content, descriptor)
            if field is None:
                raise InvalidRequestError.of(descriptor.name, "is not a valid protobuf message") from None
            raise InvalidRequestError.of(field, "is not valid UTF-8") from None

    return deserialize


def find_invalid_string(content: bytes, descriptor: Descriptor) -> str | None:
    """The path of the first string field that is not UTF-8, such as `texts[1]`; None where none is, or too late."""
    try:
        return _find(content, descriptor, "", iter(range(MAX_FIELDS_SEARCHED)))
    except (IndexError, ValueError):
        return None


def _find(content: bytes, descriptor: Descriptor, prefix: str, budget: Iterator[int]) -> str | None:
    seen: Counter[int] = Counter()
    for number, value in _fields(content):
        if next(budget, None) is None:
            return None
        field = descriptor.fields_by_number.get(number)
        if field is None or value is None:
            continue
        index = f"[{seen[number]}]" if field.is_repeated else ""
        seen[number] += 1
        path = f"{prefix}{field.name}{index}"
        if field.type == FieldDescriptor.TYPE_STRING and not _is_utf8(value):
            return path
        if field.message_type is not None:
            found = _find(value, field.message_type, f"{path}.", budget)
            if found is not None:
                return found
    return None


def _fields(content: bytes) -> Iterator[tuple[int, bytes | None]]:
    """Field numbers with the content of length-delimited fields, None for others."""
    position = 0
    while position < len(content):
        key, position = _varint(content, position)
        number, kind = key >> 3, key & 7
        if kind == _LENGTH_DELIMITED:
            length, position = _varint(content, position)
            yield number, content[position : position + length]
            position += length
            continue
        if kind == _VARINT:
            _, position = _varint(content, position)
        elif kind in (_FIXED32, _FIXED64):
            position += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        yield number, None


def _varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
