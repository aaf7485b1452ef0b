from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.service.credentials.echo import Files, Serve, issue, serving


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return issue(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def serve() -> Iterator[Serve]:
    with serving() as start:
        yield start
