"""Ports of this machine that are free."""

from __future__ import annotations

import contextlib
import socket


def free_ports(number: int) -> list[int]:
    """As many different ones of 127.0.0.1 where nothing listens."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]
