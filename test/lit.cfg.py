# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Configuration of the lit suite.

Parameters (`lit --param NAME=VALUE`):
  verify-roundtrip=1  every relattn-opt also runs under --verify-roundtrip
  quick=1             leave out the tests that take more than a few seconds
"""

import ctypes
import os
import platform
import shutil
import subprocess

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst
import lit.llvm

lit.llvm.initialize(lit_config, config)
from lit.llvm import llvm_config

config.name = "relattn"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["Inputs", "Benchmark", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.relattn_build, "test")

binaries = os.path.join(config.relattn_build, "bin")
libraries = os.path.join(config.relattn_build, "lib")
roundtrip = lit_config.params.get("verify-roundtrip") == "1"
quick = lit_config.params.get("quick") == "1"

llvm_config.with_environment("PATH", [binaries, config.llvm_bin], append_path=True)
llvm_config.with_environment("PYTHONPATH", os.path.join(config.relattn_source, "python"))
llvm_config.with_environment("RELATTN_BIN", binaries)
llvm_config.with_environment("RELATTN_VERIFY_EACH", "1")
if "HOME" in os.environ:  # ccache's folder
    llvm_config.with_environment("HOME", os.environ["HOME"])

runner_libraries = ",".join(
    os.path.join(directory, name)
    for directory, name in [
        (config.llvm_lib, "libmlir_runner_utils.so"),
        (config.llvm_lib, "libmlir_c_runner_utils.so"),
        (config.llvm_lib, "libomp.so"),
        (libraries, "librelattn_runner_utils.so"),
    ]
)
llvm_config.add_tool_substitutions(
    [
        ToolSubst(
            "relattn-opt",
            os.path.join(binaries, "relattn-opt"),
            extra_args=["--verify-roundtrip"] if roundtrip else [],
        ),
        "relattn-compile",
        "relattn-lsp-server",
        "relattn-reduce",
    ],
    [binaries],
)
llvm_config.add_tool_substitutions(
    ["FileCheck", "count", "not", "split-file", "mlir-opt", "mlir-runner", "mlir-translate"],
    [config.llvm_bin],
)
config.substitutions += [
    ("%run_main", f"mlir-runner -e main --entry-point-result=void "
                  f"--shared-libs={runner_libraries}"),
    ("%python", config.python),
    ("%source", config.relattn_source),
    ("%build", config.relattn_build),
    ("%cmake", config.cmake),
    ("%cxx", config.cxx_compiler),
    ("%llvm_bin", config.llvm_bin),
    ("%llvm_lib", config.llvm_lib),
    ("%toy_plugin", os.path.join(libraries, "ToySchemePlugin.so")),
    ("%relattn_plugin", os.path.join(libraries, "RelAttnPlugin.so")),
]

if platform.machine() in ("x86_64", "AMD64"):
    config.available_features.add("x86")
    # What this machine executes beyond the portable code.
    with open("/proc/cpuinfo") as cpuinfo:
        flags = set(cpuinfo.read().split())
    if {"avx2", "fma"} <= flags:
        config.available_features.add("avx2")
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= flags:
        config.available_features.add("avx512")
    # Its registers are Linux's to give: arch_prctl(ARCH_REQ_XCOMP_PERM, 18).
    if {"amx_tile", "amx_bf16"} <= flags and ctypes.CDLL(None).syscall(158, 0x1023, 18) == 0:
        config.available_features.add("amx")
if config.has_unit_tests:
    config.available_features.add("unit-tests")
if config.torch_tests:
    config.available_features.add("torch")
    found = subprocess.run(
        [config.python, "-c", "import importlib.util as u, sys; sys.exit(not u.find_spec('torch_mlir'))"]
    )
    if found.returncode == 0:
        config.available_features.add("torch-mlir")
if shutil.which("ptxas"):
    config.available_features.add("ptxas")
try:
    ctypes.CDLL("libcuda.so.1")
except OSError:
    config.available_features.add("no-cuda")
# OpenCL on the CPU (PoCL), and under a simulator that sees races; Vulkan on Mesa's
# software device; the validator of SPIR-V.
if os.path.exists(os.path.join(libraries, "librelattn_opencl_runtime.so")):
    config.available_features.add("opencl")
    if shutil.which("oclgrind"):
        config.available_features.add("oclgrind")
if os.path.exists(os.path.join(libraries, "librelattn_vulkan_runtime.so")):
    config.available_features.add("vulkan")
if shutil.which("spirv-val"):
    config.available_features.add("spirv-val")
for name in ("POCL_CACHE_DIR", "MESA_SHADER_CACHE_DIR"):
    llvm_config.with_environment(name, os.path.join(config.relattn_build, "test", "kernels"))
if config.sanitizer:
    # Sanitised plugins and libraries need a sanitised host.
    config.available_features.add("sanitizer")
    # The shared LLVM is not sanitised: containers and bump allocators that
    # cross into it are marked by one side only.
    llvm_config.with_environment(
        "ASAN_OPTIONS", "allow_user_poisoning=0:detect_container_overflow=0"
    )
    llvm_config.with_environment("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
if not quick:
    config.available_features.add("slow")
