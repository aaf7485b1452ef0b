"""What /metrics tells of models that come and go."""

from __future__ import annotations

from service.api.served_model import ServedModel
from service.bundle.runtime import PROVIDERS
from service.metrics.families import Metrics


def show_version(metrics: Metrics, model: ServedModel) -> None:
    """Tell which version of a model is served."""
    metrics.model_info.labels(*_labels(model)).set(1)
    metrics.model_load.labels(model.manifest.name).set(model.bundle.load_seconds)


def hide_version(metrics: Metrics, model: ServedModel) -> None:
    """It is served no more."""
    metrics.model_info.remove(*_labels(model))


def _labels(model: ServedModel) -> tuple[str, ...]:
    manifest = model.manifest
    return manifest.name, manifest.version, manifest.precision, PROVIDERS[model.bundle.device], manifest.sha256
