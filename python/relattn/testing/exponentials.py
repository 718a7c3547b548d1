# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The exponential of attention before and after its expansion, against long double.

    python -m relattn.testing.exponentials --target-cpu skylake-avx512

Vectors of 4, 16 and 64 numbers and single ones, f32 and f64: a million between where
the result is 0 and where it would overflow, and what is special.
"""

import argparse
import sys

import numpy as np

from relattn.jit import Module

#: Relative error in roundings of the type, and for each unit of |x|: ln 2 is one of the
#: type times an integer, or, for instructions of AVX-512, x * log2(e) is rounded.
ROUNDINGS, ROUNDINGS_OF_X, ROUNDINGS_OF_X_AVX512 = 5, 0.1, 1.5


def get_function(name, kind, lanes, marked):
    """@name(x, out): out = exp(x), `lanes` numbers at once."""
    what = f"vector<{lanes}x{kind}>" if lanes > 1 else kind
    array = f"memref<?x{kind}>"
    load, store = ("vector.load", "vector.store") if lanes > 1 else ("memref.load", "memref.store")
    of = f" : {array}" + (f", {what}" if lanes > 1 else "")
    return (
        f"func.func @{name}(%x: {array}, %out: {array}) attributes {{llvm.emit_c_interface}} {{\n"
        f"  %zero = arith.constant 0 : index\n  %step = arith.constant {lanes} : index\n"
        f"  %size = memref.dim %x, %zero : {array}\n"
        f"  scf.for %i = %zero to %size step %step {{\n"
        f"    %a = {load} %x[%i]{of}\n"
        f"    %e = math.exp %a{' {relattn.bounded}' * marked} : {what}\n"
        f"    {store} %e, %out[%i]{of}\n  }}\n  return\n}}\n")


def get_inputs(dtype):
    lowest = -130 * np.log(2) if dtype == np.float32 else -1080 * np.log(2)
    highest = 88 if dtype == np.float32 else 709
    generator = np.random.default_rng(0)
    x = np.concatenate([
        generator.uniform(lowest, highest, 1 << 19), -generator.exponential(1, 1 << 19),
        np.arange(-1100, 128) * np.log(2),
        [0.0, -0.0, -1e-40, -1e-30, 1e-30, -1e4, -1e30, -np.finfo(dtype).max, -np.inf, np.nan]])
    x = x[~(x > highest)].astype(dtype)
    return np.concatenate([x, np.zeros(-len(x) % 64, dtype)])


def find_fault(x, result, roundings_of_x):
    """What is wrong, if anything is. A result below the smallest normal number may be
    anything between 0 and that, and a little more."""
    kind = np.finfo(x.dtype)
    hidden = x < np.log(kind.smallest_subnormal) - 1
    with np.errstate(over="ignore", under="ignore"):
        expected = np.exp(x.astype(np.longdouble))
    if not np.array_equal(np.isnan(x), np.isnan(result)):
        return "NaN where there was none, or none where there was"
    if np.any(result[hidden] != 0):
        return "not 0 far below the smallest number"
    normal = expected >= 1.01 * kind.tiny
    errors = np.abs(result[normal] / expected[normal] - 1)
    bounds = (ROUNDINGS + roundings_of_x * np.abs(x[normal])) * kind.epsneg
    worst = np.argmax(errors / bounds)
    if errors[worst] > bounds[worst]:
        return f"exp({x[normal][worst]}): error {float(errors[worst]):.2e}"
    low = result[~normal & ~np.isnan(x)]
    if np.any(low < 0) or np.any(low > 1.02 * kind.tiny):
        return "more than the smallest number below it"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--target-cpu", default="native")
    parser.add_argument("--avx512", action="store_true", help="that one takes exponentials by instructions")
    args = parser.parse_args()
    pipeline = (f"--relattn-to-cpu=target-cpu={args.target_cpu}",)
    faults = 0
    for kind, dtype in (("f32", np.float32), ("f64", np.float64)):
        x = get_inputs(dtype)
        for lanes in (1, 4, 16, 64):
            for marked in (False, True):
                module = Module(get_function("f", kind, lanes, marked), pipeline)
                result = np.full_like(x, 7)
                module.bind("f", x, result)()
                by_instructions = args.avx512 and marked and kind == "f32" and lanes >= 16
                fault = find_fault(x, result, ROUNDINGS_OF_X_AVX512 if by_instructions else ROUNDINGS_OF_X)
                faults += fault is not None
                print(f"{kind} x {lanes}, {'after' if marked else 'before'}: {fault or 'right'}")
    print("failed" if faults else "passed")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
