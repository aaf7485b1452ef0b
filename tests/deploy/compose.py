"""docker-compose.yml as data."""

from __future__ import annotations

import re
from typing import Any

import yaml

from bench.processes import REPOSITORY

COMPOSE_FILE = REPOSITORY / "docker-compose.yml"


def compose_service(name: str) -> dict[str, Any]:
    """One of its services, with what it takes over from others."""
    found: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())["services"][name]
    return found


def service_environment() -> dict[str, str]:
    """What Compose tells the service where nobody sets a variable; its threads are this machine's concern."""
    environment = compose_service("service")["environment"]
    return {
        name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        for name, value in environment.items()
        if name != "SEQ2SERVE_NUM_THREADS"
    }
