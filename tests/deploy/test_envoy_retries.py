"""What Envoy asks again, what it does not, and whom it leaves alone; before replicas that fail on demand."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1.translation_service_pb2_grpc import TranslationServiceStub as Stub
from tests.deploy.conftest import StartEnvoy
from tests.deploy.envoy_process import EnvoyProcess
from tests.deploy.fake_replica import Pair, ready_pair

pytestmark = pytest.mark.deploy

SOON_SECONDS = 20
EJECTED = 'envoy_cluster_outlier_detection_ejections_active{envoy_cluster_name="service"}'


def _refusing(code: grpc.StatusCode) -> Callable[[Any], None]:
    return lambda context: context.abort(code, "on demand")


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ready_pair("good", "bad") as pair:
        yield pair


@pytest.fixture
def envoy(pair: Pair, start_envoy: StartEnvoy) -> EnvoyProcess:
    return start_envoy(*pair)


@pytest.fixture
def stub(envoy: EnvoyProcess) -> Iterator[Stub]:
    with grpc.insecure_channel(envoy.grpc_address, options=[("grpc.enable_retries", 0)]) as channel:
        yield Stub(channel)  # type: ignore[no-untyped-call]


def test_unavailable_is_asked_again_elsewhere(pair: Pair, stub: Stub) -> None:
    good, bad = pair
    bad.refuse = _refusing(grpc.StatusCode.UNAVAILABLE)
    assert {stub.Translate(pb.TranslateRequest()).model for _ in range(20)} == {"good"}
    assert bad.num_calls, "it was asked first now and then"
    assert good.num_calls == 20, "and then the other, once"


def test_the_longest_request_can_be_asked_again(pair: Pair, stub: Stub) -> None:
    _, bad = pair
    bad.refuse = _refusing(grpc.StatusCode.UNAVAILABLE)
    longest = pb.TranslateRequest(texts=["a" * 4_194_200])
    while not bad.num_calls:
        assert stub.Translate(longest).model == "good"


def test_a_batch_that_has_no_answer_yet_is_asked_again(pair: Pair, stub: Stub) -> None:
    _, bad = pair
    bad.refuse = _refusing(grpc.StatusCode.UNAVAILABLE)

    def requests() -> Iterator[pb.BatchTranslateRequest]:
        for number in range(3):
            time.sleep(0.05)  # it is refused before all is said
            yield pb.BatchTranslateRequest(items=[pb.BatchItem(id=str(number))])

    while not bad.num_calls:
        assert [answer.id for answer in stub.BatchTranslate(requests())] == ["good 0", "good 1", "good 2"]


def test_a_stream_that_has_begun_is_not_asked_again(pair: Pair, stub: Stub) -> None:
    _, bad = pair
    bad.refuse = _refusing(grpc.StatusCode.UNAVAILABLE)
    names, code = [], None
    while not bad.num_calls:
        names.clear()
        try:
            names.extend(answer.delta.text for answer in stub.TranslateStream(pb.TranslateStreamRequest()))
        except grpc.RpcError as error:
            code = error.code()
    assert (names, code) == (["bad"], grpc.StatusCode.UNAVAILABLE), (
        "the client knows what it has, and that it is not all"
    )


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED]
)
def test_nothing_else_is_asked_again(code: grpc.StatusCode, pair: Pair, stub: Stub) -> None:
    for replica in pair:
        replica.refuse = _refusing(code)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Translate(pb.TranslateRequest())
    assert caught.value.code() == code
    assert sum(replica.num_calls for replica in pair) == 1


def test_a_replica_that_fails_inside_is_left_alone_for_a_while(pair: Pair, stub: Stub, envoy: EnvoyProcess) -> None:
    _, bad = pair
    bad.refuse = _refusing(grpc.StatusCode.INTERNAL)
    _until(lambda: _names(stub, 20) == {"good"})
    assert envoy.stats()[EJECTED] == 1
    assert bad.num_calls >= 50


@pytest.mark.parametrize(
    "code",
    [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.RESOURCE_EXHAUSTED],
)
def test_what_clients_bring_about_ejects_no_replica(
    code: grpc.StatusCode, pair: Pair, stub: Stub, envoy: EnvoyProcess
) -> None:
    for replica in pair:
        calls = itertools.count(1)
        replica.refuse = lambda context, calls=calls: next(calls) % 20 and context.abort(code, "on demand")
    _names(stub, 250)
    assert all(replica.num_calls >= 100 for replica in pair)
    assert envoy.stats()[EJECTED] == 0


def test_a_replica_that_is_not_ready_is_not_asked_and_comes_back(pair: Pair, stub: Stub) -> None:
    good, bad = pair
    bad.set_ready(False)
    _until(lambda: _names(stub, 20) == {"good"})
    bad.set_ready(True)
    _until(lambda: _names(stub, 20) == {"good", "bad"})
    for replica in (good, bad):
        replica.set_ready(False)
    _until(lambda: _names(stub, 1) == {"UNAVAILABLE"})
    assert _names(stub, 20) == {"UNAVAILABLE"}, "who is not ready is not asked where nobody is"


def _names(stub: Stub, number: int) -> set[str]:
    """Of the replicas that answer so many calls, and of the codes of those that fail."""
    found = set()
    for _ in range(number):
        try:
            found.add(stub.Translate(pb.TranslateRequest()).model)
        except grpc.RpcError as error:
            found.add(error.code().name)
    return found


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.1)
