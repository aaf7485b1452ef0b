"""The real Envoy with the file that Compose mounts."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import yaml

from bench.processes import POLL_SECONDS, REPOSITORY, START_SECONDS, ServerProcess
from tests.deploy.ports import free_ports
from tests.deploy.programs import envoy_program

CONFIG = REPOSITORY / "deploy" / "envoy" / "envoy.yaml"
DESCRIPTORS = REPOSITORY / "deploy" / "envoy" / "seq2serve.binpb"


class Upstream(Protocol):
    """What Envoy stands before."""

    grpc_port: int
    http_port: int


class EnvoyProcess(ServerProcess):
    """Envoy before some replicas; a context manager. `grpc_address`, `http_address`, `stats_address` are its ports."""

    def __init__(self, replicas: Sequence[Upstream], directory: Path) -> None:
        """`directory`: where the configuration goes."""
        grpc, http, stats, admin = free_ports(4)
        self.grpc_address, self.http_address = f"127.0.0.1:{grpc}", f"127.0.0.1:{http}"
        self.stats_address = f"127.0.0.1:{stats}"
        ports = {"grpc": grpc, "http": http, "stats": stats, "admin": admin}
        config = directory / "envoy.yaml"
        config.write_text(yaml.safe_dump(on_this_machine(yaml.safe_load(CONFIG.read_text()), replicas, ports)))
        command = [str(envoy_program()), "--config-path", str(config), "--disable-hot-restart", "--concurrency", "1"]
        super().__init__(command, ready="admin address: ")

    def __enter__(self) -> Self:
        """Start, and wait until it has looked at its replicas."""
        super().__enter__()
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def stats(self) -> dict[str, float]:
        """Counters and gauges by their name in Prometheus' format, labels included."""
        with urllib.request.urlopen(f"http://{self.stats_address}/stats/prometheus", timeout=10) as response:
            lines = response.read().decode().splitlines()
        return {
            name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] not in "# ")
        }

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://{self.stats_address}/ready", timeout=10):
                    return
            except OSError as error:  # it does not listen yet, or answers 503
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError(f"Envoy is not ready: {error}\n{self.output}") from None
            time.sleep(POLL_SECONDS)


def on_this_machine(config: dict[str, Any], replicas: Sequence[Upstream], ports: dict[str, int]) -> dict[str, Any]:
    """The configuration with addresses, ports and the path of this machine; nothing else of it changes.

    Args:
        config: deploy/envoy/envoy.yaml.
        replicas: what stands in the place of the host `service`.
        ports: by the name of the listener, and of `admin`.
    """
    config["admin"]["address"] = _address(ports["admin"])
    for listener in config["static_resources"]["listeners"]:
        listener["address"] = _address(ports[listener["name"]])
        for http_filter in listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]:
            if "proto_descriptor" in http_filter["typed_config"]:
                http_filter["typed_config"]["proto_descriptor"] = str(DESCRIPTORS)
    targets = {
        "service": [replica.grpc_port for replica in replicas],
        "service_http": [replica.http_port for replica in replicas],
        "admin": [ports["admin"]],
    }
    for cluster in config["static_resources"]["clusters"]:
        endpoints = [{"endpoint": {"address": _address(port)}} for port in targets[cluster["name"]]]
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
    return config


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
