# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The same programs after upstream or IREE passes, and other back ends."""
import json
import os
import sys

import corpus_lib
from corpus_lib import *

IREE_OPT = os.environ.get("IREE_OPT", os.path.join(
    os.path.dirname(sys.executable), "iree-opt"))
# Folder of the case that is transformed (default: the output folder).
BASE = os.environ.get("CORPUS_BASE", OUT)
FUSE = ["--canonicalize", "--cse", "--linalg-fuse-elementwise-ops", "--canonicalize", "--cse"]
GENERAL = ["--linalg-generalize-named-ops"] + FUSE
UNIT = ["--linalg-fold-unit-extent-dims"] + FUSE
SPECIAL = ["--canonicalize", "--cse", "--linalg-specialize-generic-ops", "--canonicalize"]
I = lambda *p: [IREE_OPT, "--pass-pipeline=builtin.module(func.func(" + ",".join(p) + "),canonicalize,cse)"]


def derived(base, suffix, cmd, what, **over):
    name = f"{base}-{suffix}"
    if not wanted(name):
        return
    try:
        rec = None
        for d in (BASE, OUT):
            for c in json.load(open(os.path.join(d, "cases.json"))):
                if c["name"] == base:
                    rec, text = c, open(os.path.join(d, c["file"])).read()
        out = run_tool(cmd if cmd[0] == IREE_OPT else [MLIR_OPT] + cmd, text)
        emit(name, out, rec["args"], what=rec["what"] + "; then " + what, source=rec["source"] + ", then " + what.split(":")[0],
             ops=over.get("ops", rec["attention_ops"]), bucket=rec["bucket"], function=rec["function"],
             tolerance=rec["tolerance"], variants=rec.get("variants", "") + " V11", negative=rec["negative"],
             scale=rec.get("scale"), notes=rec.get("notes", ""))
        cases = json.load(open(os.path.join(OUT, "cases.json")))
        for c in cases:
            if c["name"] == name and "expect" in rec:
                c["expect"], c["expect_tolerance"] = rec["expect"], rec["expect_tolerance"]
        with open(os.path.join(OUT, "cases.json"), "w") as f:
            f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    except Exception as e:
        print("FAILED", name, str(e)[:800], flush=True)


FU = "elementwise fusion (upstream): the whole bucket chain collapses into few bodies"
