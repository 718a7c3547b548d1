# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The main job on real input: a Hugging Face T5 layer from its exported linalg,
then T5-small's self-attention as one op, compiled and run.

    python -m relattn.demo [--no-torch] [--repeat N]

The exported layer is T5-small's, by torch-mlir; without it, a smaller one that
was exported before (test/Corpus). Inputs and table of the ops are those of a
seeded Hugging Face layer; without torch they are drawn from the distributions
with which that layer is initialised.
"""

import argparse
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from relattn import oracle
from relattn.jit import Module, find_tool
from relattn.schemes import T5

EXAMPLES = Path(__file__).parents[2] / "test/Examples"
HEADS, LENGTH, DEPTH, MODEL = 8, 512, 64, 512


def numpy_inputs(is_decoder):
    """As T5PreTrainedModel._init_weights draws them, after a layer norm."""
    rng = np.random.default_rng(int(is_decoder))
    shape = (1, HEADS, LENGTH, DEPTH)
    draw = lambda deviation, size: (deviation * rng.standard_normal(size)).astype(np.float32)
    return (
        draw(DEPTH**-0.5, shape), draw(1.0, shape), draw(1.0, shape),
        draw(MODEL**-0.5, (32, HEADS)), None,
    )


def hugging_face_inputs(is_decoder):
    """Query, key, value, table, and the layer's own result before its output
    projection, of the first layer of a seeded T5-small."""
    import torch
    from transformers import T5Config, T5EncoderModel
    from transformers.models.t5.modeling_t5 import T5Stack

    torch.manual_seed(0)
    config = T5Config(
        d_model=MODEL, d_kv=DEPTH, num_heads=HEADS, num_layers=1, num_decoder_layers=1,
        is_decoder=is_decoder, use_cache=False,
    )
    config._attn_implementation = "eager"
    model = T5EncoderModel(config)
    if is_decoder:
        model.encoder = T5Stack(config)
        model.encoder.apply(model._init_weights)
    layer = model.encoder.block[0].layer[0]
    attention = layer.SelfAttention
    with torch.no_grad():
        tokens = torch.randint(0, config.vocab_size, (1, LENGTH))
        hidden = layer.layer_norm(model.shared(tokens))
        heads = lambda x: x.view(1, LENGTH, HEADS, DEPTH).transpose(1, 2)
        q, k, v = (heads(f(hidden)) for f in (attention.q, attention.k, attention.v))
        mask = None
        if is_decoder:
            lowest = torch.finfo(torch.float32).min
            mask = torch.triu(torch.full((LENGTH, LENGTH), lowest), 1)[None, None]
        attention.o = torch.nn.Identity()
        theirs = heads(attention.eval()(hidden, mask=mask)[0])
    arrays = (q, k, v, attention.relative_attention_bias.weight, theirs)
    return tuple(np.ascontiguousarray(a.detach().numpy()) for a in arrays)


def excerpt(text, start, lines):
    """`lines` lines of `text` from the one that contains `start`."""
    rows = text.splitlines()
    first = next(i for i, row in enumerate(rows) if start in row)
    cut = [row if len(row) < 118 else row[:115] + "..." for row in rows[first : first + lines]]
    return "\n".join("    " + row.strip() for row in cut)


def run(name, is_decoder, use_torch, repeat):
    path = EXAMPLES / f"t5-{name}.mlir"
    text = path.read_text()
    print(f"\n{path.name}: B 1, H {HEADS}, M = N = {LENGTH}, D {DEPTH}, f32")
    print("  before:")
    print(excerpt(text, "%out = relattn.attention", 6))
    lowered = subprocess.run(
        [find_tool("relattn-opt"), str(path), "--convert-relattn-to-linalg", "--canonicalize"],
        check=True, capture_output=True, text=True,
    ).stdout
    print("  after --convert-relattn-to-linalg (the pass that adds the strip):")
    print(excerpt(lowered[lowered.rindex("tensor<1023xi32>") :], "linalg.generic", 10))

    inputs = (hugging_face_inputs if use_torch else numpy_inputs)(is_decoder)
    query, key, value, table, theirs = inputs
    band = (None, 0) if is_decoder else (None, None)
    result = oracle.attention(
        query, key, value, scheme=T5(32, 128, not is_decoder), bias=table, band=band
    )
    bound, _ = oracle.tolerance(result, query.dtype, query.dtype)
    ok = True
    # Whole linalg, as unfused ops, and tiles of it.
    for schedule, threads in (("reference", "none"), ("tuned", "none"), ("tuned", "openmp")):
        module = Module(text, (f"--relattn-to-cpu=schedule={schedule} threads={threads}",), optimize="-O3")
        call = lambda: module.call(
            f"t5_{name}", query, key, value, table, returns=(np.float32, 4)
        )
        output, times = call(), []
        for _ in range(repeat):
            start = time.perf_counter()
            call()
            times.append(time.perf_counter() - start)
        error = np.abs(output - result.output)
        ok &= bool((error <= bound).all())
        label = "1 thread" if threads == "none" else f"{os.cpu_count()} threads"
        print(
            f"  {label}: max error against float64 {error.max():.3g} "
            f"({(error / bound).max():.3f} of the tolerance), "
            f"median time {statistics.median(times) * 1e3:.1f} ms ({schedule} schedule)"
        )
    if theirs is not None:
        print(f"  max difference from Hugging Face's layer: {np.abs(output - theirs).max():.3g}")
        ok &= bool(np.abs(output - theirs).max() < 1e-4)
    dense, strip = 4 * HEADS * LENGTH * LENGTH, 4 * HEADS * (2 * LENGTH - 1)
    print(
        f"  bias: {strip:,} bytes as strips; a dense H x M x N bias would be {dense:,} bytes"
        + (", and as much again for a dense mask" if is_decoder else "")
    )
    return ok


def exported_layer(use_torch):
    """(what it is, linalg text, function, inputs, PyTorch's own result)."""
    if use_torch and importlib.util.find_spec("torch_mlir"):
        import torch

        from relattn.importer import import_torch
        from relattn.testing.exported_layers import t5_layer

        layer = t5_layer(HEADS, DEPTH, 32, 128, False, model=MODEL)
        hidden = torch.randn(1, LENGTH, MODEL)
        with torch.no_grad():
            expected = layer(hidden).numpy()
        return ("T5-small's self-attention layer, exported by torch-mlir", import_torch(layer, (hidden,)),
                "main", [hidden.numpy()], expected)
    corpus = EXAMPLES.parent / "Corpus/Inputs"
    case = next(c for c in json.loads((corpus / "cases.json").read_text()) if c["name"] == "hf-t5-eager-f32")
    text = (corpus / case["file"]).read_text()
    text = re.sub(r"(func\.func @hf_t5_eager_f32\(.*?\) -> tensor<[^>]*>) {", r"\1 attributes {llvm.emit_c_interface} {", text)
    spec = importlib.util.spec_from_file_location("run_case", corpus / "run_case.py")
    run_case = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run_case)
    inputs = [np.array(values, np.float32).reshape(shape) for shape, _, values in run_case.all_inputs(case, 1)]
    return "a small T5 layer, exported before (test/Corpus)", text, case["function"], inputs, None


def run_exported(use_torch, repeat):
    """The layer before and after relattn-raise."""
    what, text, function, inputs, expected = exported_layer(use_torch)
    print(f"\n{what}: {len(text.splitlines())} lines of linalg")
    process = subprocess.run([find_tool("relattn-opt"), "--relattn-raise", "--remarks-filter=relattn"],
                             input=text, text=True, capture_output=True, check=True)
    print("  found and refused by --relattn-raise:")
    for verdict, rewrite, rest in re.findall(r"\[(Passed|Missed)\] (\w+) \| Category:relattn \| (.*)", process.stderr):
        why = re.sub(r'.*(?:Remark|Reason)="?([^"]*)"?.*', r"\1", rest)
        print(f"    {'found' if verdict == 'Passed' else 'refused'}: {rewrite}: {why}")
    print("  after it:")
    attention = next(row for row in process.stdout.splitlines() if "= relattn.attention" in row).strip()
    print("    " + re.sub(r" (ins|bias|outs)\(", r"\n        \1(", attention))
    results, times = [], ([], [])
    modules = [Module(x, optimize="-O3") for x in (text, process.stdout)]
    for module in modules:
        results.append(module.call(function, *inputs, returns=(np.float32, 3)))
    for _ in range(repeat):
        for module, samples in zip(modules, times):
            start = time.perf_counter()
            module.call(function, *inputs, returns=(np.float32, 3))
            samples.append(time.perf_counter() - start)
    before, after = (statistics.median(samples) * 1e3 for samples in times)
    difference = np.abs(results[0] - results[1]).max()
    print(f"  whole layer, before {before:.1f} ms, after {after:.1f} ms (both untuned, 1 thread); "
          f"largest difference {difference:.2g}")
    ok = bool(difference < 1e-4) and "relattn.attention" in process.stdout
    if expected is not None:
        error = np.abs(results[1] - expected).max()
        print(f"  max difference from PyTorch: {error:.2g}")
        ok &= bool(error < 1e-4)
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--no-torch", action="store_true")
    parser.add_argument("--repeat", type=int, default=5, help="timed runs (median)")
    args = parser.parse_args()
    if args.repeat < 1:
        parser.error("--repeat must be at least 1")
    source = "drawn as T5-small is initialised (no torch)" if args.no_torch else (
        "a seeded Hugging Face T5-small layer")
    print(f"inputs and table: {source}")
    ok = [run_exported(not args.no_torch, args.repeat),
          run("encoder", False, not args.no_torch, args.repeat),
          run("decoder", True, not args.no_torch, args.repeat)]
    print("\nall within tolerance" if all(ok) else "\nFAILED: out of tolerance")
    return not all(ok)


if __name__ == "__main__":
    sys.exit(main())
