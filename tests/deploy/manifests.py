"""Questions to Kubernetes objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.deploy.kubectl import Manifest

MEMORY_UNITS = {"Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class Manifests:
    """What one directory builds to."""

    objects: list[Manifest]

    def of_kind(self, kind: str) -> list[Manifest]:
        """In their order."""
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind: str, name: str = "seq2serve") -> Manifest:
        """The one of that kind and name."""
        (found,) = [one for one in self.of_kind(kind) if one["metadata"]["name"] == name]
        return found

    @property
    def pod(self) -> Manifest:
        """The Deployment's template."""
        return dict(self.one("Deployment")["spec"]["template"])

    @property
    def container(self) -> Manifest:
        """The only one."""
        (found,) = self.pod["spec"]["containers"]
        return dict(found)

    @property
    def ports(self) -> dict[str, int]:
        """Of the container, by name."""
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}

    @property
    def environment(self) -> dict[str, str]:
        """What the container's process sees, as far as Kubernetes says it."""
        requests = self.container["resources"]["requests"]
        values = {name: str(value) for name, value in self._settings.items()}
        for variable in self.container["env"]:
            origin = variable.get("valueFrom", {})
            if "resourceFieldRef" in origin:
                resource = origin["resourceFieldRef"]
                assert (resource["resource"], resource["divisor"]) == ("requests.cpu", "1")
                values[variable["name"]] = requests["cpu"]
            else:
                values[variable["name"]] = variable.get("value", "a field of the pod")
        return values

    @property
    def _settings(self) -> dict[str, Any]:
        (source,) = self.container["envFrom"]
        return dict(self.one("ConfigMap", source["configMapRef"]["name"])["data"])


def selects(labels: dict[str, str], objects: Iterable[Manifest]) -> list[str]:
    """Names of the objects that carry all these labels."""
    return [one["metadata"]["name"] for one in objects if labels.items() <= one["metadata"].get("labels", {}).items()]


def num_bytes(quantity: str) -> int:
    """Of a quantity such as 768Mi."""
    return int(quantity[:-2]) * MEMORY_UNITS[quantity[-2:]]
