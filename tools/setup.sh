# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# Sourced by demo.sh, check.sh and bench.sh: installs what is missing, configures and
# builds. Everything that it makes is under build/.
#
#   relattn_setup 0|1     1: with PyTorch, transformers and torch-mlir
#
# Sets RELATTN_ROOT, RELATTN_PYTHON.

RELATTN_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
RELATTN_PYTHON=$RELATTN_ROOT/build/venv/bin/python

RELATTN_PACKAGES="clang-22 clang-format-22 lld-22 llvm-22-dev llvm-22-tools
  libmlir-22-dev mlir-22-tools libomp-22-dev libgtest-dev g++
  cmake ninja-build ccache git python3 python3-venv zlib1g-dev libzstd-dev"

# OpenCL and Vulkan on the CPU, for tests: where a system has no such package, these
# are left out.
RELATTN_OPTIONAL_PACKAGES="ocl-icd-opencl-dev pocl-opencl-icd llvm-spirv-15
  oclgrind spirv-tools libvulkan-dev mesa-vulkan-drivers"

say() { printf '== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

relattn_missing_packages() { # package...
  local package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
      grep -q 'install ok installed' || printf ' %s' "$package"
  done
}

relattn_apt_install() { # package...
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
    --no-install-recommends "$@" >/dev/null
}

relattn_install_packages() {
  command -v dpkg-query >/dev/null ||
    die "this is no Debian system; install by hand what these packages hold: $RELATTN_PACKAGES"
  local missing optional package
  missing=$(relattn_missing_packages $RELATTN_PACKAGES)
  optional=$(relattn_missing_packages $RELATTN_OPTIONAL_PACKAGES)
  [ -z "$missing$optional" ] && return
  if [ "$(id -u)" != 0 ]; then
    [ -z "$missing" ] || die "missing packages; as root run: apt-get install$missing"
    say "without$optional: the tests that need them are left out"
    return
  fi
  say "installing Debian packages:$missing$optional"
  apt-get -qq update || die "apt-get update failed"
  [ -z "$missing" ] || relattn_apt_install $missing ||
    die "apt-get could not install:$missing"
  for package in $optional; do
    relattn_apt_install "$package" 2>/dev/null ||
      say "there is no $package here: the tests that need it are left out"
  done
}

# The Python packages of one purpose, if `import` of them fails.
relattn_install_python() { # module... -- requirement...
  local modules=()
  while [ "$1" != -- ]; do modules+=("$1"); shift; done
  shift
  "$RELATTN_PYTHON" -c "import $(IFS=,; echo "${modules[*]}")" 2>/dev/null && return
  say "installing Python packages into build/venv: $*"
  "$RELATTN_PYTHON" -m pip install --quiet --disable-pip-version-check "$@" ||
    die "pip could not install: $*"
}

relattn_setup() { # with_torch
  cd "$RELATTN_ROOT" || die "no folder $RELATTN_ROOT"
  relattn_install_packages
  # A venv whose interpreter is gone (another machine's) is made anew.
  "$RELATTN_PYTHON" -c '' 2>/dev/null ||
    python3 -m venv --clear build/venv || die "python3 -m venv failed"
  relattn_install_python numpy ml_dtypes -- 'numpy>=1.26' 'ml_dtypes>=0.4'
  local torch_tests=OFF
  if [ "$1" = 1 ]; then
    # torch first: what comes after takes it as it is.
    relattn_install_python torch -- 'torch==2.13.0'
    relattn_install_python transformers -- 'transformers>=5,<6'
    # Wheels of torch-mlir exist for few systems; what needs it is left out then.
    (relattn_install_python torch_mlir -- 'torch-mlir==20261001') ||
      say "torch-mlir is not to be had here: no exports from PyTorch"
    relattn_install_python onnx -- 'onnx>=1.17'
    torch_tests=ON
  fi
  say "configuring and building in build/"
  cmake --preset release -DPython3_EXECUTABLE="$RELATTN_PYTHON" \
    -DRELATTN_TORCH_TESTS=$torch_tests >build/configure.log 2>&1 ||
    { tail -n 40 build/configure.log >&2; die "cmake failed"; }
  cmake --build build >build/build.log 2>&1 ||
    { tail -n 60 build/build.log >&2; die "the build failed"; }
  export PYTHONPATH=$RELATTN_ROOT/python RELATTN_BIN=$RELATTN_ROOT/build/bin
}
