"""A gRPC server with one handler: it answers with the name of the client that Access let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from service.api.access.access import Access
from service.errors import ServiceError
from service.settings import Settings

METHOD = "/seq2serve.v1.TranslationService/Translate"


@asynccontextmanager
async def serving(credentials: grpc.ServerCredentials, access: Access | None = None) -> AsyncIterator[str]:
    """The address of the running server."""
    door = access or Access.of(Settings())

    async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        metadata: Any = context.invocation_metadata()
        try:
            with door.admit(METHOD, metadata, context.auth_context()) as admission:
                return admission.client.encode()
        except ServiceError as error:
            await context.abort(error.status, str(error))

    _, service, name = METHOD.split("/")
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {name: grpc.unary_unary_rpc_method_handler(answer)})]
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def connect(address: str, roots: bytes, key: bytes | None = None, certificate: bytes | None = None) -> grpc.aio.Channel:
    """A connection of its own, not one of another channel in this process."""
    credentials = grpc.ssl_channel_credentials(roots, key, certificate)
    return grpc.aio.secure_channel(address, credentials, options=[("grpc.use_local_subchannel_pool", 1)])


async def ask(channel: grpc.aio.Channel, token: str | None = None) -> str:
    """Who the server says is asking."""
    metadata = [("authorization", f"Bearer {token}")] if token else []
    answer: bytes = await channel.unary_unary(METHOD)(b"", metadata=metadata, timeout=10)
    return answer.decode()


async def refusal(channel: grpc.aio.Channel, token: str | None = None) -> tuple[grpc.StatusCode, str]:
    """The status that an RPC ends with."""
    try:
        client = await ask(channel, token)
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    raise AssertionError(f"let in as {client!r}")
