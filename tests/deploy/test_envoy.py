from __future__ import annotations

import urllib.request

import pytest

from service.client import Client
from tests.deploy.conftest import StartEnvoy, StartReplica

pytestmark = pytest.mark.deploy


def test_envoy_passes_calls_to_a_replica(start_replica: StartReplica, start_envoy: StartEnvoy) -> None:
    replica = start_replica()
    envoy = start_envoy(replica)
    with Client(envoy.grpc_address) as client, Client(replica.grpc_address) as directly:
        assert client.translate("Open the file.") == directly.translate("Open the file.") != ""
    assert envoy.stats()['envoy_cluster_upstream_rq_total{envoy_cluster_name="service"}'] == 1
    with urllib.request.urlopen(f"http://{envoy.http_address}/livez", timeout=10) as response:
        assert response.status == 200
