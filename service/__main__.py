"""python -m service --models DIR: serve bundles until told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version

from service.api.server import Server
from service.errors import BundleError, MemoryBudgetError, SettingsError
from service.logs import set_up_logging
from service.settings import Settings, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; returns the exit code: 0 after SIGTERM or SIGINT, 2 where settings or models are wrong."""
    try:
        settings = load_settings(sys.argv[1:] if arguments is None else arguments)
        set_up_logging(settings)
        server = Server(settings, version("seq2serve"))
        asyncio.run(_serve(server, settings))
    except (BundleError, MemoryBudgetError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


async def _serve(server: Server, settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    starting = asyncio.create_task(server.start())
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, told}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        translations = await starting
        _announce(
            [
                f"gRPC on {server.grpc_address}, HTTP on http://{server.http_address} ({server.runtime.device})",
                *(f"{name}: {source} → {target}" for name, (source, target) in translations.items()),
            ]
        )
        await told
    starting.cancel()
    logging.getLogger(__name__).info("draining for at most %.0f s", settings.drain_seconds)
    await server.stop()


def _announce(lines: Iterable[str]) -> None:
    """Print; a standard output that takes nothing, as on a full disk, is no reason not to serve."""
    try:
        print("\n".join(lines), flush=True)
    except OSError as error:
        logging.getLogger(__name__).warning("standard output cannot be written: %s", error.strerror)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
