"""python -m bench.reliability.bundle_trial PRISTINE COPY: starts the service on damaged bundles, again and again.

Each line of standard input is a damage in JSON, each line of standard output what became of it. The texts to translate
and what they should become are in COPY.json.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from pathlib import Path

import grpc

from bench.reliability.calls import connected, translate
from bench.reliability.damage import Damage
from bench.reliability.questions import Kind, Question
from service.api.server import Server
from service.errors import BundleError, SettingsError
from service.settings import Settings

REFUSED, RIGHT, WRONG, FAILED, UNFORESEEN = "refused", "right", "wrong", "failed", "unforeseen"
"""With a sentence; served rightly; served wrongly; an error for every request; a traceback instead of a sentence."""


def main(pristine: Path, copy: Path) -> None:
    """Try damages until there are no more."""
    logging.disable()
    expected: dict[str, str] = json.loads(copy.with_suffix(".json").read_text())
    for line in sys.stdin:
        damage = Damage(**json.loads(line))
        damage.apply(pristine, copy)
        try:
            verdict, detail = asyncio.run(_try(copy, expected))
        finally:
            damage.undo(pristine, copy)
        print(json.dumps([verdict, detail]), flush=True)


async def _try(bundle: Path, expected: dict[str, str]) -> tuple[str, str]:
    settings = Settings(models=bundle, grpc_address="127.0.0.1:0", http_address="127.0.0.1:0", drain_seconds=0)
    async with contextlib.AsyncExitStack() as stack:
        try:
            server = Server(settings, "trial")
            stack.push_async_callback(_stop, server)
            await server.start()
        except (BundleError, SettingsError) as error:
            return REFUSED, str(error)
        except Exception as error:  # what it is, is the finding
            return UNFORESEEN, repr(error)
        async with connected(server.grpc_address) as stub:
            for text, translation in expected.items():
                try:
                    found = await translate(stub, Question(Kind.GREEDY, text), timeout_seconds=20)
                except grpc.aio.AioRpcError as error:
                    return FAILED, f"{error.code().name}: {error.details()}"
                if found != translation:
                    return WRONG, f"{text!r} gave {found!r}"
        return RIGHT, ""


async def _stop(server: Server) -> None:
    with contextlib.suppress(Exception):  # one that did not start cannot stop
        await server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
