# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles a module with relattn-compile and calls its functions on NumPy arrays.

Functions to be called carry `llvm.emit_c_interface`; they take tensors or
memrefs and index scalars, and return tensors or nothing. Tools are found in RELATTN_BIN, in build/bin of
the source tree, or on PATH; LLVM's by `llvm-config-22`. With RELATTN_VERIFY_EACH in
the environment modules are verified after each pass, as the tests want it.
"""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np


def find_tool(name):
    """The path of one of the project's tools."""
    candidates = []
    if os.environ.get("RELATTN_BIN"):
        candidates.append(Path(os.environ["RELATTN_BIN"]) / name)
    candidates.append(Path(__file__).parents[2] / "build/bin" / name)
    for candidate in candidates:
        if candidate.exists():
            return str(candidate)
    found = shutil.which(name)
    if found:
        return found
    raise FileNotFoundError(f"{name} not found: set RELATTN_BIN or PATH")


def llvm_directory(kind):
    """`bindir` or `libdir` of LLVM 22."""
    config = shutil.which("llvm-config-22") or shutil.which("llvm-config")
    if not config:
        raise FileNotFoundError("llvm-config-22 not found")
    return subprocess.check_output([config, f"--{kind}"], text=True).strip()


def find_library(name):
    """The path of one of the build's libraries."""
    folders = [Path(__file__).parents[2] / "build"]
    if os.environ.get("RELATTN_BIN"):
        folders.insert(0, Path(os.environ["RELATTN_BIN"]).parent)
    for folder in folders:
        library = folder / "lib" / f"lib{name}.so"
        if library.exists():
            return str(library)
    raise FileNotFoundError(f"lib{name}.so not found beside RELATTN_BIN")


class CompileError(RuntimeError):
    """A tool failed; the message holds its diagnostics."""


def run_tool(command, text, what):
    """What a command prints for `text` (both bytes); CompileError, about `what`, if it fails."""
    process = subprocess.run(command, input=text, capture_output=True)
    if process.returncode:
        raise CompileError(
            f"{what} failed with exit code {process.returncode}:\n"
            + process.stderr.decode(errors="replace")
        )
    return process.stdout


def build_library(text, library, pipeline=("--relattn-to-cpu",), optimize="-O1", libraries=(), cpu=None):
    """Compiles a module to a shared library, as `Module` does.

    Args:
      library: the file to write.
      cpu: the processor to compile for, as LLVM names it (default: the host's).
    """
    bindir, libdir = llvm_directory("bindir"), llvm_directory("libdir")
    with tempfile.TemporaryDirectory(prefix="relattn-") as directory:
        module = f"{directory}/module.o"
        options = [f"-mcpu={cpu}"] if cpu else []
        options += ["--verify-each"] if os.environ.get("RELATTN_VERIFY_EACH") else []
        run_tool([find_tool("relattn-compile"), *pipeline, optimize, *options, "-o", module], text.encode(), "relattn-compile")
        run_tool(
            [f"{bindir}/clang", module, "-o", str(library), "-shared", "-lm", f"-L{libdir}",
             f"-Wl,-rpath,{libdir}", "-Wl,--as-needed", "-lomp",
             *libraries, *(f"-Wl,-rpath,{Path(library).parent}" for library in libraries)],
            b"",
            "the linker",
        )


class Module:
    """A compiled module.

    Args:
      text: the module's MLIR.
      pipeline: the flags of its passes, as relattn-opt's.
      optimize: LLVM's optimisation level.
      libraries: shared libraries to link beside OpenMP's: the run-time library
        of a GPU's host code.

    Raises:
      CompileError: with the diagnostics of relattn-compile, or of the linker.
    """

    def __init__(self, text, pipeline=("--relattn-to-cpu",), optimize="-O1", libraries=()):
        self._directory = tempfile.TemporaryDirectory(prefix="relattn-")
        library = f"{self._directory.name}/module.so"
        build_library(text, library, pipeline, optimize, libraries)
        self._library = ctypes.CDLL(library)

    @classmethod
    def load(cls, library):
        """A module that `build_library` has compiled."""
        module = cls.__new__(cls)
        module._library = ctypes.CDLL(str(library))
        return module

    def _function(self, name):
        function = getattr(self._library, f"_mlir_ciface_{name}")
        function.restype = None
        return function

    @staticmethod
    def _descriptors(arguments):
        return [
            ctypes.byref(_descriptor(a)) if isinstance(a, np.ndarray) else ctypes.c_int64(a)
            for a in arguments
        ]

    def bind(self, name, *arguments):
        """A callable of no arguments that calls a function with these each time,
        in about a microsecond; for kernels as small as that matters."""
        function, descriptors = self._function(name), self._descriptors(arguments)

        def run():
            function(*descriptors)

        run.kept = self, arguments  # descriptors are addresses
        return run

    def call(self, name, *arguments, returns=None):
        """Calls a function.

        Args:
          arguments: arrays, passed in place, and integers, passed as indices.
          returns: (dtype, rank) of the tensor that the function returns, if
            it returns one.

        Returns:
          A copy of the returned tensor, or None.
        """
        function = self._function(name)
        descriptors = self._descriptors(arguments)
        if returns is None:
            return function(*descriptors)
        dtype, rank = returns
        result = _descriptor_type(rank)()
        function(ctypes.byref(result), *descriptors)
        shape = tuple(result.sizes)
        count = int(np.prod(shape))
        itemsize = np.dtype(dtype).itemsize
        data = ctypes.string_at(result.aligned + result.offset * itemsize, count * itemsize)
        # The pipeline gives the caller a buffer of its own, from malloc.
        libc = ctypes.CDLL(None)
        libc.free.argtypes, libc.free.restype = [ctypes.c_void_p], None
        libc.free(result.allocated)
        return np.frombuffer(data, dtype).reshape(shape).copy()


@functools.cache  # making a class costs more than a small kernel
def _descriptor_type(rank):
    """MLIR's memref descriptor as a C struct."""

    class Descriptor(ctypes.Structure):
        _fields_ = [
            ("allocated", ctypes.c_void_p),
            ("aligned", ctypes.c_void_p),
            ("offset", ctypes.c_int64),
            ("sizes", ctypes.c_int64 * rank),
            ("strides", ctypes.c_int64 * rank),
        ]

    return Descriptor


def _descriptor(array):
    """The descriptor of a C-contiguous array."""
    if not array.flags.c_contiguous:
        raise ValueError("expected a C-contiguous array")
    pointer = array.ctypes.data
    sizes = (ctypes.c_int64 * array.ndim)(*array.shape)
    strides = (ctypes.c_int64 * array.ndim)(*(s // array.itemsize for s in array.strides))
    return _descriptor_type(array.ndim)(pointer, pointer, 0, sizes, strides)
