"""sbom.py ENVIRONMENT STATUS FILE: what an image consists of, as CycloneDX: Python's packages and Debian's."""

from __future__ import annotations

import json
import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from urllib.parse import quote


def debian_components(status: str) -> list[dict[str, str]]:
    """The packages of dpkg's status file, one component each."""
    paragraphs = [Parser().parsestr(paragraph) for paragraph in status.strip().split("\n\n")]
    return [
        {
            "type": "library",
            "bom-ref": f"deb:{package['Package']}",
            "publisher": package["Maintainer"],
            "name": package["Package"],
            "version": package["Version"],
            "purl": f"pkg:deb/debian/{quote(package['Package'])}@{quote(package['Version'])}"
            f"?arch={package['Architecture']}&distro=debian-12",
        }
        for package in paragraphs
    ]


def main(environment: str, status: str, target: str) -> None:
    """Write it; the same packages make the same file."""
    file = Path(target)
    file.parent.mkdir(parents=True, exist_ok=True)
    command = ["-m", "cyclonedx_py", "environment", "--output-reproducible", "--pyproject", "pyproject.toml"]
    subprocess.run([sys.executable, *command, "--output-file", target, f"{environment}/bin/python"], check=True)
    bill = json.loads(file.read_text())
    bill["components"] += debian_components(Path(status).read_text())
    file.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
