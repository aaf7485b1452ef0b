"""Servers as processes of their own: started, waited for, measured, stopped."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 60.0
GPU_START_SECONDS = 300.0
"""Where a GPU's kernels are loaded and steps of every size are recorded first."""
STOP_SECONDS = 10.0
POLL_SECONDS = 0.05
REPOSITORY = Path(__file__).resolve().parents[1]


class ServerProcess:
    """A command that serves, as a context manager: inside, it is ready; after, it is gone."""

    def __init__(
        self,
        command: Sequence[str],
        ready: str,
        environment: Mapping[str, str] | None = None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        """Starts nothing yet.

        Args:
            command: run from the repository's root.
            ready: regular expression of what stands before HOST:PORT in the line that says the server is ready, on
                standard output or standard error.
            environment: variables beside those of this process.
            start_seconds: how long it may take until it is ready.
        """
        self.command = list(command)
        self._ready = re.compile(rf"(?:{ready})(\S+:\d+)")
        self._environment = {**os.environ, **(environment or {})}
        self._start_seconds = start_seconds
        self.address = ""
        """HOST:PORT, once started."""

    @property
    def peak_memory_bytes(self) -> int:
        """The largest resident set since the process began, in bytes.

        Raises:
            RuntimeError: it does not run any more.
        """
        if self._process.poll() is not None:
            raise RuntimeError(f"{self._name} is not running any more")
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024

    @property
    def cpu_seconds(self) -> float:
        """Processor time that it has used."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf(
            "SC_CLK_TCK"
        )  # utime, stime: the 14th and 15th of proc(5)

    @property
    def output(self) -> str:
        """What it wrote on standard output and standard error so far."""
        return Path(self._log.name).read_text(errors="replace")

    def __enter__(self) -> Self:
        """Start and wait.

        Raises:
            RuntimeError: it ended, or was not ready in time; the message holds its output.
        """
        self._log = tempfile.NamedTemporaryFile(prefix="server-", suffix=".log")  # closed by _stop
        try:
            self._process = subprocess.Popen(
                self.command, stdout=self._log, stderr=subprocess.STDOUT, env=self._environment, cwd=REPOSITORY
            )
        except BaseException:
            self._log.close()
            raise
        try:
            self.address = self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def _name(self) -> str:
        return " ".join(self.command[:3])

    def _wait(self) -> str:
        deadline = time.monotonic() + self._start_seconds
        while time.monotonic() < deadline:
            is_running = self._process.poll() is None
            complete_lines, _, _ = self.output.rpartition("\n")
            found = self._ready.search(complete_lines)
            if is_running and found is not None:
                return found[1]
            if not is_running:
                raise RuntimeError(f"{self._name} ended with {self._process.returncode}:\n{self.output}")
            time.sleep(POLL_SECONDS)
        raise RuntimeError(f"{self._name} was not ready within {self._start_seconds:.0f} s:\n{self.output}")

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self._log.close()


def our_server(bundle: Path, threads: int, max_rows: int, device: str = "auto") -> ServerProcess:
    """Our service, on free ports.

    Args:
        bundle: an exported directory.
        threads: of the model.
        max_rows: sentences decoded together.
        device: cpu, cuda or auto.
    """
    command = [sys.executable, "-m", "service", "--models", str(bundle.resolve()), "--device", device]
    command += ["--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"]
    command += ["--num-threads", str(threads), "--max-rows", str(max_rows)]
    start_seconds = START_SECONDS if device == "cpu" else GPU_START_SECONDS
    return ServerProcess(command, "gRPC on ", start_seconds=start_seconds)  # printed after the warm-up


def ctranslate2_server(
    model: Path, bundle: Path, precision: str, threads: int, workers: int, max_batch: int
) -> ServerProcess:
    """CTranslate2 behind the same protos, on a free port.

    Args:
        model: directory that `bench.ctranslate2_model.convert` wrote.
        bundle: the same model exported; its tokenizers are used.
        precision: `float32` or `int8`.
        threads: of each worker.
        workers: batches translated at a time.
        max_batch: most sentences translated together.
    """
    command = [sys.executable, "-m", "bench.ctranslate2_server", str(model.resolve())]
    command += ["--source-tokenizer", str(bundle.resolve() / "source.model")]
    command += ["--target-tokenizer", str(bundle.resolve() / "target.model")]
    command += ["--precision", precision, "--threads", str(threads), "--max-batch", str(max_batch)]
    command += ["--workers", str(workers)]
    return ServerProcess(command, ready="listening on ")
