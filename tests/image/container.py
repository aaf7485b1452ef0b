"""The image as it is meant to run: nothing can be written, no capability is left, and the user is the image's own."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.deploy.ports import free_ports
from tests.image.workshop import Workshop

READY_SECONDS = 60.0
POLL_SECONDS = 0.2
# Limits that a machine may have anyway: raising them, as podman does by itself, is not for everybody.
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
LOCKED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges")


class Container:
    """As a context manager: inside, its health check passes; after, it is gone."""

    def __init__(self, workshop: Workshop, image: str, *flags: str, is_on_host: bool = True) -> None:
        """Starts nothing yet.

        Args:
            workshop: where the image is.
            image: its id.
            flags: more for `podman run`.
            is_on_host: with ports of this machine, on loopback; otherwise without a network, on the image's own ports.
        """
        self._workshop = workshop
        self._image = image
        self._flags = (*LIMITS, *LOCKED, *flags)
        if is_on_host:
            grpc_port, http_port = free_ports(2)
            self.address = f"127.0.0.1:{grpc_port}"
            self._flags += (
                "--network=host",
                f"--env=SEQ2SERVE_GRPC_ADDRESS={self.address}",
                f"--env=SEQ2SERVE_HTTP_ADDRESS=127.0.0.1:{http_port}",
            )
        else:
            self._flags += ("--network=none",)

    @property
    def log(self) -> str:
        """What it wrote."""
        done = self._workshop.podman_process("logs", self._id)
        return done.stdout + done.stderr

    def status(self, name: str) -> str:
        """A line of the kernel's about the service's process, such as Uid."""
        state = json.loads(self._workshop.podman("container", "inspect", self._id))[0]["State"]
        lines = Path(f"/proc/{state['Pid']}/status").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{name}:"))

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside the service."""
        return self._workshop.podman_process("exec", self._id, *command)

    def is_healthy(self) -> bool:
        """Whether the image's own health check passes."""
        return self._workshop.podman_process("healthcheck", "run", self._id).returncode == 0

    def terminate(self) -> None:
        """Send the image's stop signal, and do not wait."""
        signal = self._workshop.inspect(self._image)["Config"]["StopSignal"]
        self._workshop.podman("kill", f"--signal={signal}", self._id)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return int(self._workshop.podman("wait", self._id))

    def __enter__(self) -> Self:
        self._id = self._workshop.podman("run", "--detach", *self._flags, self._image)
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_healthy():
            if time.monotonic() > deadline:
                log = self.log
                self.__exit__(None, None, None)
                raise TimeoutError(f"not healthy within {READY_SECONDS:.0f} s:\n{log}")
            time.sleep(POLL_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._workshop.podman("rm", "--force", "--time=0", self._id)
