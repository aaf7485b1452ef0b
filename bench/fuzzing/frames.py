"""Pieces of HTTP/2 (RFC 9113) and of gRPC over it, put together without regard for what they may be together."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from bench.fuzzing.encoding import varint

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1

Header = tuple[bytes, bytes]


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame, its length told truly."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(pairs: Sequence[tuple[int, int]] = ()) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def hello() -> bytes:
    """What a client says first."""
    return PREFACE + settings()


def header_block(headers: Sequence[Header]) -> bytes:
    """HPACK (RFC 7541) in its simplest form: literals without indexing, no Huffman code."""
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in headers)


def call_headers(path: bytes, more: Sequence[Header] = ()) -> list[Header]:
    """The headers of a gRPC call."""
    return [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *more,
    ]


def call(stream: int, path: bytes, more: Sequence[Header] = (), flags: int = END_HEADERS) -> bytes:
    """A HEADERS frame that begins a gRPC call."""
    return frame(HEADERS, flags, stream, header_block(call_headers(path, more)))


def grpc_message(content: bytes, is_compressed: int = 0, length: int | None = None) -> bytes:
    """A message as gRPC prefixes it; `length` is what the prefix says where it is not the truth."""
    return struct.pack(">BI", is_compressed, len(content) if length is None else length) + content


def _string(text: bytes) -> bytes:
    most = 0x7F  # seven bits hold a length; what is more follows as protobuf would write it
    length = bytes([len(text)]) if len(text) < most else bytes([most]) + varint(len(text) - most)
    return length + text
