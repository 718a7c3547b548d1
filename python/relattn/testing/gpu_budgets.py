# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What relattn-to-gpu's kernels cost before they run: registers, spills, shared
memory by ptxas, and instructions of PTX in each loop over keys.

    python -m relattn.testing.gpu_budgets --chips sm_80 sm_90a

Fails where a kernel spills (of both schedules), where a tile inside one interval of the bucketing has
more than 2 instructions beyond a tile without any bias, where a tile of the band
has more beyond it than its loads of the strip and eight for where they are, or where a
tile has not just one barrier.
"""

import argparse
import re
import subprocess
import sys
import tempfile

from relattn.jit import find_tool, run_tool

DEPTHS = (32, 64, 96, 128)
#: Of the simt schedule.
SIMT_DEPTHS = {"f32": (16, 33, 64, 96, 128, 160, 256), "f64": (16, 32, 64, 128, 256), "f16": (200, 256)}


def attention(depth, bias, dtype="bf16"):
    kind, table = f"tensor<?x?x?x{depth}x{dtype}>", f"tensor<32x?x{'f64' if dtype == 'f64' else 'f32'}>"
    scheme = f"bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %t : {table}) " if bias else ""
    return (f"func.func @f(%q: {kind}, %k: {kind}, %v: {kind}, %t: {table}, %o: {kind}) -> {kind} {{\n"
            f"%r = relattn.attention ins(%q, %k, %v : {kind}, {kind}, {kind}) {scheme}outs(%o : {kind})\n"
            f"return %r : {kind}\n}}\n")


def kernels(text, chip):
    """The PTX of the kernels, and the bytes of shared memory of the largest launch."""
    with tempfile.TemporaryDirectory(prefix="relattn-") as folder:
        ptx = run_tool([find_tool("relattn-compile"), "--target=nvvm", f"--chip={chip}", f"--header={folder}/kernels.h"],
                       text.encode(), "relattn-compile").decode()
        with open(f"{folder}/kernels.h") as header:
            shared = re.findall(r"\(uint32_t\)(\d+), params", header.read())
    return ptx, max(map(int, shared))


def instructions(ptx):
    """Of each loop over keys, in their order: (instructions, loads from memory,
    barriers). The last one is the tail's."""
    lines = [line.strip() for line in ptx.splitlines()]
    labels = {line[:-1]: i for i, line in enumerate(lines) if re.fullmatch(r"\$L\w+:", line.split("//")[0].strip())}
    loops = {}  # by their first product: a loop may branch back from two places
    for end, line in enumerate(lines):
        target = re.search(r"bra(?:\.uni)?\s+(\$L\w+)", line)
        start = labels.get(target[1], end) if target else end
        product = next((i for i in range(start, end) if "mma.sync" in lines[i]), None)
        if product is not None:
            body = lines[start:end + 1]
            loops[product] = max(body, loops.get(product, []), key=len)
    result = []
    for body in loops.values():
        code = [x for x in body if x and not x.startswith(("$", "//", "{", "}")) and ":" not in x]
        result.append((len(code), sum(x.startswith("ld.global") for x in code), sum("bar.sync" in x for x in code)))
    return result


def assemble(ptx, chip):
    """(registers, spilt bytes) by ptxas."""
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(ptx)
        file.flush()
        report = subprocess.run(["ptxas", "-v", f"-arch={chip}", file.name, "-o", "/dev/null"], capture_output=True, text=True)
    if report.returncode:
        raise RuntimeError(report.stderr)
    registers = max(map(int, re.findall(r"Used (\d+) registers", report.stderr)))
    spills = sum(map(int, re.findall(r"(\d+) bytes spill", report.stderr)))
    return registers, spills


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chips", nargs="*", default=["sm_80", "sm_90a"])
    arguments = parser.parse_args()
    failures = []
    for chip in arguments.chips:
        for depth in DEPTHS:
            plain, plain_shared = kernels(attention(depth, False), chip)
            biased, biased_shared = kernels(attention(depth, True), chip)
            without, loops = instructions(plain), instructions(biased)
            whole = without[0][0]
            for name, ptx, shared in (("none", plain, plain_shared), ("T5", biased, biased_shared)):
                registers, spills = assemble(ptx, chip)
                print(f"{chip} d {depth} bias {name}: {registers} registers, {spills} bytes spilt, {shared} bytes shared, loops "
                      + ", ".join(f"{count} instructions ({loads} loads, {barriers} barriers)" for count, loads, barriers in instructions(ptx)))
                if spills:
                    failures.append(f"{chip} d {depth} bias {name} spills")
            if len(without) != 2 or len(loops) != 4:
                failures.append(f"{chip} d {depth}: {len(without)} and {len(loops)} loops")
                continue
            low, band, high, _ = loops
            for what, loop in (("low", low), ("high", high)):
                if loop[0] > whole + 2:
                    failures.append(f"{chip} d {depth}: a {what} tile has {loop[0] - whole} instructions more")
            if not band[1] or band[0] > whole + band[1] + 8:
                failures.append(f"{chip} d {depth}: a tile of the band has {band[0] - whole} instructions more, {band[1]} of them loads")
            if any(loop[2] != 1 for loop in without + loops):
                failures.append(f"{chip} d {depth}: barriers in a tile")
        for dtype, depths in SIMT_DEPTHS.items():
            for depth in depths:
                ptx, shared = kernels(attention(depth, True, dtype), chip)
                registers, spills = assemble(ptx, chip)
                print(f"{chip} simt {dtype} d {depth}: {registers} registers, {spills} bytes spilt, {shared} bytes shared")
                if spills:
                    failures.append(f"{chip} simt {dtype} d {depth} spills")
    for failure in failures:
        print(failure)
    print(f"{len(failures)} budgets exceeded")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
