# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws the figures of a run.

    python -m relattn_gpu_bench.plot figures.jsonl plots/gpu.svg
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "relattn"  # the same file each time
from matplotlib import pyplot  # noqa: E402

#: With the bias in full colour, without pale.
COLOURS = {"relattn": "#c0392b", "SDPA": "#2c3e50", "FlexAttention": "#2980b9"}


def main(figures, out):
    lines = [json.loads(line) for line in open(figures)]
    cases = list(dict.fromkeys(line["case"] for line in lines))
    names = list(dict.fromkeys(line["impl"] for line in lines))
    figure, axes = pyplot.subplots(figsize=(11, 4.5))
    width = 0.85 / len(names)
    for i, name in enumerate(names):
        values = {line["case"]: line for line in lines if line["impl"] == name}
        colour = next(c for prefix, c in COLOURS.items() if name.startswith(prefix))
        has_bias = next(iter(values.values()))["bias"]
        axes.bar([k + i * width for k, case in enumerate(cases) if case in values],
                 [values[case]["tflops"] for case in cases if case in values], width * 0.9, color=colour,
                 alpha=1.0 if has_bias else 0.45, label=name + (" (bias)" if has_bias else ""),
                 hatch="//" if "dense" in name else None, edgecolor="white", linewidth=0.3)
    axes.set_xticks([k + 0.4 for k in range(len(cases))], [case.replace(" causal", "\ncausal") for case in cases], fontsize=8)
    axes.set_ylabel("TFLOP/s")
    axes.set_title(f"{lines[0]['device']}, bf16, B 4, H 16", fontsize=10)
    axes.legend(fontsize=7, ncols=2)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
