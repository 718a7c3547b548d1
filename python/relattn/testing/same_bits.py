# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The same bits from run to run, on 1 and 2 threads, and without OpenMP.

    python -m relattn.testing.same_bits --cases 100

Keys are not split (`workers=1`), or in equal parts (`workers=64`) on any number of
threads, so no sum depends on how many there are.
"""

import argparse
import ctypes
import sys
from pathlib import Path

from relattn.jit import Module, llvm_directory
from relattn.testing.generator import Generator


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    generator = Generator(args.seed)
    cases = [generator.next() for _ in range(args.cases)]
    results = [case.expected() for case in cases]
    text = "".join(case.function(f"case_{i}", result) for i, (case, result) in enumerate(zip(cases, results)))
    openmp = ctypes.CDLL(str(Path(llvm_directory("libdir")) / "libomp.so"), ctypes.RTLD_GLOBAL)

    def bits(module, threads):
        openmp.omp_set_num_threads(threads)
        return [[output.tobytes() for output in case.run(module, f"case_{i}", result)]
                for i, (case, result) in enumerate(zip(cases, results))]

    failed = 0
    for workers in (1, 64):
        def build(threads):
            pipeline = f"--relattn-to-cpu=threads={threads} workers={workers}"
            return Module(text, (pipeline,), optimize="-O1")

        parallel = build("openmp")
        expected = bits(parallel, 1)
        runs = {"1 thread again": bits(parallel, 1), "2 threads": bits(parallel, 2), "2 threads again": bits(parallel, 2),
                "without OpenMP": bits(build("none"), 1)}
        for name, got in runs.items():
            for i, case in enumerate(cases):
                if got[i] != expected[i]:
                    failed += 1
                    print(f"seed {args.seed} case_{i}, workers={workers}: {name} differs: {', '.join(case.tags)}")
    print(f"{args.cases} cases, {failed} differences")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
