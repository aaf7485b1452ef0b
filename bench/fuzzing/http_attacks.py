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


HTTP_ATTACKS: Mapping[str, Callable[[Random], list[bytes]]] = {
    "garbage": garbage,
    "target": _target,
    "method": _method,
    "long line": _long_line,
    "header flood": _header_flood,
    "slow": _slow,
    "response splitting": _response_splitting,
    "HTTP/2": random_frames,
}
