"""One RPC as it is sent, byte for byte, and what came of it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from bench.fuzzing.methods import Method

CALL_SECONDS = 30.0
"""Every RPC has ended by then, or the server has forgotten it."""

CLIENT_MESSAGES = frozenset({"Internal error from Core", "Locally cancelled by application!"})
"""What grpc.aio says on our side where the end of an RPC comes between the messages that we send."""

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True)
class Call:
    """An RPC to be made."""

    method: Method
    requests: tuple[bytes, ...]
    """Serialised, or what pretends to be; a stream may have none."""
    metadata: Metadata = ()
    deadline_seconds: float | None = None
    cancel_after_seconds: float | None = None
    pause_seconds: float = 0.0
    """Between the requests of a stream."""

    @property
    def is_streamed(self) -> bool:
        """Whether the requests are sent as a stream, be it in the wrong place."""
        return self.method.is_request_stream or len(self.requests) != 1


@dataclass(frozen=True)
class Outcome:
    """How an RPC ended."""

    code: grpc.StatusCode
    message: str
    trailers: Metadata
    responses: tuple[bytes, ...]
    is_stuck: bool
    """Whether it had to be cancelled after CALL_SECONDS."""

    @property
    def is_lost(self) -> bool:
        """Whether the status is not the server's, which nobody will know."""
        return self.message in CLIENT_MESSAGES

    @property
    def name(self) -> str:
        """What to count it as."""
        return f"{self.code.name} here" if self.is_lost else self.code.name


class Caller:
    """Makes calls, taking turns between several connections."""

    def __init__(self, channels: Sequence[grpc.aio.Channel]) -> None:
        self._channels = itertools.cycle(channels)

    async def run(self, call: Call) -> Outcome:
        """Make the call and see it end."""
        under_way = self._start(call)
        stuck: list[bool] = []

        def give_up() -> None:
            stuck.append(True)
            under_way.cancel()

        loop = asyncio.get_running_loop()
        timers = [loop.call_later(CALL_SECONDS, give_up)]
        if call.cancel_after_seconds is not None:
            timers.append(loop.call_later(call.cancel_after_seconds, under_way.cancel))
        responses: list[bytes] = []
        try:
            if hasattr(under_way, "__aiter__"):
                async for response in under_way:
                    responses.append(response)  # noqa: PERF401 - those before a failure count
            else:
                responses.append(await under_way)
        except grpc.aio.AioRpcError:
            pass  # its status is read below, as that of every other
        except asyncio.CancelledError:
            if not under_way.cancelled():
                raise
        finally:
            for timer in timers:
                timer.cancel()
        return Outcome(
            await under_way.code(),
            await under_way.details() or "",
            tuple(await under_way.trailing_metadata() or ()),
            tuple(responses),
            bool(stuck),
        )

    def _start(self, call: Call) -> Any:
        channel: Any = next(self._channels)  # its stubs know no multicallables of bytes
        path = call.method.path
        options: dict[str, Any] = {"metadata": call.metadata, "timeout": call.deadline_seconds}
        if call.is_streamed:
            return channel.stream_stream(path)(_paced(call), **options)
        if call.method.is_response_stream:
            return channel.unary_stream(path)(call.requests[0], **options)
        return channel.unary_unary(path)(call.requests[0], **options)


async def _paced(call: Call) -> AsyncIterator[bytes]:
    for request in call.requests:
        yield request
        if call.pause_seconds:
            await asyncio.sleep(call.pause_seconds)
