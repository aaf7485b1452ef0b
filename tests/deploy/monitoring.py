"""The real Prometheus and Alertmanager with the files that Compose mounts."""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from bench.processes import POLL_SECONDS, REPOSITORY, START_SECONDS, ServerProcess
from tests.deploy.ports import free_ports
from tests.deploy.programs import debian_program

PROMETHEUS = REPOSITORY / "deploy" / "prometheus"
ALERTMANAGER = REPOSITORY / "deploy" / "alertmanager" / "alertmanager.yml"
SECOND = "1s"


class Alertmanager(ServerProcess):
    """A context manager: inside, it listens at `address`, and tells `webhook` (host:port)."""

    def __init__(self, directory: Path, webhook: str) -> None:
        """`directory`: where its configuration and its data go."""
        config = directory / "alertmanager.yml"
        config.write_text(telling(ALERTMANAGER.read_text(), webhook))
        command = [str(debian_program("prometheus-alertmanager")), f"--config.file={config}"]
        command += [f"--storage.path={directory / 'alertmanager'}", "--cluster.listen-address="]
        command += [f"--web.listen-address=127.0.0.1:{free_ports(1)[0]}"]
        super().__init__(command, ready='msg="Listening on" address=')


class Prometheus(ServerProcess):
    """A context manager: inside, it has its configuration, and scrapes."""

    def __init__(self, directory: Path, targets: Mapping[str, Sequence[str]], alertmanager: str) -> None:
        """`targets`: host:port by job; `directory`: where its configuration, rules and data go."""
        listen = f"127.0.0.1:{free_ports(1)[0]}"
        for rules in ("recording.yml", "alerts.yml"):
            (directory / rules).write_text(hurried((PROMETHEUS / rules).read_text()))
        config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
        jobs = {**targets, "prometheus": [listen], "alertmanager": [alertmanager]}
        (directory / "prometheus.yml").write_text(yaml.safe_dump(on_this_machine(config, jobs)))
        command = [str(debian_program("prometheus")), f"--config.file={directory / 'prometheus.yml'}"]
        command += [f"--web.listen-address={listen}", f"--storage.tsdb.path={directory / 'data'}"]
        command += ["--enable-feature=exemplar-storage"]
        super().__init__(command, ready='msg="Start listening for connections" address=')

    def __enter__(self) -> Self:
        """Start, and wait until it has read its configuration."""
        super().__enter__()
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self._stop()
                raise RuntimeError("Prometheus is not ready")
            time.sleep(POLL_SECONDS)
        return self

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=10):
                return True
        except urllib.error.URLError:
            return False


def on_this_machine(config: dict[str, Any], jobs: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Prometheus' configuration with addresses of this machine, and a second between scrapes; nothing else changes."""
    for name in ("scrape_interval", "scrape_timeout", "evaluation_interval"):
        config["global"][name] = SECOND
    for scrape in config["scrape_configs"]:
        scrape.pop("dns_sd_configs", None)
        scrape["static_configs"] = [{"targets": list(jobs[scrape["job_name"]])}]
    for alertmanager in config["alerting"]["alertmanagers"]:
        alertmanager["static_configs"] = [{"targets": list(jobs["alertmanager"])}]
    return config


def hurried(rules: str) -> str:
    """Rules that fire after a second instead of minutes, all of them evaluated every second; nothing else changes."""
    return re.sub(r"^( +(?:for|interval)): \w+$", rf"\1: {SECOND}", rules, flags=re.MULTILINE)


def telling(config: str, webhook: str) -> str:
    """Alertmanager's configuration with a receiver of this machine, and without waiting; nothing else changes."""
    hurried_config = re.sub(r"^( +group_(?:wait|interval)): \w+$", rf"\1: {SECOND}", config, flags=re.MULTILINE)
    return hurried_config.replace("127.0.0.1:9999", webhook)
