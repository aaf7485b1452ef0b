"""What kustomize builds: valid for Kubernetes and the Prometheus operator, and of one piece."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from bench.capacity.__main__ import MEASURED
from bench.capacity.curve import Curve
from bench.capacity.plan import Demand, plan
from service.settings import ENVIRONMENT_PREFIX, Settings, load_settings, split_address
from tests.deploy import schemas
from tests.deploy.kubectl import build
from tests.deploy.manifests import Manifests, num_bytes, selects

pytestmark = pytest.mark.deploy

DIRECTORIES = ("base", "overlays/cpu", "overlays/gpu", "overlays/secured")
OLDEST = "1.32"
"""Kubernetes: what the manifests are written for, docs/deploy/kubernetes.md says the same."""
CLUSTER_WIDE = {"Namespace"}
SETTINGS = {ENVIRONMENT_PREFIX + name.upper() for name in Settings.__dataclass_fields__}
OTHER_VARIABLES = {"POD_NAME", "OTEL_RESOURCE_ATTRIBUTES"}


@pytest.fixture(scope="module", params=DIRECTORIES)
def manifests(request: pytest.FixtureRequest, kubectl: Path) -> Manifests:
    return Manifests(build(kubectl, request.param))


@pytest.fixture(scope="module")
def production(kubectl: Path) -> Manifests:
    return Manifests(build(kubectl, "overlays/cpu"))


def test_every_object_is_valid(manifests: Manifests) -> None:
    for version in (OLDEST, schemas.newest_version()):
        for manifest in manifests.objects:
            schemas.check(manifest, version)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "terminationGracePeriod"), 60),
        ("Deployment", ("spec", "strategy", "rollingUpdate", "maxUnavailable"), [0]),
        ("HorizontalPodAutoscaler", ("spec", "minReplicas"), "3"),
        ("NetworkPolicy", ("spec", "ingres"), []),
        ("ServiceMonitor", ("spec", "endpoints", 0, "intervall"), "15s"),
        ("ServiceMonitor", ("spec", "endpoints", 0, "interval"), "15 seconds"),
        ("PrometheusRule", ("spec", "groups", 0, "rules", 0, "forr"), "5m"),
    ],
)
def test_the_schemas_refuse_what_is_wrong(
    production: Manifests, kind: str, path: tuple[Any, ...], value: object
) -> None:
    wrong = copy.deepcopy(production.of_kind(kind)[0])
    place: Any = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(schemas.RefusedError, match=str(path[-1])):
        schemas.check(wrong, OLDEST)


def test_everything_is_in_one_namespace(manifests: Manifests) -> None:
    (namespace,) = manifests.of_kind("Namespace")
    inside = {one["metadata"].get("namespace") for one in manifests.objects if one["kind"] not in CLUSTER_WIDE}
    assert inside == {namespace["metadata"]["name"]}


def test_every_variable_is_a_setting_of_the_service(manifests: Manifests) -> None:
    assert set(manifests.environment) - OTHER_VARIABLES <= SETTINGS
    assert load_settings([], manifests.environment) != Settings(), "each value is of its type and in its range"


def test_threads_are_the_cores_that_are_asked_for(manifests: Manifests) -> None:
    cores = manifests.container["resources"]["requests"]["cpu"]
    assert load_settings([], manifests.environment).num_threads == int(cores) > 0


def test_ports_are_those_that_the_service_listens_on(manifests: Manifests) -> None:
    settings = load_settings([], manifests.environment)
    assert manifests.ports == {
        "grpc": split_address("grpc_address", settings.grpc_address)[1],
        "http": split_address("http_address", settings.http_address)[1],
    }
    for service in manifests.of_kind("Service"):
        for port in service["spec"]["ports"]:
            assert manifests.ports[port["targetPort"]] == port["port"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = manifests.container[probe]
        if "grpc" in asked:
            assert asked["grpc"]["port"] == manifests.ports["grpc"]
        else:
            assert asked["httpGet"]["port"] in manifests.ports


def test_selectors_find_the_pods(manifests: Manifests) -> None:
    pods = [{"metadata": {"name": "pod", **manifests.pod["metadata"]}}]
    spreads = manifests.pod["spec"]["topologySpreadConstraints"]
    selectors = [
        manifests.one("Deployment")["spec"]["selector"]["matchLabels"],
        *(service["spec"]["selector"] for service in manifests.of_kind("Service")),
        *(budget["spec"]["selector"]["matchLabels"] for budget in manifests.of_kind("PodDisruptionBudget")),
        *(policy["spec"]["podSelector"]["matchLabels"] for policy in manifests.of_kind("NetworkPolicy")),
        *(spread["labelSelector"]["matchLabels"] for spread in spreads),
    ]
    assert len(selectors) >= 7
    for selector in selectors:
        assert selects(selector, pods) == ["pod"], selector


def test_clients_find_every_replica_by_name(manifests: Manifests) -> None:
    assert manifests.one("Service")["spec"]["clusterIP"] == "None"
    assert [port["name"] for port in manifests.one("Service")["spec"]["ports"]] == ["grpc"]
    assert [port["name"] for port in manifests.one("Service", "seq2serve-http")["spec"]["ports"]] == ["http"]


def test_a_replica_is_given_time_to_drain(manifests: Manifests) -> None:
    settings = load_settings([], manifests.environment)
    longest = settings.drain_delay_seconds + settings.drain_seconds + 10  # docs/operations.md
    assert manifests.pod["spec"]["terminationGracePeriodSeconds"] > longest
    assert settings.drain_delay_seconds >= 5, "balancers learn of it first"


def test_an_update_takes_no_replica_before_another_is_there(manifests: Manifests) -> None:
    rolling = manifests.one("Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert rolling["maxUnavailable"] == 0
    assert rolling["maxSurge"] in {"25%", 1}


def test_pods_meet_the_restricted_standard_and_more(manifests: Manifests) -> None:
    labels = manifests.of_kind("Namespace")[0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = manifests.pod["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert manifests.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(pod)
    assert {kind for volume in pod.get("volumes", []) for kind in volume} <= {"name", "secret", "persistentVolumeClaim"}
    assert all(mount["readOnly"] for mount in manifests.container.get("volumeMounts", []))
    assert pod["automountServiceAccountToken"] is False
    assert manifests.one("ServiceAccount")["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] == "seq2serve"
    assert pod["enableServiceLinks"] is False


def test_a_replica_gets_what_one_was_measured_to_need(production: Manifests) -> None:
    curve, resources = Curve.read(MEASURED), production.container["resources"]
    assert int(resources["requests"]["cpu"]) == curve.conditions.replica_cores
    assert num_bytes(resources["requests"]["memory"]) >= 1.5 * curve.peak_memory_bytes
    assert resources["limits"] == {"memory": resources["requests"]["memory"]}
    (metric,) = production.one("HorizontalPodAutoscaler")["spec"]["metrics"]
    best = plan(curve, Demand(sentences_per_second=1, goal_seconds=max(point.p99_seconds for point in curve.open)))
    assert 1 <= int(metric["pods"]["target"]["averageValue"]) < best.in_flight, "above it, it would never scale"


def test_the_gpu_overlay_asks_for_one_and_uses_it(kubectl: Path) -> None:
    manifests = Manifests(build(kubectl, "overlays/gpu"))
    assert manifests.container["resources"]["limits"]["nvidia.com/gpu"] == 1
    settings = load_settings([], manifests.environment)
    assert settings.device == "cuda"
    volumes = {volume["name"]: volume for volume in manifests.pod["spec"]["volumes"]}
    assert "persistentVolumeClaim" in volumes["models"], "those in the image do not run on CUDA"
    (metric,) = manifests.one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert int(metric["pods"]["target"]["averageValue"]) < settings.max_rows


def test_policies_name_ports_that_there_are(manifests: Manifests) -> None:
    policies = manifests.of_kind("NetworkPolicy")
    named = {
        port["port"] for policy in policies for rule in policy["spec"].get("ingress", []) for port in rule["ports"]
    }
    assert named <= set(manifests.ports)
    assert manifests.one("NetworkPolicy")["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert manifests.one("NetworkPolicy")["spec"]["egress"] == []


def test_traces_may_leave_and_nothing_else(kubectl: Path) -> None:
    manifests = Manifests(build(kubectl, "overlays/secured"))
    endpoint = load_settings([], manifests.environment).otlp_endpoint
    rules = manifests.one("NetworkPolicy", "seq2serve-tracing")["spec"]["egress"]
    ports = [port["port"] for rule in rules for port in rule["ports"]]
    assert ports == [int(endpoint.rpartition(":")[2]), 53, 53]


def test_prometheus_scrapes_each_replica_once(production: Manifests) -> None:
    monitor = production.one("ServiceMonitor")["spec"]
    assert selects(monitor["selector"]["matchLabels"], production.of_kind("Service")) == ["seq2serve-http"]
    service = production.one("Service", "seq2serve-http")
    assert [endpoint["port"] for endpoint in monitor["endpoints"]] == [
        port["name"] for port in service["spec"]["ports"]
    ]
    # The job's name, by which the rules and the dashboard find it.
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "seq2serve"


def test_the_autoscaler_has_the_number_of_replicas_to_itself(manifests: Manifests) -> None:
    scalers = manifests.of_kind("HorizontalPodAutoscaler")
    deployment = manifests.one("Deployment")
    assert ("replicas" in deployment["spec"]) == (not scalers)
    for scaler in scalers:
        target = scaler["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
        assert 3 <= scaler["spec"]["minReplicas"] < scaler["spec"]["maxReplicas"], "one for each zone"
