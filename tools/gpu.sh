#!/usr/bin/env bash
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Conformance and benchmark of the GPU schedules, in two steps that may be on two
# machines: `--build` compiles, without a GPU; the rest needs a driver and a
# python3 with PyTorch, and nothing of LLVM.
set -euo pipefail

usage() {
  cat <<TEXT
usage: tools/gpu.sh --build [arguments of relattn_gpu_bench.build]
       tools/gpu.sh [arguments of relattn_gpu_bench]

  --build  install what is missing, build relattn, and compile kernels and
           conformance cases into build/gpu (for sm_90a, by ptxas if it is on PATH)
  else     run what is in build/gpu (copied there, if need be): every conformance
           case against the float64 oracle, then times against PyTorch's

The arguments: add --help.
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ "${1:-}" = -h ] || [ "${1:-}" = --help ]; then usage; exit 0; fi
if [ "${1:-}" = --build ]; then
  shift
  source "$root/tools/setup.sh"
  relattn_setup 0
  format=isa
  command -v ptxas >/dev/null && format=binary
  PYTHONPATH=$root/python:$root/test/Benchmark RELATTN_BIN=$root/build/bin \
    "$RELATTN_PYTHON" -m relattn_gpu_bench.build --out "$root/build/gpu" \
    --format "$format" "$@"
  exit
fi
[ -f "$root/build/gpu/manifest.json" ] ||
  { echo "error: build/gpu has no kernels: run tools/gpu.sh --build first" >&2; exit 1; }
python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null ||
  { echo "error: python3 has no PyTorch that finds a GPU" >&2; exit 1; }
PYTHONPATH=$root/python:$root/test/Benchmark \
  python3 -m relattn_gpu_bench --files "$root/build/gpu" "$@"
