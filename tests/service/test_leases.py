"""Who holds a model, and when it is let go."""

from __future__ import annotations

import asyncio

import pytest

from service.api.leases import Leases
from service.errors import ModelUnloadedError


async def test_it_is_idle_when_the_last_has_let_go() -> None:
    leases = Leases()
    await leases.idle()
    with leases.hold():
        with leases.hold():
            assert leases.num_held == 2
            waiting = asyncio.create_task(leases.idle())
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
    assert leases.num_held == 0


async def test_an_error_lets_go() -> None:
    leases = Leases()
    with pytest.raises(ZeroDivisionError), leases.hold():
        _ = 1 / 0
    await leases.idle()


def test_a_retired_model_is_held_by_nobody_new() -> None:
    leases = Leases()
    with leases.hold():
        leases.retire()
        with pytest.raises(ModelUnloadedError), leases.hold():
            pass
        assert leases.num_held == 1
