"""The command, as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

import service.__main__

COMMAND = [sys.executable, "-m", "service", "--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"]


def test_it_says_where_it_listens_and_stops_when_told(models: Path) -> None:
    with subprocess.Popen([*COMMAND, "--models", str(models)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, *translations = (process.stdout.readline() for _ in range(3))
        assert first.startswith("gRPC on 127.0.0.1:")
        assert [line.split(":")[0] for line in translations] == ["exact", "small"]
        address = first.split("http://")[1].split()[0]
        with urllib.request.urlopen(f"http://{address}/livez", timeout=5) as response:
            assert response.read() == b"live\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0


def test_it_stops_when_told_while_a_model_is_being_loaded(
    models: Path, brake: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.__main__, "set_up_logging", lambda _: None)  # it would outlive the test
    brake.clear()  # the warm-up waits
    done = threading.Event()

    def tell() -> None:
        while not any(thread.name == "engine-exact" for thread in threading.enumerate()):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.5)
        brake.set()
        done.set()

    threading.Thread(target=tell).start()
    addresses = ["--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0", "--device", "cpu"]
    assert service.__main__.main(["--models", str(models), *addresses]) == 0
    assert done.wait(20)


def test_wrong_settings_and_models_end_with_a_sentence(tmp_path: Path, models: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, message in (
        (["--max-rows", "x"], "error: max_rows 'x': expected int"),
        (["--models", str(tmp_path / "empty")], "holds no bundle: write one with python -m export"),
        (["--models", str(tmp_path / "none")], "is not a directory"),
        (["--models", str(models), "--grpc-address", "nowhere"], "grpc_address 'nowhere': expected host:port"),
        (["--models", str(models), "--http-address", "192.0.2.1:1"], "http_address '192.0.2.1': other machines could"),
        (["--models", str(models), "--grpc-address", "192.0.2.1:1"], "grpc_address '192.0.2.1': "),
        (
            ["--models", str(models), "--plaintext", "on-trusted-network", "--http-address", "192.0.2.1:1"],
            "http_address 192.0.2.1:1: cannot listen there",
        ),
        (["--models", str(models), "--clients", str(tmp_path / "none.toml")], "none.toml"),
        (["--models", str(models), "--otlp-endpoint", "collector"], "otlp_endpoint 'collector'"),
    ):
        done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
