"""The image at work, in a container that can write nothing."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from service.client import Client
from service.pb.seq2serve.v1 import model_service_pb2, model_service_pb2_grpc
from tests.image.conftest import Image
from tests.image.container import Container
from tests.image.workshop import REPOSITORY, Workshop

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(1800)]

PYTHON = "/opt/seq2serve/bin/python"
HANGUL = re.compile("[가-힣]")
# What may be in any image: modules of CUDA and the like load elsewhere.
LOAD_EVERYTHING = """
import ctypes, importlib, pathlib, pkgutil, service
for module in pkgutil.walk_packages(service.__path__, "service."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
libraries = [str(path) for path in pathlib.Path("/opt/seq2serve/lib").rglob("*.so*")]
for library in libraries:
    ctypes.CDLL(library)
print(len(libraries))
"""

CHECK_REQUIREMENTS = """
from importlib.metadata import distributions, version
from packaging.requirements import Requirement
for distribution in distributions():
    for requirement in map(Requirement, distribution.requires or ()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            assert version(requirement.name) in requirement.specifier, (distribution.name, requirement)
    print(distribution.name)
"""


@pytest.fixture(scope="module")
def container(workshop: Workshop, image: Image) -> Iterator[Container]:
    with Container(workshop, image.id) as running:
        yield running


def models_at(address: str) -> list[str]:
    with grpc.insecure_channel(address) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)  # type: ignore[no-untyped-call]
        return sorted(model.name for model in stub.ListModels(model_service_pb2.ListModelsRequest(), timeout=10).models)


def test_it_translates_for_a_client_outside(container: Container) -> None:
    with Client(container.address, source_language="en", target_language="ko") as client:
        assert HANGUL.search(client.translate("Open the file."))


def test_it_has_the_bundled_models(container: Container) -> None:
    assert models_at(container.address) == sorted(path.name for path in (REPOSITORY / "models").iterdir())


def test_its_process_has_no_rights(container: Container) -> None:
    assert container.status("Uid").split() == ["10001"] * 4
    assert container.status("Gid").split() == ["10001"] * 4
    assert int(container.status("CapEff"), 16) == int(container.status("CapBnd"), 16) == 0
    assert container.status("NoNewPrivs") == "1"


def test_nothing_can_be_written_there(container: Container) -> None:
    for place in ("/tmp/x", "/x", "/models/x", "/opt/seq2serve/x"):
        done = container.run(PYTHON, "-c", f"open({place!r}, 'w')")
        assert done.returncode != 0
        assert re.search("Read-only file system|Permission denied", done.stderr)


def test_onnx_runtime_reports_nothing(container: Container) -> None:
    assert "telemetry" not in container.log


def test_every_module_and_library_loads(container: Container) -> None:
    done = container.run(PYTHON, "-c", LOAD_EVERYTHING)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


def test_every_package_has_what_it_needs(container: Container) -> None:
    done = container.run(PYTHON, "-c", CHECK_REQUIREMENTS)
    assert (done.returncode, done.stderr) == (0, "")
    assert {"onnxruntime", "opentelemetry-sdk", "seq2serve"} <= set(done.stdout.split())


def test_the_health_check_fails_where_nothing_serves(workshop: Workshop, image: Image) -> None:
    flags = ["--rm", "--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"]
    done = workshop.podman_process(
        "run", *flags, f"--entrypoint={PYTHON}", image.id, "-m", "service.health_check", "--timeout-seconds=1"
    )
    assert done.returncode == 1
    assert done.stdout.startswith("not serving: ")


def test_with_its_own_settings_it_serves_on_all_addresses(workshop: Workshop, image: Image) -> None:
    with Container(workshop, image.id, is_on_host=False) as alone:
        assert "gRPC on 0.0.0.0:50051, HTTP on http://0.0.0.0:8080 (cpu)" in alone.log


def test_told_to_stop_it_finishes_what_it_began(workshop: Workshop, image: Image, container: Container) -> None:
    text = " ".join(f"The file number {number} could not be opened." for number in range(60))
    with Client(container.address, source_language="en", target_language="ko") as client:
        expected = client.translate(text)
    pieces: list[str] = []
    began = threading.Event()

    def translate(address: str) -> None:
        with Client(address, source_language="en", target_language="ko") as client:
            for piece in client.stream(text):
                pieces.append(piece)
                began.set()

    with Container(workshop, image.id) as stopping:
        thread = threading.Thread(target=translate, args=(stopping.address,))
        thread.start()
        assert began.wait(30)
        so_far = "".join(pieces)
        stopping.terminate()
        assert stopping.wait() == 0
        thread.join(30)
        assert "draining" in stopping.log
    assert len(so_far) < len(expected)
    assert "".join(pieces) == expected


def test_models_can_be_mounted(workshop: Workshop, image: Image) -> None:
    model = REPOSITORY / "models" / "ko-en-software"
    with Container(workshop, image.id, f"--volume={model}:/models:ro") as mounted:
        assert models_at(mounted.address) == ["ko-en-software"]


def test_other_models_can_be_baked(workshop: Workshop) -> None:
    baked = workshop.build("--target=cpu", MODELS="models/ko-en-software")
    with Container(workshop, baked) as running:
        assert models_at(running.address) == ["ko-en-software"]


def test_models_from_anywhere_can_be_baked(workshop: Workshop, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "models" / "en-ko-software", tmp_path / "elsewhere")
    baked = workshop.build("--target=cpu", f"--build-context=models={tmp_path}")
    with Container(workshop, baked) as running:
        assert models_at(running.address) == ["en-ko-software"]
