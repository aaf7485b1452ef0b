"""Replicas that end and come back under load, behind the real Envoy. The clients try nothing again by themselves."""

from __future__ import annotations

import asyncio
import signal

import pytest

from bench.reliability.service_process import scrape
from tests.deploy.compose import service_environment
from tests.deploy.conftest import StartEnvoy, StartReplica
from tests.deploy.envoy_process import EnvoyProcess
from tests.deploy.load import batch, stream, unary, under_load
from tests.deploy.replica import Replica

pytestmark = pytest.mark.deploy

HEALTHY = 'envoy_cluster_membership_healthy{envoy_cluster_name="service"}'
RETRIES = 'envoy_cluster_upstream_rq_retry{envoy_cluster_name="service"}'
FAILED_CHECKS = 'envoy_cluster_health_check_failure{envoy_cluster_name="service"}'
SOON_SECONDS, STOP_SECONDS = 30.0, 25.0
Pair = tuple[Replica, Replica]


@pytest.fixture(scope="module")
def pair(start_replica: StartReplica) -> Pair:
    environment = service_environment()
    return start_replica(environment=environment), start_replica(environment=environment)


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy, pair: Pair) -> EnvoyProcess:
    return start_envoy(*pair)


async def test_no_call_fails_when_a_replica_is_killed_and_started_again(pair: Pair, envoy: EnvoyProcess) -> None:
    first, second = pair
    async with under_load(envoy.grpc_address, unary) as tally:
        await tally.more_answers(20)
        assert _num_calls(first)
        assert _num_calls(second)
        while not _num_running(first):
            await asyncio.sleep(0)
        first.send(signal.SIGKILL)
        assert first.wait(STOP_SECONDS) == -signal.SIGKILL
        await _until_healthy(envoy, 1)
        await tally.more_answers(20)
        await asyncio.to_thread(first.start_again)
        await _until_healthy(envoy, 2)
        await _until_asked(first)
    assert tally.failures == []
    assert tally.is_right()
    assert envoy.stats()[RETRIES] > 0, "what it had begun was asked again"
    assert envoy.stats()[FAILED_CHECKS] > 0


async def test_a_rolling_restart_loses_nothing(pair: Pair, envoy: EnvoyProcess) -> None:
    async with under_load(envoy.grpc_address, unary, stream, batch) as tally:
        for replica in pair:
            await tally.more_answers(20)
            replica.send(signal.SIGTERM)
            assert await asyncio.to_thread(replica.wait, STOP_SECONDS) == 0
            await asyncio.to_thread(replica.start_again)
            await _until_healthy(envoy, 2)
            await _until_asked(replica)
    assert tally.failures == []
    assert tally.is_right()


def _num_calls(replica: Replica) -> float:
    return scrape(replica.http_address).get("seq2serve_requests_total", 0.0)


def _num_running(replica: Replica) -> float:
    return scrape(replica.http_address)["seq2serve_requests_running"]


async def _until_healthy(envoy: EnvoyProcess, number: int) -> None:
    async with asyncio.timeout(SOON_SECONDS):
        while (await asyncio.to_thread(envoy.stats))[HEALTHY] != number:
            await asyncio.sleep(0.1)


async def _until_asked(replica: Replica) -> None:
    """Health checks are calls, too."""
    async with asyncio.timeout(SOON_SECONDS):
        while not (await asyncio.to_thread(scrape, replica.http_address)).get("seq2serve_requests_total"):
            await asyncio.sleep(0.1)
