"""`python -m training` as a process of a run, then the threads of torch that it leaves: ARGUMENTS as there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from training.__main__ import main


def remaining_threads() -> list[str]:
    """The names of those that belong to a process group, gloo's."""
    names = [
        (Path("/proc/self/task") / thread / "comm").read_text().strip() for thread in os.listdir("/proc/self/task")
    ]
    return [name for name in names if "gloo" in name]


if __name__ == "__main__":
    status = main(sys.argv[1:])
    print(f"threads of process {os.environ['RANK']}: {remaining_threads()}", flush=True)
    sys.exit(status)
