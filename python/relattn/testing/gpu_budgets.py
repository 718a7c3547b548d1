# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What relattn-to-gpu's kernels cost before they run: registers, spills, shared
memory by ptxas, and instructions of PTX in each loop over keys.

    python -m relattn.testing.gpu_budgets --chips sm_80 sm_90a

Fails where a kernel spills, where a tile inside one interval of the bucketing has
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


def attention(depth, bias):
    kind = f"tensor<?x?x?x{depth}xbf16>"
    scheme = "bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>, %t : tensor<32x?xf32>) " if bias else ""
    return (f"func.func @f(%q: {kind}, %k: {kind}, %v: {kind}, %t: tensor<32x?xf32>, %o: {kind}) -> {kind} {{\n"
            f"%r = relattn.attention ins(%q, %k, %v : {kind}, {kind}, {kind}) {scheme}outs(%o : {kind})\n"
            f"return %r : {kind}\n}}\n")


def kernels(text, chip, options=""):
    """The PTX of each kernel."""
    ir = run_tool([find_tool("relattn-opt"), f"--relattn-to-gpu=chip={chip} format=isa {options}"], text.encode(), "relattn-opt").decode()
    unescape = lambda found: chr(int(found[1], 16))
    return [re.sub(r"\\([0-9A-F]{2})", unescape, t).rstrip("\0") for t in re.findall(r'assembly = "(.*?[^\\])"', ir, re.S)]


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
            plain = kernels(attention(depth, False), chip)[-1]
            biased = kernels(attention(depth, True), chip)[-1]
            without, loops = instructions(plain), instructions(biased)
            whole = without[0][0]
            for name, ptx in (("none", plain), ("T5", biased)):
                registers, spills = assemble(ptx, chip)
                print(f"{chip} d {depth} bias {name}: {registers} registers, {spills} bytes spilt, loops "
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
    for failure in failures:
        print(failure)
    print(f"{len(failures)} budgets exceeded")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
