"""What is in the image, and what is not."""

from __future__ import annotations

import json
import re
import tomllib
from email.parser import Parser
from pathlib import Path

import pytest

from tests.image.conftest import Image
from tests.image.workshop import REPOSITORY, Workshop

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(1800)]

MAX_BYTES = 400_000_000
SITE_PACKAGES = "opt/seq2serve/lib/python3.11/site-packages"
# Of what builds, installs or could be used by whoever gets in.
UNWANTED = re.compile(
    r"(^|/)(sh|bash|dash|busybox|gcc|cc|g\+\+|ld|as|make|apt|apt-get|dpkg|perl|pip|pip3|curl|wget|su|mount)$"
    r"|(^|/)(pip|setuptools|wheel|torch|cyclonedx_py|ensurepip|nvidia)(-[^/]+\.dist-info)?$"
    r"|\.cache/|^var/(cache|lib/apt)/.|^src/|^root/.|pip\.conf$|\.(whl|deb)$|^models/.*\.partial$"
)
RECORD_OF_UNCHECKED_HASH = (1).to_bytes(4, "little")
"""Flags in a .pyc (PEP 552): nobody compares it with its source when it is loaded."""


def paths(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in root.rglob("*")]


def test_it_is_small(workshop: Workshop, image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    described = workshop.inspect(image.id)
    layers = workshop.podman("history", "--format={{.Size}} {{.CreatedBy}}", "--no-trunc", image.id)
    with capsys.disabled():
        print(f"\n{described['Size'] / 1e6:.0f} MB, of which:")
        for size, unit, command in re.findall(r"^([1-9][\d.]*) ([kMG]?B) .*COPY \S+ in (\S+)", layers, re.MULTILINE):
            print(f"{size:>6} {unit} {command}")
    assert described["Size"] < MAX_BYTES


def test_it_says_what_it_is(workshop: Workshop, image: Image) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    labels = workshop.inspect(image.id)["Config"]["Labels"]
    prefix = "org.opencontainers.image."
    said = {name.removeprefix(prefix): text for name, text in labels.items() if name.startswith(prefix)}
    assert said["version"] == project["version"]
    assert said["licenses"] == project["license"]
    assert said["revision"] == image.revision
    assert {"title", "description", "source", "created"} <= set(said)


def test_it_runs_as_a_user_without_rights_and_tells_how_it_is_watched_and_stopped(
    workshop: Workshop, image: Image
) -> None:
    config = workshop.inspect(image.id)["Config"]
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert workshop.inspect(image.id)["Healthcheck"]["Test"] == [
        "CMD",
        "/opt/seq2serve/bin/python",
        "-m",
        "service.health_check",
    ]
    assert set(config["ExposedPorts"]) == {"50051/tcp", "8080/tcp"}


def test_nothing_in_it_can_build_install_or_open_a_shell(files: Path) -> None:
    assert [path for path in paths(files) if UNWANTED.search(path) and not (files / path).is_dir()] == []
    assert {path for path in paths(files) if path.count("/") == 1 and path.startswith(("run/", "tmp/"))} == set()


def test_no_file_gives_rights_or_can_be_changed_by_its_user(files: Path) -> None:
    modes = {path: path.lstat().st_mode for path in files.rglob("*") if not path.is_symlink()}
    assert [path for path, mode in modes.items() if mode & 0o6000] == []
    assert [path for path, mode in modes.items() if mode & 0o002] == [files / "tmp"]
    assert {path.lstat().st_uid for path in modes} == {0}


def test_neither_layers_nor_history_tell_how_packages_were_fetched(
    workshop: Workshop, image: Image, files: Path
) -> None:
    told = json.dumps(workshop.inspect(image.id)) + workshop.podman("history", "--no-trunc", "--format=json", image.id)
    assert not re.search(r"index-url|proxy|PIP_|https?://", told, re.IGNORECASE)
    direct = next((files / SITE_PACKAGES).glob("seq2serve-*.dist-info")) / "direct_url.json"
    assert json.loads(direct.read_text())["url"] == "file:///src"
    certificates = (files / "etc/ssl/certs/ca-certificates.crt").read_text()
    of_debian = [path.read_text() for path in (files / "usr/share/ca-certificates/mozilla").glob("*.crt")]
    assert certificates.count("BEGIN CERTIFICATE") == len(of_debian) > 100


def test_everything_is_compiled_as_nothing_can_be_when_it_runs(files: Path) -> None:
    for directory in ("usr/lib/python3.11", SITE_PACKAGES):
        for source in (files / directory).rglob("*.py"):
            if "lib2to3" in source.parts or not source.stem.isidentifier():
                continue  # data that look like programs, for tools
            compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-311.pyc"
            assert compiled.read_bytes()[4:8] == RECORD_OF_UNCHECKED_HASH, compiled


def test_the_bill_of_materials_is_complete(files: Path) -> None:
    bill = json.loads((files / "usr/share/sbom/seq2serve.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    listed = {component["purl"].split("?")[0] for component in bill["components"]}
    pinned = dict(
        line.split("==") for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if "==" in line
    )
    assert {f"pkg:pypi/{name}@{pinned[name]}" for name in ("onnxruntime", "grpcio")} <= listed
    for metadata in (files / SITE_PACKAGES).glob("*.dist-info/METADATA"):
        package = Parser().parsestr(metadata.read_text())
        name = re.sub(r"[-_.]+", "-", package["Name"]).lower()
        assert f"pkg:pypi/{name}@{package['Version']}" in listed | {root_of(bill)}
    status = (files / "var/lib/dpkg/status").read_text()
    debian = re.findall(r"^Package: (.*)$", status, re.MULTILINE)
    assert sorted(debian) == sorted((REPOSITORY / "deploy/image/packages.txt").read_text().split())
    assert {name.split("@")[0] for name in listed if name.startswith("pkg:deb/")} == {
        f"pkg:deb/debian/{name.replace('+', '%2B')}" for name in debian
    }


def root_of(bill: dict[str, dict[str, dict[str, str]]]) -> str:
    """What the bill is of, as its components are named."""
    root = bill["metadata"]["component"]
    return f"pkg:pypi/{root['name']}@{root['version']}"


def test_licences_are_in_it(files: Path) -> None:
    for package in (REPOSITORY / "deploy/image/packages.txt").read_text().split():
        documents = files / "usr/share/doc" / package
        assert (documents / "copyright").exists() or documents.is_symlink(), package
    assert list((files / SITE_PACKAGES).glob("seq2serve-*.dist-info/licenses/LICENSE"))
    assert list((files / "models").glob("*/MODEL_CARD.md"))


def test_a_build_is_given_only_what_it_copies(workshop: Workshop, tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    with workshop.files(workshop.build(dockerfile=dockerfile)) as root:
        given = paths(root)
    top = {path.split("/")[0] for path in given}
    assert top == {"LICENSE", "README.md", "constraints.txt", "deploy", "models", "pyproject.toml", "service"}
    assert {path for path in given if path.count("/") == 1 and path.startswith("deploy/")} == {"deploy/image"}
    assert [path for path in given if "__pycache__" in path] == []
