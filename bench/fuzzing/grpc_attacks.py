"""What to write to the gRPC port that is no gRPC, or no HTTP/2, or too much of it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from random import Random

from bench.fuzzing import frames

PATH = b"/seq2serve.v1.TranslationService/Translate"


def garbage(random: Random) -> list[bytes]:
    return [random.randbytes(random.choice((1, 9, 24, 100, 5000))) for _ in range(random.randint(1, 3))]


def _http_1(random: Random) -> list[bytes]:
    method = random.choice((b"GET", b"POST", b"PRI", b"CONNECT", b"OPTIONS"))
    return [method + b" " + PATH + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n" + b"garbage\r\n"]


def random_frames(random: Random) -> list[bytes]:
    return [frames.hello(), *(_random_frame(random) for _ in range(random.randint(1, 30)))]


def _random_frame(random: Random) -> bytes:
    content = frames.frame(
        random.choice((*range(10), random.randrange(256))),
        random.randrange(256),
        random.choice((0, 1, 2, 3, 2**31 - 1, random.randrange(2**32))),
        random.randbytes(random.choice((0, 4, 5, 8, 100))),
    )
    if random.random() < 0.1:  # its length is a lie
        content = random.randbytes(3) + content[3:]
    return content


def _settings_flood(random: Random) -> list[bytes]:
    flood = b"".join(
        frames.settings([(random.choice((*range(8), 0xFFFF)), random.choice((0, 1, 2**31 - 1, 2**32 - 1)))])
        for _ in range(500)
    )
    return [frames.PREFACE + flood]


def _ping_flood(random: Random) -> list[bytes]:
    return [frames.hello() + b"".join(frames.frame(frames.PING, 0, 0, random.randbytes(8)) for _ in range(500))]


def _huge_headers(random: Random) -> list[bytes]:
    number, size = random.choice(((2000, 10), (20, 4000), (1, 16_000)))
    many = [(b"x-%d" % index, b"v" * size) for index in range(number)]
    block = frames.header_block(frames.call_headers(PATH, many))
    first, *rest = (block[begin : begin + 16_000] for begin in range(0, len(block), 16_000))
    pieces = [frames.hello(), frames.frame(frames.HEADERS, 0 if rest else frames.END_HEADERS, 1, first)]
    for index, part in enumerate(rest, 1):
        pieces.append(frames.frame(frames.CONTINUATION, frames.END_HEADERS if index == len(rest) else 0, 1, part))
    return pieces


def _continuation_flood(random: Random) -> list[bytes]:
    empty = frames.frame(frames.CONTINUATION, 0, 1, random.choice((b"", frames.header_block([(b"x", b"y")]))))
    return [frames.hello() + frames.call(1, PATH, flags=0), *([empty * 200] * 5)]


def _rapid_reset(random: Random) -> list[bytes]:
    reset = struct.pack(">I", random.choice((0, 8)))  # NO_ERROR or CANCEL
    calls = (
        frames.call(stream, PATH) + frames.frame(frames.RST_STREAM, 0, stream, reset)
        for stream in range(1, 2 * random.choice((10, 300)), 2)
    )
    return [frames.hello() + b"".join(calls)]


def _window_update(random: Random) -> list[bytes]:
    increment = struct.pack(">I", random.choice((0, 2**31 - 1, 2**32 - 1)))
    updates = frames.frame(frames.WINDOW_UPDATE, 0, random.choice((0, 1)), increment)
    return [frames.hello() + frames.call(1, PATH), updates * random.choice((1, 3))]


def _no_window(_: Random) -> list[bytes]:
    starved = frames.PREFACE + frames.settings([(4, 0)])  # the answer may not be sent
    message = frames.grpc_message(b"\x12\x04file")
    return [starved + frames.call(1, PATH), frames.frame(frames.DATA, frames.END_STREAM, 1, message)]


def _unknown_streams(random: Random) -> list[bytes]:
    streams = (random.choice((0, 2, 7, 2**31 - 1)) for _ in range(20))
    return [frames.hello() + b"".join(frames.frame(frames.DATA, 0, stream, b"data") for stream in streams)]


def _wrong_prefix(random: Random) -> list[bytes]:
    length = random.choice((0, 1, 2**16, 2**31 - 1, 2**32 - 1))
    message = frames.grpc_message(b"\x12\x04file", random.choice((0, 0, 2, 255)), length)
    flags = random.choice((0, frames.END_STREAM))
    return [frames.hello() + frames.call(1, PATH), frames.frame(frames.DATA, flags, 1, message)]


def _false_compression(random: Random) -> list[bytes]:
    encoding = random.choice((b"gzip", b"deflate", b"identity", b"snappy", b""))
    message = frames.grpc_message(random.randbytes(40), is_compressed=1)
    headers = frames.call(1, PATH, [(b"grpc-encoding", encoding)])
    return [frames.hello() + headers, frames.frame(frames.DATA, frames.END_STREAM, 1, message)]


def _strange_call(random: Random) -> list[bytes]:
    path = random.choice((b"", b"*", b"/", b"//", b"/a/b/c", PATH + b"\x00", b"/" + b"x" * 5000))
    more = [
        (b"grpc-timeout", random.choice((b"", b"-1S", b"99999999999H", b"1X", b"0n"))),
        (b"content-type", random.choice((b"text/plain", b"application/grpc+json", b"\x00"))),
        (random.choice((b"X-Upper", b":late", b"", b"x-junk-bin")), random.randbytes(9)),
    ]
    begin = frames.call(1, path, random.sample(more, k=random.randint(0, 3)))
    return [frames.hello() + begin, frames.frame(frames.DATA, frames.END_STREAM, 1, frames.grpc_message(b""))]


def path_not_utf8(random: Random) -> list[bytes]:
    # grpcio 1.85: ends the loop in which grpc.aio accepts calls, and thereby every call of everybody.
    return [frames.hello() + frames.call(1, random.choice((b"\xff", b"/\xc0\xaf/x", PATH + b"\xed\xa0\x80")))]


GRPC_ATTACKS: Mapping[str, Callable[[Random], list[bytes]]] = {
    "garbage": garbage,
    "HTTP/1": _http_1,
    "random frames": random_frames,
    "settings flood": _settings_flood,
    "ping flood": _ping_flood,
    "huge headers": _huge_headers,
    "continuation flood": _continuation_flood,
    "rapid reset": _rapid_reset,
    "window update": _window_update,
    "no window": _no_window,
    "unknown streams": _unknown_streams,
    "wrong prefix": _wrong_prefix,
    "false compression": _false_compression,
    "strange call": _strange_call,
}
