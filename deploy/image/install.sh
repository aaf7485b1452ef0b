#!/bin/sh
# install.sh EXTRA,EXTRA…: what pyproject.toml says that serving needs with these, in the versions of constraints.txt.
# install.sh service: the service alone.
# install.sh sbom: what writes the bill of materials, into an environment of its own.
# The first two fill /opt/seq2serve and compile it: the container's file system is read-only.
set -eu
if [ -e /run/secrets/ca-certificates ]; then export PIP_CERT=/run/secrets/ca-certificates; fi
# For what building a package needs, too.
export PIP_CONSTRAINT=/src/constraints.txt
pip() { python3.11 -m pip --python "/opt/$1/bin/python" install --no-compile $2; }

case $1 in
    sbom)
        python3.11 -m venv --without-pip /opt/sbom
        pip sbom "--only-binary :all: cyclonedx-bom"
        exit
        ;;
    service)
        pip seq2serve "--no-deps ."
        ;;
    *)
        requirements=$(mktemp)
        python3.11 - $(echo "$1" | tr ',' ' ') > "$requirements" <<'PYTHON'
import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
print(*project["dependencies"], *(line for extra in sys.argv[1:] for line in extras[extra]), sep="\n")
PYTHON
        pip seq2serve "--only-binary :all: --requirement $requirements"
        ;;
esac

# Programs of packages would each need the Python that they were installed with; only that one is of use here.
find /opt/seq2serve/bin -mindepth 1 ! -name 'python*' -delete
python3.11 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/seq2serve/lib
