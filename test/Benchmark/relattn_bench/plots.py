# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Figures over the length: fraction of the peak, time, extra memory."""

import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams["svg.fonttype"] = "none"  # text as text
import matplotlib.pyplot as plt  # noqa: E402

from relattn_bench.case import Case

KINDS = {
    "peak": ("fraction_of_peak", "fraction of the FMA peak", "linear"),
    "time": ("median_ms", "ms", "log"),
    "memory": ("memory_mb", "extra memory, MB", "log"),
}


def plot(rows, directory):
    """A file for each kind and number of threads, of the cases with M = N."""
    directory.mkdir(parents=True, exist_ok=True)
    square = [row for row in rows if "fraction_of_peak" in row]
    for threads in sorted({row["threads"] for row in square}):
        for kind, (key, label, scale) in KINDS.items():
            figure, axes = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
            for name in dict.fromkeys(row["impl"] for row in square):
                points = sorted((Case.parse(row["case"]).keys, row[key]) for row in square
                                if row["impl"] == name and row["threads"] == threads and row.get(key, 0) > 0)
                if points:
                    axes.plot(*zip(*points), marker="o", label=name, linewidth=2.5 if name.startswith("relattn") else 1.2)
            plural = "" if threads == 1 else "s"
            axes.set(xlabel="M = N", ylabel=label, yscale=scale, title=f"T5 attention, f32, {square[0]['isa']}, {threads} thread{plural}")
            lengths = sorted({Case.parse(row["case"]).keys for row in square})
            axes.set_xscale("log", base=2)
            axes.set_xticks(lengths, map(str, lengths))
            axes.grid(alpha=0.3)
            figure.legend(fontsize="small", loc="outside right upper")
            figure.savefig(directory / f"{kind}-{threads}.svg")
            plt.close(figure)
    print(f"plots are in {directory}")
