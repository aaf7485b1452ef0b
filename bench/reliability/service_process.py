"""The service as it is really started, and what can be seen of it from outside."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench.processes import ServerProcess

IDLE_SECONDS = 10.0
POLL_SECONDS = 0.05
BUSY_METRICS = ("seq2serve_requests_running", "seq2serve_requests_waiting", "seq2serve_kv_cache_usage_ratio")


class ServiceProcess(ServerProcess):
    """`python -m service` on free ports, as a context manager; dead afterwards, however it was left."""

    def __init__(self, models: Path, *flags: str, grpc_address: str = "127.0.0.1:0") -> None:
        """`flags`: of the service; `grpc_address`: where one that was killed listened, to start it there again."""
        command = [sys.executable, "-m", "service", "--models", str(models.resolve())]
        command += ["--grpc-address", grpc_address, "--http-address", "127.0.0.1:0", *flags]
        super().__init__(command, ready="gRPC on ")

    @property
    def http_address(self) -> str:
        """HOST:PORT of /metrics."""
        found = re.search(r"HTTP on http://(\S+:\d+)", self.output)
        assert found is not None
        return found[1]

    @property
    def resident_bytes(self) -> int:
        """What it holds in memory now."""
        return resident_bytes(self._process.pid)

    @property
    def num_open_files(self) -> int:
        """Sockets included."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def exit_code(self, within_seconds: float) -> int | None:
        """How it ended: minus a number if by that signal; None if it still runs when the time is over."""
        try:
            return await asyncio.to_thread(self._process.wait, within_seconds)
        except subprocess.TimeoutExpired:
            return None

    async def metrics(self) -> dict[str, float]:
        """By name, the sum over all labels."""
        return await asyncio.to_thread(scrape, self.http_address)

    async def wait_until_idle(self, within_seconds: float = IDLE_SECONDS) -> str | None:
        """Wait until nothing waits and no row is held; what is still held when the time is over."""
        deadline = time.monotonic() + within_seconds
        while True:
            values = await self.metrics()
            held = {name: values[name] for name in BUSY_METRICS if values[name]}
            if not held:
                return None
            if time.monotonic() > deadline:
                return f"not idle after {within_seconds:g} s: {held}"
            await asyncio.sleep(POLL_SECONDS)


def scrape(http_address: str) -> dict[str, float]:
    """/metrics: by name, the sum over all labels."""
    with urllib.request.urlopen(f"http://{http_address}/metrics", timeout=30) as response:
        return read_metrics(response.read().decode())


def read_metrics(text: str) -> dict[str, float]:
    """Prometheus' text format: by name, the sum over all labels."""
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values[sample.name] = values.get(sample.name, 0.0) + sample.value
    return values


def resident_bytes(pid: int) -> int:
    """The resident set of a process."""
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None, "it does not run any more"
    return int(found[1]) * 1024


def free_address() -> str:
    """HOST:PORT where nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"
