"""gRPC's transport, seen from a socket: connections are asked whether they live, and grow only so old."""

from __future__ import annotations

import asyncio

from bench.fuzzing import frames
from tests.conftest import Serve


async def first_frame(address: str, kind: int, seconds: float) -> bytes:
    """The payload of the first frame of that kind that the server sends to a client that says nothing more."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(frames.hello())
    async with asyncio.timeout(seconds):
        while True:
            head = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == kind and not (kind == frames.PING and head[4] & frames.ACK):
                writer.close()
                return payload


async def test_a_silent_connection_is_asked_whether_it_lives(serve: Serve) -> None:
    async with serve(keepalive_seconds=1.0, keepalive_timeout_seconds=1.0) as (server, _):
        assert len(await first_frame(server.grpc_address, frames.PING, seconds=5)) == 8


async def test_a_connection_is_told_to_connect_again_when_it_is_old(serve: Serve) -> None:
    async with serve(max_connection_age_seconds=0.5) as (server, _):
        assert b"max_age" in await first_frame(server.grpc_address, frames.GOAWAY, seconds=5)
