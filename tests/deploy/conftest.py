"""What tests of the deployment share: the service and Envoy as processes, and Debian's programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy.envoy_process import EnvoyProcess
from tests.deploy.kubectl import kubectl_program
from tests.deploy.programs import debian_program
from tests.deploy.replica import Replica

StartReplica = Callable[..., Replica]
StartEnvoy = Callable[..., EnvoyProcess]


@pytest.fixture(scope="module")
def start_replica() -> Iterator[StartReplica]:
    """Starts the service with the bundled model: `start_replica("--max-rows", "4")`; gone after the module's tests."""
    with ExitStack() as stack:
        yield lambda *flags, **arguments: stack.enter_context(Replica(*flags, **arguments))


@pytest.fixture(scope="module")
def start_envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartEnvoy]:
    """Starts the real Envoy before replicas: `start_envoy(first, second)`; gone after the module's tests."""
    with ExitStack() as stack:
        yield lambda *replicas: stack.enter_context(EnvoyProcess(replicas, tmp_path_factory.mktemp("envoy")))


@pytest.fixture(scope="session")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kubectl_program(tmp_path_factory.mktemp("kubectl"))


@pytest.fixture(scope="session")
def prometheus_program() -> Path:
    return debian_program("prometheus")


@pytest.fixture(scope="session")
def promtool_program() -> Path:
    return debian_program("promtool")


@pytest.fixture(scope="session")
def alertmanager_program() -> Path:
    return debian_program("prometheus-alertmanager")
