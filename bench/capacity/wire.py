"""What a sentence takes on the wire, and what a connection takes of memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc

CHUNK_BYTES = 65536
NUM_CONNECTIONS = 200


@dataclass
class Counted:
    """Bytes that went through, HTTP/2's own included, TCP/IP's not."""

    address: str = ""
    """Where to connect instead of to the server."""
    request_bytes: int = 0
    response_bytes: int = 0


@asynccontextmanager
async def counting(server: str) -> AsyncIterator[Counted]:
    """A relay in front of a server, HOST:PORT."""
    counted = Counted()

    def sent(number: int) -> None:
        counted.request_bytes += number

    def received(number: int) -> None:
        counted.response_bytes += number

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = server.rpartition(":")
        to_server, from_server = None, None
        from_server, to_server = await asyncio.open_connection(host, int(port))
        await asyncio.gather(_pass(reader, to_server, sent), _pass(from_server, writer, received))

    listener = await asyncio.start_server(relay, "127.0.0.1", 0)
    host, port = listener.sockets[0].getsockname()
    counted.address = f"{host}:{port}"
    try:
        yield counted
    finally:
        listener.close()
        await listener.wait_closed()


async def connection_bytes(server: str, resident_bytes: Callable[[], int]) -> float:
    """How much more memory the server holds for each of some idle connections."""
    before = resident_bytes()
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(server, options=options) for _ in range(NUM_CONNECTIONS)]
    try:
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        return max(0, resident_bytes() - before) / NUM_CONNECTIONS
    finally:
        await asyncio.gather(*(channel.close() for channel in channels))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: Callable[[int], None]) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            count(len(chunk))
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()
