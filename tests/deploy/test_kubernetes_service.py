"""The real service with the manifests' settings: probes, draining, metrics, secrets are as the manifests say."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import grpc
import pytest
import trustme
import yaml
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.processes import REPOSITORY
from service.client import Client
from service.client.credentials import Credentials
from service.pb.seq2serve.v1 import translation_service_pb2 as pb
from service.pb.seq2serve.v1 import translation_service_pb2_grpc as pb_grpc
from tests.deploy.conftest import StartReplica
from tests.deploy.kubectl import KUBERNETES, Manifest, build
from tests.deploy.manifests import Manifests
from tests.deploy.replica import Replica

pytestmark = pytest.mark.deploy

ADAPTER = KUBERNETES / "prometheus-adapter" / "values.yaml"
PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
LIMIT_SECONDS = 10.0
REQUEST = pb.TranslateRequest(texts=["Open the file."])


def passes(probe: Manifest, replica: Replica) -> bool:
    """What the kubelet does: gRPC health by the probe's service, or an HTTP status from 200 to 399."""
    if "grpc" in probe:
        with grpc.insecure_channel(replica.grpc_address) as channel:
            request = health_pb2.HealthCheckRequest(service=probe["grpc"].get("service", ""))
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=LIMIT_SECONDS)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
    return http_status(replica, probe["httpGet"]["path"]) < 400


def http_status(replica: Replica, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://{replica.http_address}{path}", timeout=LIMIT_SECONDS) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(scope="module")
def production(kubectl: Path) -> Manifests:
    return Manifests(build(kubectl, "overlays/cpu"))


def test_probes_are_answered_and_a_replica_that_goes_says_so(
    production: Manifests, start_replica: StartReplica
) -> None:
    started = time.monotonic()
    replica = start_replica(environment=production.environment)
    startup = production.container["startupProbe"]
    assert time.monotonic() - started < startup["periodSeconds"] * startup["failureThreshold"]
    probes = {name: production.container[name] for name in PROBES}
    assert {name: passes(probe, replica) for name, probe in probes.items()} == dict.fromkeys(PROBES, True)
    with pytest.raises(grpc.RpcError) as unknown:
        passes({"grpc": {"service": "seq2serve.v1.NoService"}}, replica)
    assert unknown.value.code() == grpc.StatusCode.NOT_FOUND

    # A client that does not watch health, as ours does: it would go elsewhere at once.
    with grpc.insecure_channel(replica.grpc_address) as channel:
        stub = pb_grpc.TranslationServiceStub(channel)  # type: ignore[no-untyped-call]
        replica.send(signal.SIGTERM)
        while passes(probes["readinessProbe"], replica):
            assert time.monotonic() - started < 60, "SIGTERM was not heard"
        assert passes(probes["livenessProbe"], replica), "a replica that drains is not to be killed"
        assert stub.Translate(REQUEST).results, "until balancers know, it goes on"
    assert replica.wait(production.pod["spec"]["terminationGracePeriodSeconds"]) == 0


def test_metrics_that_the_autoscaler_needs_are_there(production: Manifests, start_replica: StartReplica) -> None:
    replica = start_replica(environment=production.environment)
    path = production.one("ServiceMonitor")["spec"]["endpoints"][0]["path"]
    with urllib.request.urlopen(f"http://{replica.http_address}{path}", timeout=LIMIT_SECONDS) as response:
        exposed = response.read().decode()
    query = adapter_rule()["metricsQuery"]
    for name in ("seq2serve_requests_running", "seq2serve_requests_waiting"):
        assert f"\n{name}{{" in exposed
        assert name in query


def test_the_autoscaler_sees_what_runs_and_what_waits(
    production: Manifests, promtool_program: Path, tmp_path: Path
) -> None:
    rule = adapter_rule()
    (metric,) = production.one("HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    query = rule["metricsQuery"].replace("<<.LabelMatchers>>", 'namespace="seq2serve",pod=~"a|b"')
    query = query.replace("<<.GroupBy>>", "pod")
    assert "<<" not in query
    labels = 'namespace="seq2serve",model="en-ko"'
    series = {
        f'seq2serve_requests_running{{pod="a",{labels}}}': "3+0x20",
        f'seq2serve_requests_running{{pod="b",{labels}}}': "64+0x20",
        f'seq2serve_requests_running{{pod="c",{labels}}}': "9+0x20",
        f'seq2serve_requests_waiting{{pod="a",reason="rows",{labels}}}': "0+0x20",
        f'seq2serve_requests_waiting{{pod="b",reason="rows",{labels}}}': "100+0x20",
        f'seq2serve_requests_waiting{{pod="b",reason="queue",{labels}}}': "36+0x20",
    }
    samples = [{"labels": '{pod="a"}', "value": 3}, {"labels": '{pod="b"}', "value": 200}]
    test = {
        "interval": "15s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": "4m", "exp_samples": samples}],
    }
    file = tmp_path / "adapter.yml"
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "15s", "tests": [test]}))
    done = subprocess.run([promtool_program, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_secrets_make_it_secure(kubectl: Path, start_replica: StartReplica, tmp_path: Path) -> None:
    manifests = Manifests(build(kubectl, "overlays/secured"))
    token = write_secrets(manifests, tmp_path)
    replica = start_replica(environment=in_directory(manifests, tmp_path))
    for name in PROBES:
        assert passes(manifests.container[name], replica), name
    known = Credentials(tls=True, ca_file=tmp_path / "ca.pem", token=token)
    with Client(f"localhost:{replica.grpc_port}", credentials=known) as client:
        assert client.translate("Open the file.") != ""
    unknown = Credentials(tls=True, ca_file=tmp_path / "ca.pem")
    with Client(f"localhost:{replica.grpc_port}", credentials=unknown) as client, pytest.raises(grpc.RpcError) as error:
        client.translate("Open the file.")
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert http_status(replica, "/v1/models") == 404, "texts and tokens do not go over the port without TLS"
    assert http_status(replica, "/metrics") == 200


def test_without_a_gpu_the_gpu_overlay_says_so(kubectl: Path) -> None:
    manifests = Manifests(build(kubectl, "overlays/gpu"))
    addresses = ["--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0"]
    done = subprocess.run(
        [sys.executable, "-m", "service", *addresses],
        env=dict(manifests.environment),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "device cuda: this onnxruntime has no CUDA provider" in done.stderr


def adapter_rule() -> Manifest:
    """The only one of the Prometheus adapter's."""
    (rule,) = yaml.safe_load(ADAPTER.read_text())["rules"]["custom"]
    return dict(rule)


def write_secrets(manifests: Manifests, directory: Path) -> str:
    """What the Secrets hold, where their volumes are mounted below a directory; returns a client's token."""
    mounts = {mount["name"]: directory / mount["mountPath"][1:] for mount in manifests.container["volumeMounts"]}
    for path in mounts.values():
        path.mkdir(parents=True)
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(mounts["tls"] / "tls.key"))
    certificate.cert_chain_pems[0].write_to_path(str(mounts["tls"] / "tls.crt"))
    made = subprocess.run(
        [sys.executable, "-m", "service.new_token", "website"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    (mounts["clients"] / "clients.toml").write_text(made.stdout)
    return made.stderr.split()[-1]


def in_directory(manifests: Manifests, directory: Path) -> Mapping[str, str]:
    """The container's environment, with the paths of its volumes below a directory."""
    moved = {
        name: str(directory / value[1:]) if value.startswith("/etc/") else value
        for name, value in manifests.environment.items()
    }
    assert moved != manifests.environment
    return moved
