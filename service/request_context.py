"""What is known of the RPC that code runs for: who asks, by what name its lines are found in logs and traces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass

from service.tracing import NO_SPAN, RpcSpan


def _spend_nothing(num_source_tokens: int) -> None:
    """Nobody counts."""


async def _wait_for_nothing() -> None:
    """Nobody has to wait."""


def _choose_nothing(model: str) -> None:
    """Nobody asks."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Of one RPC; empty outside of one, as in a warm-up."""

    request_id: str = ""
    """As the client named it in x-request-id, or made here."""
    client: str = ""
    """The client's name in the clients file; empty: anonymous."""
    span: RpcSpan = NO_SPAN
    """Where traces of the RPC go."""
    spend: Callable[[int], None] = _spend_nothing
    """Counts source tokens against the client's quota."""
    wait: Callable[[], Awaitable[None]] = _wait_for_nothing
    """Waits until the client's quota has room for more."""
    choose_model: Callable[[str], None] = _choose_nothing
    """Tells which model answers, by name."""


_NONE = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("request_context", default=_NONE)


def current() -> RequestContext:
    """Of the RPC that is being answered; tasks and threads started for it inherit it."""
    return _current.get()


def enter(context: RequestContext) -> None:
    """Make it the current one, in this task and those it starts."""
    _current.set(context)
