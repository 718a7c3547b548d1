#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the examples of documents, so that they cannot lie.

    run_examples.py FILE...

In Markdown and TableGen files, a block marked `mlir` must parse, verify, round
trip and (unless it is a transform script) lower with relattn-to-cpu; a line of one that is an attribute alone is
read as one. A block marked `sh` must run from the source folder, unless the
line before it is `<!-- not run: reason -->`. Blocks without a mark are text.
"""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def blocks(path):
    """(line number, mark, text, line before) of every fenced block."""
    lines = path.read_text().splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        fence = re.match(r"\s*```(\w*)\s*$", line)
        if not fence:
            continue
        if start is None:
            start, mark = number, fence.group(1)
        else:
            text = textwrap.dedent("\n".join(lines[start : number - 1]))
            yield start, mark, text, lines[start - 2] if start > 1 else ""
            start = None
    if start is not None:
        raise SystemExit(f"{path}:{start}: block without an end")


def run_mlir(text):
    code, attributes = [], 0
    for line in text.splitlines():
        if re.match(r"#\w+\.\w+(<.*>)?$", line):
            attributes += 1
            line = f"func.func private @attribute_{attributes}() attributes {{a = {line}}}"
        code.append(line)
    pipeline = [] if "transform.named_sequence" in text else ["--relattn-to-cpu"]
    return subprocess.run(
        ["relattn-opt", "--verify-roundtrip", *pipeline], input="\n".join(code) + "\n",
        text=True, capture_output=True,
    )


def main(paths):
    counts, failed = {"mlir": 0, "sh": 0}, 0
    for path in map(Path, paths):
        for line, mark, text, before in blocks(path):
            if mark == "mlir":
                process = run_mlir(text)
            elif mark == "sh" and not before.strip().startswith("<!-- not run:"):
                process = subprocess.run(
                    ["bash", "-euo", "pipefail", "-c", text], cwd=ROOT, text=True,
                    capture_output=True,
                )
            else:
                continue
            counts[mark] += 1
            if process.returncode:
                failed += 1
                print(f"{path}:{line}: the example failed:\n{process.stderr}")
    print(f"{counts['mlir']} mlir and {counts['sh']} sh examples, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
