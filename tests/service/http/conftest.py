from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from service.api.server import Server
from tests.service.http.serving import Run, running


@pytest.fixture(scope="package")
def run(models: Path) -> Run:
    """Starts a server: `with run(max_rows=4) as server`."""
    return partial(running, models)


@pytest.fixture(scope="package")
def server(run: Run) -> Iterator[Server]:
    """One that all tests share which need nothing special."""
    with run() as server:
        yield server
