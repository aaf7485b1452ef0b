"""The manifests as they are written, without programs: in step with the service, the project and Compose."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import yaml

from bench.processes import REPOSITORY
from deploy.kubernetes import prometheus_rules
from service.settings import ENVIRONMENT_PREFIX, Settings
from tests.deploy.kubectl import KUBERNETES

PAGE = REPOSITORY / "docs" / "deploy" / "kubernetes.md"
FILES = sorted([*KUBERNETES.rglob("*.yaml"), *KUBERNETES.rglob("*.env")])
VERSION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]


def kustomization(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((KUBERNETES / name / "kustomization.yaml").read_text()))


def image_of(overlay: str) -> str:
    (image,) = kustomization(overlay)["images"]
    return f"{image['name']}:{image['newTag']}"


def test_the_operators_rules_are_those_of_deploy_prometheus() -> None:
    assert prometheus_rules.text() == prometheus_rules.OUTPUT.read_text(), (
        "python -m deploy.kubernetes.prometheus_rules"
    )
    alerts = list(yaml.safe_load_all(prometheus_rules.text()))[1]
    names = [group["name"] for group in alerts["spec"]["groups"]]
    assert "seq2serve-slo" in names
    assert "envoy" not in names, "it would alarm for ever where there is none"


def test_files_name_only_variables_of_the_service() -> None:
    settings = {ENVIRONMENT_PREFIX + name.upper() for name in Settings.__dataclass_fields__}
    # One that is no setting stands for what Kubernetes would add by itself.
    named = {name for file in FILES for name in re.findall(rf"\b{ENVIRONMENT_PREFIX}[A-Z0-9_]+\b", file.read_text())}
    assert named - settings == {"SEQ2SERVE_HTTP_PORT"}
    assert len(named) > 10


def test_every_file_is_used() -> None:
    used = {KUBERNETES / "prometheus-adapter" / "values.yaml"}
    for file in FILES:
        if file.name == "kustomization.yaml":
            content = yaml.safe_load(file.read_text())
            patches = [patch["path"] for patch in content.get("patches", []) if "path" in patch]
            envs = [name for one in content.get("configMapGenerator", []) for name in one.get("envs", [])]
            parts = [*content.get("resources", []), *content.get("components", []), *patches, *envs]
            used |= {file, *((file.parent / part).resolve() for part in parts)}
    assert [file for file in FILES if file not in used] == []
    components = {path for path in (KUBERNETES / "components").iterdir() if path.is_dir()}
    assert components <= used, "each is part of an overlay, and so is tested"


def test_images_are_those_of_compose_and_of_this_version() -> None:
    services = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())["services"]
    assert image_of("overlays/cpu") == services["service"]["image"] == f"seq2serve:{VERSION}-cpu"
    assert image_of("overlays/gpu") == services["service-cuda"]["image"]
    for name in ("base", "overlays/cpu", "overlays/gpu"):
        (labels,) = kustomization(name)["labels"]
        assert labels["pairs"]["app.kubernetes.io/version"] == VERSION


def test_the_page_tells_of_every_component_and_secret() -> None:
    page = PAGE.read_text()
    components = [path.name for path in (KUBERNETES / "components").iterdir() if path.is_dir()]
    names = re.findall(r"(?:secretName|claimName): (\S+)", "".join(file.read_text() for file in FILES))
    assert len(components) >= 6
    assert len(names) == 3
    for name in (*components, *names):
        assert f"`{name}`" in page, name
