"""python -m deploy.kubernetes.prometheus_rules: the rules of deploy/prometheus as objects of the Prometheus operator.

One object for each file, because group names are unique within one. Groups of other programs (Envoy, Prometheus itself)
stay behind: they belong to Compose, and a cluster's own monitoring has such of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

KUBERNETES = Path(__file__).resolve().parent
RULES = KUBERNETES.parent / "prometheus"
OUTPUT = KUBERNETES / "components" / "monitoring" / "prometheus-rules.yaml"
FILES = {"seq2serve-recording": "recording.yml", "seq2serve-alerts": "alerts.yml"}
OURS = "seq2serve"
HEADER = "# Made from deploy/prometheus by python -m deploy.kubernetes.prometheus_rules; a test holds it in step.\n"


class _Dumper(yaml.SafeDumper):
    """Text of several lines as it was written."""


def _represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent)


def text() -> str:
    """All objects as YAML."""
    objects = [_object(name, yaml.safe_load((RULES / file).read_text())) for name, file in FILES.items()]
    return HEADER + yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)


def _object(name: str, rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "seq2serve"}},
        "spec": {"groups": [group for group in rules["groups"] if group["name"].startswith(OURS)]},
    }


if __name__ == "__main__":
    OUTPUT.write_text(text())
