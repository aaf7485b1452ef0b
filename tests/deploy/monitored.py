"""A replica, Envoy, Prometheus, Alertmanager and somebody who is told, all of them real, after some time under load."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.deploy.envoy_process import EnvoyProcess
from tests.deploy.monitoring import Alertmanager, Prometheus
from tests.deploy.prometheus_api import PrometheusApi
from tests.deploy.replica import BUNDLED_MODEL, Replica
from tests.deploy.traffic import MAX_ROWS, MAX_WAITING, Traffic, break_port
from tests.deploy.webhook import Webhook

START_SECONDS = 60.0


@dataclass(frozen=True)
class Monitored:
    """What runs, and when it was under load."""

    replica: Replica
    api: PrometheusApi
    webhook: Webhook
    broken_bundle: Path
    """Beside the one that is served."""
    begin: float
    end: float
    """Seconds since the epoch."""


@contextmanager
def monitored(directory: Path, load_seconds: float) -> Iterator[Monitored]:
    """Start everything, make trouble, load it for so long; the load is over inside the context."""
    models = directory / "models"
    shutil.copytree(BUNDLED_MODEL, models / BUNDLED_MODEL.name)
    flags = ["--max-rows", str(MAX_ROWS), "--max-waiting", str(MAX_WAITING), "--watch-seconds", "0.2"]
    with ExitStack() as stack:
        replica = stack.enter_context(Replica(*flags, models=models))
        envoy = stack.enter_context(EnvoyProcess([replica], directory))
        webhook = stack.enter_context(Webhook())
        alertmanager = stack.enter_context(Alertmanager(directory, webhook.address))
        targets = {"seq2serve": [replica.http_address], "envoy": [envoy.stats_address]}
        api = PrometheusApi(stack.enter_context(Prometheus(directory, targets, alertmanager.address)).address)
        eventually(lambda: len(api.at("up == 1")) == 4, "all four jobs are up")
        asyncio.run(break_port(replica.grpc_address))
        broken = models / "broken"
        broken.mkdir()
        (broken / "manifest.json").write_text("{}")
        begin = time.time()
        with Traffic(envoy.grpc_address, envoy.http_address):
            time.sleep(load_seconds)
            end = time.time()
        yield Monitored(replica, api, webhook, broken, begin, end)


def eventually(is_so: Callable[[], bool], what: str) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + START_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {START_SECONDS:.0f} s: {what}")
        time.sleep(0.1)
