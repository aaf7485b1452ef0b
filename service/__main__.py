"""python -m service --models DIR: serve bundles until told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version

from service.api.server import Server
from service.errors import BundleError, SettingsError
from service.settings import Settings, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; returns the exit code: 0 after SIGTERM or SIGINT, 2 where settings or models are wrong."""
    try:
        settings = load_settings(sys.argv[1:] if arguments is None else arguments)
        logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        server = Server(settings, version("seq2serve"))
        asyncio.run(_serve(server, settings))
    except (BundleError, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


async def _serve(server: Server, settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    translations = await server.start()
    print(f"gRPC on {server.grpc_address}, HTTP on http://{server.http_address} ({server.runtime.device})")
    for name, (source, target) in translations.items():
        print(f"{name}: {source} → {target}")
    sys.stdout.flush()
    await stop.wait()
    logging.getLogger(__name__).info("draining for at most %.0f s", settings.drain_seconds)
    await server.stop()


if __name__ == "__main__":
    sys.exit(main())
