"""Builds and runs images without a container service and without a registry: buildah, podman, and a base made here.

Everything lies in a directory of its own, so that neither images nor settings of the machine play a part. What was
built stays there, as in any such store, so that the next build is quick; remove the directory to begin anew.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.image.package_index import build_secrets

REPOSITORY = Path(__file__).resolve().parents[2]
BASE = "docker.io/library/debian:bookworm-slim"
"""What the Dockerfile's FROM finds instead of pulling: the same packages of the same archive, put together here."""
BASE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEBIAN_PACKAGES = ("buildah", "mmdebstrap", "podman", "runc")
"""Each is a program of that name."""


class Workshop:
    """As a context manager: after, nothing of it runs and nothing is mounted."""

    def __init__(self, directory: Path) -> None:
        """Takes a directory that is empty or was a workshop before.

        Raises:
            FileNotFoundError: programs are missing; the message says what to install.
            PermissionError: the user is not root.
        """
        missing = [package for package in DEBIAN_PACKAGES if shutil.which(package) is None]
        if missing:
            raise FileNotFoundError(
                f"not installed: {', '.join(missing)}; apt-get install --no-install-recommends {' '.join(missing)}"
            )
        if os.geteuid() != 0:
            raise PermissionError("building under chroot isolation needs root")
        self.directory = directory
        for name in ("images", "state", "temporary"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        self._write_storage("overlay")
        if self._run("buildah", "info", check=False).returncode != 0:
            self._write_storage("vfs")

    def make_base(self) -> None:
        """Debian's minimal system, from its archive, unless it is there."""
        if self.podman_process("image", "exists", BASE).returncode == 0:
            return
        archive = self.directory / "base.tar"
        self._run("mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(archive))
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, str(archive), "/")
        self.buildah("config", "--cmd", "bash", "--env", f"PATH={BASE_PATH}", container)
        self.buildah("commit", "--quiet", "--rm", container, BASE)
        archive.unlink()

    def build(self, *flags: str, dockerfile: Path = REPOSITORY / "Dockerfile", **arguments: str) -> str:
        """Build from the repository; returns the image's id. `arguments`: of the build."""
        for name, value in arguments.items():
            flags += ("--build-arg", f"{name}={value}")
        for secret in build_secrets(self.directory):
            flags += ("--secret", secret)
        # Health checks are a part of Docker's format only.
        command = ["build", "--quiet", "--layers", "--pull=never", "--isolation=chroot", "--format=docker"]
        return self.buildah(*command, *flags, "--file", str(dockerfile), str(REPOSITORY)).splitlines()[-1]

    def forget(self, title: str) -> None:
        """Remove images of that title: buildah would take their labels again, whatever a build is told."""
        found = self.podman("images", "--all", "--quiet", f"--filter=label=org.opencontainers.image.title={title}")
        if found:
            self.podman("rmi", "--force", *dict.fromkeys(found.split()))

    def inspect(self, image: str) -> dict[str, Any]:
        """What podman knows of an image."""
        (found,) = json.loads(self.podman("image", "inspect", image))
        return dict(found)

    @contextmanager
    def files(self, image: str) -> Iterator[Path]:
        """Where the files of an image can be read."""
        root = Path(self.podman("image", "mount", image))
        try:
            yield root
        finally:
            self.podman("image", "unmount", image)

    def buildah(self, *arguments: str) -> str:
        """What it prints."""
        return self._run("buildah", *arguments).stdout.strip()

    def podman(self, *arguments: str) -> str:
        """What it prints on standard output."""
        return self.podman_process(*arguments, check=True).stdout.strip()

    def podman_process(self, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        """How it ends, too."""
        return self._run("podman", "--runtime=runc", "--log-level=fatal", *arguments, check=check)

    def __enter__(self) -> Workshop:
        return self

    def __exit__(self, *_: object) -> None:
        self.podman_process("rm", "--all", "--force", "--time=0")
        self._run("buildah", "rm", "--all", check=False)
        self._run("podman", "image", "unmount", "--all", "--force", check=False)
        # The driver has the store itself mounted.
        self._run("umount", "--recursive", str(self.directory / "images" / "overlay"), check=False)

    def _write_storage(self, driver: str) -> None:
        (self.directory / "storage.conf").write_text(
            f'[storage]\ndriver = "{driver}"\n'
            f'graphroot = "{self.directory / "images"}"\nrunroot = "{self.directory / "state"}"\n'
        )

    def _run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"[-8000:])
        return done

    def _environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(self.directory / "storage.conf"),
            "TMPDIR": str(self.directory / "temporary"),
        }
