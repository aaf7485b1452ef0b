"""Processes pinned to a core and limited to a share of it, as containers are: by the kernel's quota (cgroup 1 or 2)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PERIOD_MICROSECONDS = 20_000
"""Shorter than containers' 100 ms, so that a step of the model is not held up as long."""
_ROOT_V1, _ROOT_V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def limited(pid: int, share: float) -> Iterator[None]:
    """While inside, all threads of a process have so much of a core together; 1 or more: no quota.

    Raises:
        PermissionError, FileNotFoundError: this system lets nobody set a quota here; run as root, or with a share of 1.
    """
    if share >= 1:
        yield
        return
    quota = int(share * PERIOD_MICROSECONDS)
    is_v2 = (_ROOT_V2 / "cgroup.controllers").exists()
    group = (_ROOT_V2 if is_v2 else _ROOT_V1) / f"seq2serve-bench-{pid}"
    group.mkdir()
    try:
        if is_v2:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        if Path(f"/proc/{pid}").exists():
            (group.parent / "cgroup.procs").write_text(str(pid))
        group.rmdir()


def pinned(command: list[str], number: int) -> list[str]:
    """The command on one core: each number has its own as long as there are enough."""
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(cores[number % len(cores)]), *command]


def processor_seconds(pid: int) -> float:
    """What all threads of a process have used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / _TICKS


def idle_seconds() -> float:
    """What all cores of the machine have been idle so far."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[4]) / _TICKS
