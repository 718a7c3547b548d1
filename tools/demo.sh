#!/usr/bin/env bash
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Installs what is missing, builds, and runs T5-small's encoder and decoder
# self-attention on the inputs of a seeded Hugging Face layer.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

usage() {
  cat <<TEXT
usage: tools/demo.sh [--no-torch]

  --no-torch   do without PyTorch and transformers (a large download): inputs
               are drawn from the distributions of that layer's initialisation
TEXT
}

with_torch=1
for argument in "$@"; do
  case $argument in
    --no-torch) with_torch=0 ;;
    -h|--help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument: $argument" ;;
  esac
done

relattn_setup $with_torch
say "running test/Examples/t5-encoder.mlir and t5-decoder.mlir"
arguments=()
[ $with_torch = 1 ] || arguments+=(--no-torch)
"$RELATTN_PYTHON" -m relattn.demo "${arguments[@]}"
