"""One replica of the service: a process on ports of its own, which it keeps when it is started again."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.processes import REPOSITORY, ServerProcess
from tests.deploy.ports import free_ports

BUNDLED_MODEL = REPOSITORY / "models" / "en-ko-software"


class Replica(ServerProcess):
    """As a context manager: inside, it is ready; after, it is gone."""

    def __init__(self, *flags: str, models: Path = BUNDLED_MODEL, environment: Mapping[str, str] | None = None) -> None:
        """`flags`: of the service, beside its ports, its models and one thread."""
        self.grpc_port, self.http_port = free_ports(2)
        self.grpc_address, self.http_address = f"127.0.0.1:{self.grpc_port}", f"127.0.0.1:{self.http_port}"
        command = [sys.executable, "-m", "service", "--models", str(models.resolve()), "--num-threads", "1"]
        command += ["--grpc-address", self.grpc_address, "--http-address", self.http_address, *flags]
        super().__init__(command, ready="gRPC on ", environment=environment)

    def start_again(self) -> None:
        """At the same addresses; one that still runs is killed before."""
        self._stop()
        self.__enter__()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, within_seconds: float) -> int:
        """How it ended: minus a number if by that signal; raises subprocess.TimeoutExpired if it still runs then."""
        return self._process.wait(within_seconds)

    def _stop(self) -> None:
        """At once: what stopping does to calls, tests see that send the signal themselves."""
        self._process.kill()
        super()._stop()
