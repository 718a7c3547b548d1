# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels compiled on one machine and measured on another, which has no LLVM."""

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from relattn.jit import Module, build_library, llvm_directory

#: Of the driver and its workers: the folder of --kernels.
VARIABLE = "RELATTN_BENCH_KERNELS"


def folder():
    return Path(os.environ[VARIABLE]) if VARIABLE in os.environ else None


def library_of(place, text, flags):
    return place / (hashlib.sha256("\n".join([text, *flags]).encode()).hexdigest()[:16] + ".so")


def load(text, flags):
    """A module, compiled or from the folder."""
    if not folder():
        return Module(text, flags)
    library = library_of(folder(), text, flags)
    if not library.exists():
        raise FileNotFoundError(f"{folder()} has no kernel of it: --build it there for this case, --threads and --target-cpu")
    return Module.load(library)


def clang(target, *arguments):
    command = [f"{llvm_directory('bindir')}/clang++", f"-march={target}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@functools.cache
def predefined_macros(target):
    """Of a processor, by clang."""
    if folder():
        return (folder() / f"{target}.macros").read_text()
    return clang(target, "-dM", "-E", "-x", "c", "/dev/null")


def build_yardstick(target, library):
    libdir = llvm_directory("libdir")
    clang(target, "-O3", "-ffp-contract=fast", "-fopenmp", "-shared", "-fPIC", str(Path(__file__).parents[1] / "yardstick.cpp"),
          "-o", str(library), f"-L{libdir}", f"-Wl,-rpath,{libdir}", "-Wl,-rpath,$ORIGIN")


def build(place, target, kernels):
    """Compiles `kernels`, texts with their flags, and what is measured beside them."""
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(f"{llvm_directory('libdir')}/libomp.so", place / "libomp.so.5")
    (place / f"{target}.macros").write_text(predefined_macros(target))
    build_yardstick(target, place / f"{target}-yardstick.so")
    for text, flags in kernels:
        library = library_of(place, text, flags)
        if not library.exists():
            build_library(text, library, flags, libraries=["-Wl,-rpath,$ORIGIN"])
