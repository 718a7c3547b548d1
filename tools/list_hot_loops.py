#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Lists the innermost loops of x86 assembly that multiply and add vectors.

    clang -O3 -S -x ir kernel.ll -o - | tools/list_hot_loops.py

For each loop its function, length, fused multiply-adds, loads that broadcast, and
vector loads or stores on the stack. With --no-spills exits with 1 if a loop of an
outlined register tile (`relattn_tile...`) touches the stack, or there is none;
products of tiles by a matrix unit count as well. With
--mca CPU llvm-mca estimates the cycles of an iteration, and what part of them a
processor with as many multiplications in a cycle as --ports needs at least.
"""

import argparse
import re
import shutil
import subprocess
import sys

VECTOR = re.compile(r"[txyz]mm\d")


def innermost_loops(text):
    """(function, registers that point to its stack, instructions) of each loop
    without a jump but its own."""
    labels, code, frames, function = {}, [], {}, ""
    for line in text.splitlines():
        label = re.match(r"^([\w.$]+):", line)
        if label:
            if not label[1].startswith(".L"):
                function = label[1]
            labels[label[1]] = len(code)
            continue
        instruction = re.match(r"^\t([a-z]\w*)\s*([^#]*)", line)
        if instruction:
            code.append((function, instruction[1], instruction[2].strip()))
            # Without this copy they are registers like others.
            frame = re.match(r"^\tmovq\s+%rsp, %(rb[px])", line)
            if frame:
                frames.setdefault(function, {"rsp"}).add(frame[1])
    for end, (name, op, target) in enumerate(code):
        start = labels.get(target, end + 1) if op.startswith("j") else end + 1
        body = code[start:end + 1]
        if body and not any(x[1].startswith("j") for x in body[:-1]):
            yield name, frames.get(name, {"rsp"}), body


def cycles(body, cpu):
    """Of one iteration, by llvm-mca over a hundred."""
    config = shutil.which("llvm-config-22") or "llvm-config"
    bindir = subprocess.check_output([config, "--bindir"], text=True).strip()
    code = "".join(f"\t{op} {operands}\n" for _, op, operands in body)
    report = subprocess.run([f"{bindir}/llvm-mca", f"-mcpu={cpu}", "-iterations=100"], input=code, text=True, capture_output=True)
    if report.returncode:
        raise SystemExit(report.stderr)
    return int(re.search(r"Total Cycles:\s+(\d+)", report.stdout)[1]) / 100


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", nargs="?", help="assembly (default: standard input)")
    parser.add_argument("--no-spills", action="store_true")
    parser.add_argument("--mca", metavar="CPU")
    parser.add_argument("--ports", type=int, default=2)
    args = parser.parse_args()
    text = open(args.file).read() if args.file else sys.stdin.read()
    spilled, tiles = 0, 0
    for function, frame, body in innermost_loops(text):
        products = sum(bool(re.match(r"vfn?madd|mulps|mulpd|tdp", op)) for _, op, _ in body)
        if products < 4:
            continue
        on_stack = re.compile(rf"\(%(?:{'|'.join(frame)})\b")
        stack = sum(bool(on_stack.search(operands) and VECTOR.search(operands)) for _, _, operands in body)
        broadcasts = sum("broadcast" in op or "{1to" in operands for _, op, operands in body)
        width = max((w for _, _, operands in body for w in re.findall(r"([txyz])mm", operands)), default="x")
        is_tile = function.startswith("relattn_tile")
        tiles += is_tile
        spilled += bool(is_tile and stack)
        score = ""
        if args.mca:
            needed = cycles(body, args.mca)
            score = f", {needed:.1f} cycles ({products / args.ports / needed:.2f} of the peak)"
        print(f"{function}: {len(body)} instructions, {products} products of {width}mm, {broadcasts} broadcasts, {stack} on the stack{score}")
    print(f"{tiles} loops of register tiles, {spilled} with stack traffic")
    return args.no_spills and (spilled > 0 or tiles == 0)


if __name__ == "__main__":
    sys.exit(main())
