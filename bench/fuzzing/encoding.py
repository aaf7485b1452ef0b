"""The two encodings that protobuf writes messages with."""

from __future__ import annotations


def varint(value: int) -> bytes:
    """As protobuf writes numbers: seven bits a byte, the lowest first."""
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)


def length_delimited(number: int, content: bytes) -> bytes:
    """A field of a message's serialisation: a string, bytes or another message."""
    return varint(number << 3 | 2) + varint(len(content)) + content
