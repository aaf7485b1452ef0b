"""How the client treats several replicas, with fakes; tests/deploy has the real ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from service.client import Client
from service.client.balancing import is_worth_another_try
from service.client.credentials import Credentials
from tests.deploy.fake_replica import FakeReplica, Pair, ready_pair

SOON_SECONDS = 20


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ready_pair("first", "second") as pair:
        yield pair


@pytest.fixture
def client(pair: Pair) -> Iterator[Client]:
    with Client(f"ipv4:{','.join(f'127.0.0.1:{replica.grpc_port}' for replica in pair)}") as client:
        _until(lambda: _names(client) == {"first", "second"})
        yield client


def _refuse(code: grpc.StatusCode) -> Callable[[Any], None]:
    return lambda context: context.abort(code, "on demand")


def test_what_one_replica_refuses_as_it_is_away_the_other_answers(pair: Pair, client: Client) -> None:
    first, _ = pair
    first.refuse, calls = _refuse(grpc.StatusCode.UNAVAILABLE), first.num_calls
    assert _names(client) == {"second"}
    assert first.num_calls > calls


def test_the_longest_text_is_asked_again(pair: Pair, client: Client) -> None:
    first, _ = pair
    first.refuse, calls = _refuse(grpc.StatusCode.UNAVAILABLE), first.num_calls
    while first.num_calls == calls:
        assert client.translate("a" * 4_000_000) == "second"


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL])
def test_what_would_go_wrong_again_is_not_asked_again(code: grpc.StatusCode, pair: Pair, client: Client) -> None:
    calls = sum(replica.num_calls for replica in pair)
    for replica in pair:
        replica.refuse = _refuse(code)
    with pytest.raises(grpc.RpcError):
        client.translate("a")
    assert sum(replica.num_calls for replica in pair) == calls + 1


def test_a_replica_that_says_that_it_is_not_ready_is_not_asked(pair: Pair, client: Client) -> None:
    first, _ = pair
    first.set_ready(False)
    _until(lambda: _names(client) == {"second"})
    calls = first.num_calls
    assert _names(client) == {"second"}
    assert first.num_calls == calls
    first.set_ready(True)
    _until(lambda: _names(client) == {"first", "second"})


def test_a_service_without_health_checks_is_asked() -> None:
    with FakeReplica("plain", has_health=False) as replica, Client(f"127.0.0.1:{replica.grpc_port}") as client:
        assert client.translate("a") == "plain"


@pytest.mark.parametrize("address", ["ipv4:127.0.0.1:1,127.0.0.2:1", "ipv6:[::1]:1,[::1]:2"])
def test_a_token_goes_to_several_ports_of_this_machine(address: str) -> None:
    Credentials(token="secret").channel(address).close()


@pytest.mark.parametrize("address", ["ipv4:127.0.0.1:1,10.0.0.1:1", "ipv6:[::1]:1,[2001:db8::1]:1", "ipv4:"])
def test_a_token_goes_to_no_other_machine_among_several(address: str) -> None:
    with pytest.raises(ValueError, match="over TLS only"):
        Credentials(token="secret").channel(address)


def test_an_internal_error_of_the_service_itself_is_final(pair: Pair, client: Client) -> None:
    first, second = pair

    def fail(context: Any, has_details: bool) -> None:
        if has_details:
            context.set_trailing_metadata((("grpc-status-details-bin", b""),))
        context.abort(grpc.StatusCode.INTERNAL, "on demand")

    for has_details in (True, False):
        first.refuse = second.refuse = lambda context, has_details=has_details: fail(context, has_details)
        with pytest.raises(grpc.RpcError) as caught:
            client.translate("a")
        assert is_worth_another_try(caught.value) is not has_details


def _names(client: Client) -> set[str]:
    return {client.translate("a") for _ in range(8)}


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)
