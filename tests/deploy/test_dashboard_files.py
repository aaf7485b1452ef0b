"""The dashboard is the one that its source writes, and Compose gives every program the file that was tested."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bench.processes import REPOSITORY
from tests.deploy.compose import COMPOSE_FILE, compose_service
from tests.deploy.dashboard import FILE, panels

PROVISIONING = REPOSITORY / "deploy" / "grafana" / "provisioning"
WATCHERS = ("prometheus", "alertmanager", "grafana", "jaeger")


@pytest.mark.deploy
def test_the_dashboard_is_what_its_source_writes(tmp_path: Path) -> None:
    output = tmp_path / "dashboard.json"
    subprocess.run([sys.executable, "-m", "deploy.grafana.dashboard", output], cwd=REPOSITORY, check=True)
    assert output.read_text() == FILE.read_text(), "run: python -m deploy.grafana.dashboard"


def test_every_panel_has_a_unit_and_a_place_of_its_own() -> None:
    found = list(panels())
    assert all(panel.unit and panel.targets for panel in found)
    assert len({str(panel) for panel in found}) == len(found)
    cells = [
        (column, line)
        for x, y, width, height in (panel.position for panel in found)
        for column in range(x, x + width)
        for line in range(y, y + height)
    ]
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) == 23


def mounts(service: str) -> dict[str, Path]:
    """What a container finds, by its path, of this repository."""
    volumes = (volume.split(":") for volume in compose_service(service)["volumes"])
    return {inside: REPOSITORY / outside for outside, inside, *_ in volumes if outside.startswith("./")}


@pytest.mark.parametrize("service", ["prometheus", "alertmanager", "grafana"])
def test_compose_mounts_what_is_there(service: str) -> None:
    assert all(path.exists() for path in mounts(service).values())


def test_programs_are_told_where_their_files_are() -> None:
    prometheus, alertmanager = mounts("prometheus"), mounts("alertmanager")
    assert "--config.file=/etc/prometheus/prometheus.yml" in compose_service("prometheus")["command"]
    assert "--config.file=/etc/alertmanager/alertmanager.yml" in compose_service("alertmanager")["command"]
    rules = yaml.safe_load(prometheus["/etc/prometheus/prometheus.yml"].read_text())["rule_files"]
    assert {f"/etc/prometheus/{rule}" for rule in rules} < prometheus.keys()
    assert alertmanager.keys() == {"/etc/alertmanager/alertmanager.yml"}
    [provider] = yaml.safe_load((PROVISIONING / "dashboards" / "seq2serve.yml").read_text())["providers"]
    home = compose_service("grafana")["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    dashboards = provider["options"]["path"]
    assert mounts("grafana")[dashboards] / "seq2serve.json" == FILE
    assert home == f"{dashboards}/{FILE.name}"


def test_programs_ask_each_other_by_their_names_in_compose() -> None:
    services = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    prometheus = (REPOSITORY / "deploy" / "prometheus" / "prometheus.yml").read_text()
    sources = (PROVISIONING / "datasources" / "sources.yml").read_text()
    asked = re.findall(r'"([a-z]+):\d+"', prometheus) + re.findall(r"http://([a-z]+):\d+", sources)
    assert set(asked) - {"localhost"} == {"envoy", "alertmanager", "prometheus", "jaeger"}
    assert set(asked) - {"localhost"} <= services.keys()


@pytest.mark.parametrize("service", WATCHERS)
def test_versions_are_pinned_and_ports_are_on_loopback(service: str) -> None:
    assert re.fullmatch(r"[\w/-]+:v?\d+\.\d+\.\d+", compose_service(service)["image"])
    assert all(port.startswith("127.0.0.1:") for port in compose_service(service)["ports"])
    assert compose_service(service)["read_only"]
