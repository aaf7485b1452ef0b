"""What Kubernetes and the Prometheus operator accept."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from tests.deploy.kubectl import Manifest

OPERATOR_KINDS = {"PrometheusRule", "ServiceMonitor"}
PACKAGES = {
    "kubernetes_validate": "kubernetes-validate",
    "cloudcoil.models.prometheus_operator.v1": "cloudcoil-models-prometheus-operator",
}


class RefusedError(Exception):
    """The API server would refuse an object, or drop a field that it does not know."""


def check(manifest: Manifest, version: str) -> None:
    """Against the schemas of that Kubernetes, strictly.

    Raises:
        RefusedError: it is not valid.
        ModuleNotFoundError: a package is missing.
    """
    if manifest["kind"] in OPERATOR_KINDS:
        _check_operators(manifest)
    else:
        _check_core(manifest, version)


def newest_version() -> str:
    """Of Kubernetes, of those whose schemas are at hand."""
    return str(_module("kubernetes_validate").latest_version())


def _check_core(manifest: Manifest, version: str) -> None:
    validate = _module("kubernetes_validate")
    try:
        validate.validate(manifest, version, strict=True)
    except validate.ValidationError as error:
        raise RefusedError(f"{manifest['kind']} {list(error.path)}: {error.message}") from None


def _check_operators(manifest: Manifest) -> None:
    model = getattr(_module("cloudcoil.models.prometheus_operator.v1"), manifest["kind"])
    try:
        known = model.model_validate(manifest).model_dump(mode="json", by_alias=True, exclude_unset=True)
    except ValueError as error:
        raise RefusedError(f"{manifest['kind']}: {error}") from None
    if known != manifest:
        raise RefusedError(f"{manifest['kind']}: of {manifest}, only this is known: {known}")


def _module(name: str) -> ModuleType:
    """Imported when it is needed: what runs without these packages is to be collected, too."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{PACKAGES[name]} is not installed: pip install {PACKAGES[name]}, which make deploy-test does"
        ) from error
