"""gRPC through Envoy: what the service says comes as it was said."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.pb.seq2serve.v1 import model_service_pb2 as model_pb
from service.pb.seq2serve.v1 import model_service_pb2_grpc as model_grpc
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1.translation_service_pb2_grpc import TranslationServiceStub as Stub
from tests.deploy.compose import service_environment
from tests.deploy.conftest import StartEnvoy, StartReplica
from tests.deploy.envoy_process import EnvoyProcess
from tests.deploy.load import TEXTS, batch, stream, unary
from tests.deploy.replica import Replica

pytestmark = pytest.mark.deploy

BUSY, GUEST = (("authorization", "Bearer busy"),), (("authorization", "Bearer guest"),)
FLUSH_SECONDS = 15


@pytest.fixture(scope="module")
def clients_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`guest` may do all there is, `busy` has used its tokens with its first call."""
    lines = []
    for name, quota in (("guest", ""), ("busy", "max_source_tokens_per_minute = 1")):
        digest = hashlib.sha256(name.encode()).hexdigest()
        permissions = '["translate", "read_models", "administer_models"]'
        lines.append(f'[clients.{name}]\ntoken_sha256 = ["{digest}"]\npermissions = {permissions}\n{quota}\n')
    file = tmp_path_factory.mktemp("clients") / "clients.toml"
    file.write_text("\n".join(lines))
    return file


@pytest.fixture(scope="module")
def replica(start_replica: StartReplica, clients_file: Path) -> Replica:
    return start_replica("--clients", str(clients_file), environment=service_environment())


@pytest.fixture(scope="module")
def envoy(start_envoy: StartEnvoy, replica: Replica) -> EnvoyProcess:
    return start_envoy(replica)


@pytest.fixture
def channel(envoy: EnvoyProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(envoy.grpc_address) as channel:
        yield channel


def test_unary_and_streaming_calls_are_answered_as_by_the_replica(
    start_replica: StartReplica, start_envoy: StartEnvoy
) -> None:
    replica = start_replica()
    envoy = start_envoy(replica)

    async def answers(address: str) -> list[str]:
        async with grpc.aio.insecure_channel(address) as channel:
            stub: Stub = Stub(channel)  # type: ignore[no-untyped-call]
            return [await ask(stub, text) for ask in (unary, stream, batch) for text in TEXTS]

    through, directly = asyncio.run(answers(envoy.grpc_address)), asyncio.run(answers(replica.grpc_address))
    assert through == directly
    assert len(set(through)) == len(TEXTS)


def test_an_answer_of_a_batch_comes_before_the_client_has_said_all(channel: grpc.Channel) -> None:
    answered = iter(range(3))

    def requests() -> Iterator[pb.BatchTranslateRequest]:
        for number in range(3):
            yield pb.BatchTranslateRequest(items=[pb.BatchItem(id=str(number), text=TEXTS[0])])
            assert next(answered) == number  # or this would wait for ever

    stub: Stub = Stub(channel)  # type: ignore[no-untyped-call]
    ids = [response.id for response in stub.BatchTranslate(requests(), metadata=GUEST, timeout=60)]
    assert ids == ["0", "1", "2"]


def test_errors_come_with_their_details(channel: grpc.Channel) -> None:
    stub: Stub = Stub(channel)  # type: ignore[no-untyped-call]
    request = pb.TranslateRequest(texts=["a"], decoding=pb.DecodingOptions(beam_size=1000))
    with pytest.raises(grpc.RpcError) as caught:
        stub.Translate(request, metadata=(*GUEST, ("x-request-id", "mine")))
    status = _status_of(caught.value)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert _detail(status, error_details_pb2.ErrorInfo).reason == "INVALID_FIELD"
    assert _detail(status, error_details_pb2.BadRequest).field_violations[0].field == "decoding.beam_size"
    assert _detail(status, error_details_pb2.RequestInfo).request_id == "mine"


def test_a_quota_is_told_at_once_and_with_the_time_to_come_back(channel: grpc.Channel, envoy: EnvoyProcess) -> None:
    stub: Stub = Stub(channel)  # type: ignore[no-untyped-call]
    stub.Translate(pb.TranslateRequest(texts=[TEXTS[2]]), metadata=BUSY)
    asked = envoy.stats()['envoy_cluster_upstream_rq_total{envoy_cluster_name="service"}']
    with pytest.raises(grpc.RpcError) as caught:
        stub.Translate(pb.TranslateRequest(texts=["a"]), metadata=BUSY)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert _detail(_status_of(caught.value), error_details_pb2.RetryInfo).retry_delay.ToTimedelta().total_seconds() > 0
    assert _detail(_status_of(caught.value), error_details_pb2.QuotaFailure).violations
    assert "grpc-retry-pushback-ms" in dict(caught.value.trailing_metadata())
    assert envoy.stats()['envoy_cluster_upstream_rq_total{envoy_cluster_name="service"}'] == asked + 1, "asked once"


def test_a_token_is_the_services_to_judge(channel: grpc.Channel) -> None:
    stub: Stub = Stub(channel)  # type: ignore[no-untyped-call]
    with pytest.raises(grpc.RpcError) as caught:
        stub.Translate(pb.TranslateRequest(texts=["a"]), metadata=(("authorization", "Bearer nobody"),))
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert _detail(_status_of(caught.value), error_details_pb2.ErrorInfo).reason == "UNAUTHENTICATED"


def test_a_message_that_is_too_long_is_refused_by_the_service(channel: grpc.Channel) -> None:
    stub: Stub = Stub(channel)  # type: ignore[no-untyped-call]
    with pytest.raises(grpc.RpcError) as caught:
        stub.Translate(pb.TranslateRequest(texts=["a" * 5_000_000]), metadata=GUEST)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "limit 4194304" in caught.value.details()


def test_health_is_that_of_all_and_cannot_be_watched(channel: grpc.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    assert stub.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        next(stub.Watch(health_pb2.HealthCheckRequest()))
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED, "what clients take for: do not watch"


def test_models_are_not_changed_on_one_replica_of_several(channel: grpc.Channel, replica: Replica) -> None:
    request = model_pb.LoadModelRequest(directory="nothing")
    with pytest.raises(grpc.RpcError) as caught:
        model_grpc.ModelServiceStub(channel).LoadModel(request, metadata=GUEST)  # type: ignore[no-untyped-call]
    assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert "the directory that replicas watch" in caught.value.details()


def test_the_access_log_tells_of_a_call_and_nothing_of_its_text(channel: grpc.Channel, envoy: EnvoyProcess) -> None:
    stub: Stub = Stub(channel)  # type: ignore[no-untyped-call]
    secret = pb.TranslateRequest(texts=["Mellon"], model_selection=pb.ModelSelection(model="Mellon"))
    with pytest.raises(grpc.RpcError):
        stub.Translate(secret, metadata=(*GUEST, ("x-request-id", "logged")))
    deadline = time.monotonic() + FLUSH_SECONDS
    while '"request_id":"logged"' not in envoy.output:
        assert time.monotonic() < deadline, "it is not logged"
        time.sleep(0.2)
    line = next(json.loads(line) for line in envoy.output.splitlines() if '"request_id":"logged"' in line)
    assert line["path"] == "/seq2serve.v1.TranslationService/Translate"
    assert (line["grpc_status"], line["attempts"]) == ("5", 1)
    assert "Mellon" not in envoy.output


def test_series_name_the_rpcs_there_are_and_none_that_clients_make_up(
    channel: grpc.Channel, envoy: EnvoyProcess
) -> None:
    stub: Stub = Stub(channel)  # type: ignore[no-untyped-call]
    stub.Score(pb.ScoreRequest(pairs=[pb.TextPair(source="a", target="b")]), metadata=GUEST)
    before = len(envoy.stats())
    for number in range(5):
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(f"/seq2serve.v1.TranslationService/Made{number}")(b"", metadata=GUEST)
    labels = 'envoy_cluster_name="service",grpc_service="seq2serve.v1.TranslationService",grpc_method="Score"'
    assert envoy.stats()[f'envoy_cluster_grpc{{{labels},grpc_code="0"}}'] == 1
    assert not [name for name in envoy.stats() if "Made" in name]
    assert len(envoy.stats()) <= before + 5, "one for the class of the answer, not for each name"


def _status_of(error: grpc.RpcError) -> status_pb2.Status:
    return status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])


def _detail(status: status_pb2.Status, kind: type) -> object:
    for packed in status.details:
        if packed.Is(kind.DESCRIPTOR):
            detail = kind()
            packed.Unpack(detail)
            return detail
    raise AssertionError(f"no {kind.__name__} in {status}")
