#!/usr/bin/env bash
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Installs what is missing, builds, and runs relattn-bench.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

usage() {
  cat <<TEXT
usage: tools/bench.sh [--install-peers] [arguments of relattn-bench]

  --install-peers  ONNX Runtime, OpenVINO, JAX and IREE, a gigabyte, into
                   build/bench-packages; what is there is compared with

In two steps that may be on two machines, the second with Python, NumPy and ml_dtypes
alone: --build FOLDER here, then, with python and test/Benchmark on PYTHONPATH there,
python3 -m relattn_bench --kernels FOLDER, and the same cases and --target-cpu.

The arguments: tools/bench.sh -- --help
TEXT
}

packages=(matplotlib tqdm) arguments=() folder=$PWD
for argument in "$@"; do
  case $argument in
    --install-peers) packages+=(onnxruntime openvino jax iree-base-compiler iree-base-runtime) ;;
    -h|--help) if [ $# = 1 ]; then usage; exit 0; fi; arguments+=("$argument") ;;
    --) ;;
    *) arguments+=("$argument") ;;
  esac
done

relattn_setup 1
# Beside the environment of the tests, whose versions stay as they are.
target=$RELATTN_ROOT/build/bench-packages
stamp=$target/.installed
if ! grep -qxF "${packages[*]}" "$stamp" 2>/dev/null; then
  say "installing Python packages into build/bench-packages: ${packages[*]}"
  "$RELATTN_PYTHON" -m pip install --quiet --disable-pip-version-check \
    --upgrade --target "$target" "${packages[@]}" || die "pip could not install: ${packages[*]}"
  echo "${packages[*]}" >>"$stamp"
fi
cd "$folder"
PYTHONPATH=$RELATTN_ROOT/python:$RELATTN_ROOT/test/Benchmark:$target \
  exec "$RELATTN_PYTHON" -m relattn_bench "${arguments[@]}"
