"""ONNX Runtime reports to its makers unless told otherwise; here it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LOADS_ONNX_RUNTIME = "from service.bundle.runtime import Runtime; print(Runtime.start('cpu').device)"


def test_nothing_is_kept_to_know_this_machine_again(tmp_path: Path) -> None:
    # By these it would notice that it is being tested, and keep quiet.
    unnoticed = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_CURRENT_TEST")}
    environment = unnoticed | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    program = [sys.executable, "-c", LOADS_ONNX_RUNTIME]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "cpu\n"
    assert list(tmp_path.iterdir()) == []
