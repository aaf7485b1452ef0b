#!/usr/bin/env bash
# Packs what python -m bench.gpu needs and a machine with a GPU, PyTorch and no internet lacks.
#
#   bench/gpu/carry.sh [DIRECTORY] [PYTHON_VERSION]     .gpu-bench and 312, where nothing is said
#
# Writes into DIRECTORY: small wheels; onnxruntime-gpu without its TensorRT provider, in pieces of 50 MiB at most; SHA256SUMS.
# What lies there already is not fetched again. bench/gpu/unpack.sh puts it together.
set -euo pipefail
cd "$(dirname "$0")/../.."
directory=${1:-.gpu-bench} python_version=${2:-312}
python=${PYTHON:-.venv/bin/python}
small="grpcio protobuf msgspec orjson googleapis-common-protos grpcio-health-checking grpcio-reflection h11 starlette
  uvicorn python-multipart py3langid sentencex polib fluent.syntax"

mkdir -p "$directory/wheels" "$directory/large"
fetch() {
  local into=$1
  shift
  "$python" -m pip download --quiet --no-deps --only-binary=:all: --constraint constraints.txt \
    --python-version "$python_version" --implementation cp --platform manylinux_2_28_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --dest "$into" "$@"
}
# shellcheck disable=SC2086
fetch "$directory/wheels" $small
compgen -G "$directory/large/*.whl" >/dev/null || fetch "$directory/large" onnxruntime-gpu

unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT
"$python" -m zipfile -e "$directory"/large/onnxruntime_gpu-*.whl "$unpacked"
rm "$unpacked"/onnxruntime/capi/libonnxruntime_providers_tensorrt.so
rm -f "$directory"/onnxruntime.tar.xz.*
tar --directory "$unpacked" --create . | xz --threads=0 -6 | split --bytes=50M - "$directory/onnxruntime.tar.xz."
(cd "$directory" && sha256sum onnxruntime.tar.xz.* wheels/*.whl >SHA256SUMS)
du --human-readable "$directory"/onnxruntime.tar.xz.* "$directory/wheels"
