#!/usr/bin/env bash
# The other side of carry.sh: checks its files and installs them into a folder for PYTHONPATH.
#
#   bench/gpu/unpack.sh DIRECTORY SITE && export PYTHONPATH=SITE
#
# DIRECTORY holds all that carry.sh wrote but the folder `large`. Says at the end what onnxruntime finds on the machine.
set -euo pipefail
directory=$1 site=$2
python=${PYTHON:-python3}
(cd "$directory" && sha256sum --check --quiet SHA256SUMS)
mkdir -p "$site"
"$python" -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target "$site" "$directory"/wheels/*.whl
cat "$directory"/onnxruntime.tar.xz.* | tar --directory "$site" --extract --xz
# onnxruntime looks for CUDA's libraries beside itself, where pip puts them; here they came with PyTorch.
libraries=$("$python" -c 'import nvidia; print(next(iter(nvidia.__path__)))')
ln --symbolic --force --no-dereference "$libraries" "$site/nvidia"
PYTHONPATH=$site "$python" -c 'import onnxruntime as ort; print(ort.__version__, *ort.get_available_providers())'
