#!/usr/bin/env bash
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Installs what is missing, builds, and runs all tests. The last line counts
# them: `N passed, M failed, K skipped`.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

usage() {
  cat <<TEXT
usage: tools/check.sh [--quick] [--no-torch]

  --quick      only the tests of a few seconds each; under a minute once built
  --no-torch   leave out the tests that need PyTorch and transformers
TEXT
}

quick=0 with_torch=1
for argument in "$@"; do
  case $argument in
    --quick) quick=1 ;;
    --no-torch) with_torch=0 ;;
    -h|--help) usage; exit 0 ;;
    *) usage >&2; die "unknown argument: $argument" ;;
  esac
done

relattn_setup $with_torch
[ $with_torch = 1 ] || say "without PyTorch: the comparisons with it and with Hugging Face are left out"

status=0
say "format"
tools/format.sh || status=1

say "documentation"
cmake --build build --target relattn-doc >build/doc.log 2>&1 ||
  { tail -n 20 build/doc.log >&2; status=1; }

results=()
suite() { # name, lit arguments
  local name=$1; shift
  say "suite: $name"
  results+=("build/test-$name.json")
  "$("$(command -v llvm-config-22)" --bindir)/lit" --succinct --verbose \
    --output "build/test-$name.json" "$@" build/test || status=1
}
if [ $quick = 1 ]; then
  suite quick --param quick=1
else
  suite full
  # Every relattn-opt once more under --verify-roundtrip; the tests that print
  # no IR add nothing to that.
  suite roundtrip --param verify-roundtrip=1 --param quick=1
fi
"$RELATTN_PYTHON" tools/count_tests.py "${results[@]}" || status=1
exit $status
