"""The gRPC port: a server of grpc.aio, and another in its place should its loop end by an error.

grpc.aio 1.85 ends its loop when a client sends a path that is not UTF-8, and takes no more calls then, while the
process lives on: whoever reaches the port could silence it. RPCs that run finish on the old server; clients reconnect.
What ended leaves gRPC's memory in doubt (now and then an RPC that ran is lost, or its end is never told), so that after
many replacements the process should be started again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import grpc

from service.errors import SettingsError
from service.settings import split_address

logger = logging.getLogger(__name__)

REBIND_SECONDS = 0.1
MAX_REPLACEMENTS = 100
OLD_SERVER_SECONDS = 600.0
"""For RPCs that began before their server was replaced."""
_LOOP_NAME = "_server_main_loop"


class GrpcPort:
    """Bind it, start it, stop it."""

    def __init__(
        self,
        address: str,
        build: Callable[[], grpc.aio.Server],
        credentials: Callable[[], grpc.ServerCredentials | None],
        on_replaced: Callable[[], None],
    ) -> None:
        """What the port needs.

        Args:
            address: host:port; port 0 takes a free one.
            build: a new server with all its handlers.
            credentials: for one server each; None: plaintext.
            on_replaced: called when a server was replaced.
        """
        self.address = address
        self._build = build
        self._credentials = credentials
        self._on_replaced = on_replaced
        self._server = build()
        self._old: list[grpc.aio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._num_replacements = 0
        self._is_stopping = False

    @property
    def is_worn_out(self) -> bool:
        """Whether the process should be started again."""
        return self._num_replacements > MAX_REPLACEMENTS

    def bind(self) -> None:
        """Take the port; `address` has its number then.

        Raises:
            SettingsError: it cannot be taken.
        """
        credentials = self._credentials()
        try:
            if credentials is None:
                port = self._server.add_insecure_port(self.address)
            else:
                port = self._server.add_secure_port(self.address, credentials)
        except RuntimeError as error:
            raise SettingsError(f"grpc_address {self.address}: cannot listen there: {error}") from None
        host, _ = split_address("grpc_address", self.address)
        self.address = f"{f'[{host}]' if ':' in host else host}:{port}"

    async def start(self) -> None:
        """Serve."""
        loop = asyncio.get_running_loop()
        if loop.get_task_factory() is None:
            keep_tasks(loop)
        before = asyncio.all_tasks()
        await self._server.start()
        for task in asyncio.all_tasks() - before:
            if _LOOP_NAME in getattr(task.get_coro(), "__qualname__", ""):
                task.add_done_callback(self._note_end)

    async def stop(self, grace_seconds: float) -> None:
        """Take no more RPCs; those that run have so long."""
        self._is_stopping = True
        await asyncio.gather(*(server.stop(grace_seconds) for server in (self._server, *self._old)))

    def _note_end(self, _: asyncio.Task[None]) -> None:
        if self._is_stopping:
            return
        task = asyncio.get_running_loop().create_task(self._replace_or_give_up())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _replace_or_give_up(self) -> None:
        try:
            await self._replace()
        except Exception:
            logger.exception("the gRPC port cannot be served any more")
            self._num_replacements = MAX_REPLACEMENTS + 1

    async def _replace(self) -> None:
        logger.error("gRPC's server loop ended by an error; another takes its place")
        old = self._server
        self._old.append(old)
        self._server = self._build()
        while not self._is_stopping:
            try:
                self.bind()
                break
            except SettingsError:  # the old one has not let go of it yet
                await asyncio.sleep(REBIND_SECONDS)
        if not self._is_stopping:
            await self.start()
            self._num_replacements += 1
            self._on_replaced()
        await old.stop(OLD_SERVER_SECONDS)
        self._old.remove(old)


def keep_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Have the loop hold its tasks until they are done.

    asyncio does not, and grpc.aio holds those of its RPCs in the loop that may end: then they are garbage, and what
    gRPC's core calls back is freed memory.
    """
    tasks: set[asyncio.Task[Any]] = set()

    def create(loop: asyncio.AbstractEventLoop, coroutine: Any, **arguments: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(coroutine, loop=loop, **arguments)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    loop.set_task_factory(create)
