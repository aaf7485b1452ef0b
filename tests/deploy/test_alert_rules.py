"""Prometheus' and Alertmanager's files: understood by their own programs, tested, and explained in the runbook."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.processes import REPOSITORY
from tests.deploy.monitoring import ALERTMANAGER, PROMETHEUS
from tests.deploy.programs import debian_program

TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOK = REPOSITORY / "docs" / "deploy" / "runbook.md"
ALWAYS = "AlwaysFiring"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")


def groups(file: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / file).read_text())["groups"]
    return found


ALERTS = {rule["alert"]: rule for group in groups("alerts.yml") for rule in group["rules"]}


def run(program: str, *arguments: str | Path) -> str:
    done = subprocess.run([debian_program(program), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.deploy
def test_prometheus_understands_its_configuration() -> None:
    assert "SUCCESS" in run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")


@pytest.mark.deploy
def test_alertmanager_understands_its_configuration() -> None:
    assert "SUCCESS" in run("amtool", "check-config", ALERTMANAGER)


@pytest.mark.deploy
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_alerts_fire_when_they_should(file: Path) -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", file)


@pytest.mark.deploy
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["severity=critical", "alertname=Seq2serveNoReadyReplica"], "on-call"),
        (["severity=warning", "alertname=Seq2serveReplicaDown"], "team"),
        (["severity=none", "alertname=AlwaysFiring"], "heartbeat"),
    ],
)
def test_alerts_go_to_who_is_to_be_told(labels: list[str], receiver: str) -> None:
    assert run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels).strip() == receiver


def test_every_alert_is_tested_both_ways() -> None:
    tests = [test for file in TESTS for test in yaml.safe_load(file.read_text())["tests"]]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == set(ALERTS)
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == set(ALERTS) - {ALWAYS}


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_what_to_do(name: str) -> None:
    alert = ALERTS[name]
    assert alert["labels"]["severity"] in (("none",) if name == ALWAYS else ("critical", "warning"))
    assert alert["annotations"].keys() == {"summary", "description", "runbook"}
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert (REPOSITORY / page, anchor) == (RUNBOOK, name.lower())
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL))
    assert name in sections, f"{RUNBOOK.name} has no section {name}"
    for part in ("**Means**", "**Look at**", "**Do**"):
        assert part in sections[name], f"{RUNBOOK.name}, section {name}: {part} is missing"


def test_the_runbook_has_no_section_of_an_alert_that_is_gone() -> None:
    assert set(re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)) == set(ALERTS)


def test_error_ratios_differ_in_their_windows_alone() -> None:
    found: dict[str, set[str]] = {}
    for rule in (rule for group in groups("recording.yml") for rule in group["rules"]):
        if (match := re.fullmatch(r"(seq2serve:slo_(?:requests|error_ratio|burn)):rate(\w+)", rule["record"])) is None:
            continue
        expression = rule["expr"].replace(f"[{match[2]}]", "[WINDOW]").replace(f":rate{match[2]}", ":rateWINDOW")
        found.setdefault(f"{match[1]} {rule.get('labels')} {expression}", set()).add(match[2])
    assert len(found) == 4
    assert all(windows == set(WINDOWS) for windows in found.values())
