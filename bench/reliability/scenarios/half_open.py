"""Connections that say nothing, or begin and go no further, or vanish: others go on, and nothing is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.reliability.ground import Ground, Result
from bench.reliability.service_process import ServiceProcess
from bench.reliability.tally import Tally

NAME = "half_open"
NUM_CONNECTIONS = 400
CLEAN_SECONDS = 10.0
SPARE_FILES = 10
MAX_SLOWDOWN = 5.0

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, END_HEADERS = 4, 1, 4


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """An HTTP/2 frame (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header field that no table holds (RFC 7541, section 6.2.2); both shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


_FIELDS = literal(b":method", b"POST") + literal(b":scheme", b"http")
_FIELDS += literal(b":path", b"/seq2serve.v1.TranslationService/Translate") + literal(b":authority", b"localhost")
_FIELDS += literal(b"content-type", b"application/grpc") + literal(b"te", b"trailers")
_REQUEST = frame(HEADERS, END_HEADERS, 1, _FIELDS)

OPENINGS = {
    "nothing": b"",
    "half a preface": PREFACE[:10],
    "preface": PREFACE,
    "settings": PREFACE + frame(SETTINGS, 0, 0, b""),
    "headers without body": PREFACE + frame(SETTINGS, 0, 0, b"") + _REQUEST,
    "half of the headers": PREFACE + frame(SETTINGS, 0, 0, b"") + _REQUEST[: len(_REQUEST) // 2],
    "a body that stops": PREFACE + frame(SETTINGS, 0, 0, b"") + _REQUEST + frame(0, 0, 1, b"\0\0\0\1\0abc"),
    "noise": bytes(range(256)),
}


async def run(ground: Ground) -> Result:
    """All kinds in turn; every third is reset, the others stay open until the end."""
    tally = Tally()
    number = ground.amount(NUM_CONNECTIONS, 2 * NUM_CONNECTIONS)
    seconds = ground.amount(5.0, 30.0)
    async with ground.service(tally) as service:
        async with ground.bystanders(service.address) as before:
            await asyncio.sleep(seconds)
        num_files = service.num_open_files
        with _half_open(service.address, number):
            async with ground.bystanders(service.address) as beside:
                await asyncio.sleep(seconds)
            most_files = service.num_open_files
        left = await _files_left(service, num_files)
    if left > SPARE_FILES:
        tally.fault(f"{left} more files are open {CLEAN_SECONDS:g} s after the connections went")
    if beside.percentile(50) > MAX_SLOWDOWN * before.percentile(50):
        tally.fault(f"others' median {before.percentile(50):.0f} ms became {beside.percentile(50):.0f} ms")
    figures = f"{number} connections, {most_files - num_files} of them open at the end, {left} files left behind; "
    figures += f"others before: {before.figures()}; beside: {beside.figures()}"
    return Result(NAME, figures, (*tally.faults, *before.faults, *beside.faults))


async def _files_left(service: ServiceProcess, before: int) -> int:
    deadline = time.monotonic() + CLEAN_SECONDS
    while True:
        left = service.num_open_files - before
        if left <= 0 or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.1)


@contextmanager
def _half_open(address: str, number: int) -> Iterator[None]:
    host, _, port = address.rpartition(":")
    openings = list(OPENINGS.values())
    with contextlib.ExitStack() as stack:
        for index in range(number):
            connection = socket.create_connection((host, int(port)), timeout=10)
            connection.sendall(openings[index % len(openings)])
            if index % 3:
                stack.enter_context(connection)
            else:
                _reset(connection)
        yield


def _reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
