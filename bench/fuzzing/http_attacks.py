"""What to write to the HTTP port that a browser never would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from bench.fuzzing.grpc_attacks import garbage, random_frames


def _target(random: Random) -> list[bytes]:
    target = random.choice(
        (
            b"/../../../../etc/passwd",
            b"/%2e%2e/%2e%2e/etc/passwd",
            b"/metrics\x00",
            b"/%00%ff",
            b"",
            b"*",
            b"//x/metrics",
        )
    )
    return [b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n"]


def _method(random: Random) -> list[bytes]:
    method = random.choice((b"BREW", b"POST", b"PUT", b"DELETE", b"HEAD", b"TRACE", b"get", b"\x00", b"\xff\xfe"))
    version = random.choice((b"HTTP/1.1", b"HTTP/9.9", b"HTTP/1", b"", b"HTTP/-1.x"))
    return [
        method
        + b" /metrics "
        + version
        + b"\r\nContent-Length: "
        + random.choice((b"-1", b"x", b"9" * 30))
        + b"\r\n\r\n"
    ]


def _long_line(random: Random) -> list[bytes]:
    return [b"GET /", *([b"x" * 4096] * random.choice((1, 20, 100))), b" HTTP/1.1\r\n\r\n"]


def _header_flood(random: Random) -> list[bytes]:
    line = random.choice((b"X-%d: y\r\n", b"no colon %d\r\n", b"X-%d: " + b"z" * 5000 + b"\r\n"))
    return [b"GET /livez HTTP/1.1\r\n", *(line % index for index in range(random.choice((10, 99, 500)))), b"\r\n"]


def _slow(random: Random) -> list[bytes]:
    request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"[: random.randint(1, 40)]
    return [request[index : index + 1] for index in range(len(request))]


def _response_splitting(random: Random) -> list[bytes]:
    return [
        b"GET /livez%0d%0aX: y HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + garbage(random)[0]
    ]


_PATHS = (
    b"/v1/translate",
    b"/v1/translate:stream",
    b"/v1/attend",
    b"/v1/models:load",
    b"/translate",
    b"/detect",
    b"/languages",
)


def _post(random: Random, body: bytes) -> bytes:
    kinds = (b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x", b"\xff")
    length = random.choice((len(body), len(body), len(body) + 9, max(0, len(body) - 9)))
    return b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
        random.choice(_PATHS),
        random.choice((kinds[0], *kinds)),
        length,
        body,
    )


def _body(random: Random) -> list[bytes]:
    values = (b"[" * 5000, b'"\\ud800"', b"1e999", b"NaN", b"null", b'["cat"]', b'"cat"', b"{}", random.randbytes(20))
    names = (b"texts", b"text", b"source", b"target", b"decoding", b"q", b"format", b"modelSelection", b"directory")
    fields = b", ".join(
        b'"%s": %s' % (random.choice(names), random.choice(values)) for _ in range(random.randint(0, 4))
    )
    return [
        _post(
            random, random.choice((b"{%s}" % fields, b"{%s" % fields, b"q=%%ff&source=auto&" + fields, b"--x\r\n\r\n"))
        )
    ]


def _chunks(random: Random) -> list[bytes]:
    head = b"POST /v1/translate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return [
        head + b"Transfer-Encoding: chunked\r\n\r\n",
        *(b"%x\r\n%s\r\n" % (random.choice((0, 4, 4096, 2**40)), b"x" * 4096) for _ in range(30)),
    ]


def _pipelined(random: Random) -> list[bytes]:
    return [b"".join(_post(random, b'{"texts": ["cat"]}') for _ in range(random.randint(2, 40)))]


HTTP_ATTACKS: Mapping[str, Callable[[Random], list[bytes]]] = {
    "garbage": garbage,
    "target": _target,
    "method": _method,
    "long line": _long_line,
    "header flood": _header_flood,
    "slow": _slow,
    "response splitting": _response_splitting,
    "HTTP/2": random_frames,
    "body": _body,
    "chunks": _chunks,
    "pipelined": _pipelined,
}
