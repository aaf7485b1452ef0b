"""Attacks below protobuf: what to write on a plain socket, piece by piece, to the gRPC port or the HTTP port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from bench.fuzzing.grpc_attacks import GRPC_ATTACKS
from bench.fuzzing.http_attacks import HTTP_ATTACKS

READ_SECONDS = 0.3
WRITE_SECONDS = 5.0
MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True)
class Attack:
    """What goes over one connection."""

    name: str
    pieces: tuple[bytes, ...]
    pause_seconds: float = 0.0
    """Between pieces."""
    is_reset: bool = False
    """Whether the connection ends with a reset after the last piece, without a look at the answer."""


async def deliver(attack: Attack, address: str) -> bytes:
    """Write the pieces and read what comes back until the other side closes or says nothing for READ_SECONDS.

    A server may close the connection whenever it has had enough, so failing reads and writes are an answer, too.

    Raises:
        OSError: the server does not accept connections.
        TimeoutError: it accepts connections, but neither reads nor closes.
    """
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = bytearray()
    try:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WRITE_SECONDS):
                for piece in attack.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(attack.pause_seconds)
            if not attack.is_reset:
                await _read(reader, answer)
    finally:
        if attack.is_reset:
            writer.transport.abort()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return bytes(answer)


async def _read(reader: asyncio.StreamReader, answer: bytearray) -> None:
    with contextlib.suppress(TimeoutError):
        while len(answer) < MAX_ANSWER_BYTES:
            async with asyncio.timeout(READ_SECONDS):
                part = await reader.read(1 << 16)
            if not part:
                return
            answer += part


def grpc_attack(random: Random) -> Attack:
    """Something for the gRPC port."""
    return _draw(GRPC_ATTACKS, random)


def http_attack(random: Random) -> Attack:
    """Something for the HTTP port."""
    return _draw(HTTP_ATTACKS, random)


def _draw(attacks: Mapping[str, Callable[[Random], list[bytes]]], random: Random) -> Attack:
    name = random.choice(sorted(attacks))
    pieces = attacks[name](random)
    is_half = random.random() < 0.2
    if is_half:
        pieces[-1] = pieces[-1][: random.randint(0, len(pieces[-1]))]
    pause = 0.005 if len(pieces) < 50 and random.random() < 0.2 else 0.0
    return Attack(name, tuple(pieces), pause, is_reset=random.random() < 0.3)
