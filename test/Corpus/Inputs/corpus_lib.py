# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Shared parts of the corpus exporters: case records, inputs, emission.

Every exporter calls `emit(...)` with MLIR text; the text is parsed and printed
by mlir-opt (so the stored file is what that mlir-opt accepts) and the record is
added to cases.json beside it.  Needs mlir-opt on PATH or in $MLIR_OPT.
"""
import json
import math
import os
import re
import subprocess
import sys

import numpy as np

import run_case

MLIR_OPT = os.environ.get("MLIR_OPT", "mlir-opt")
TORCH_MLIR_OPT = os.environ.get(
    "TORCH_MLIR_OPT", os.path.join(os.path.dirname(sys.executable),
                                   "torch-mlir-opt"))
OUT = os.environ.get("CORPUS_OUT", os.path.dirname(os.path.abspath(__file__)))
ONLY = os.environ.get("CORPUS_ONLY", "")


def U(lo=-1.0, hi=1.0):
    return {"kind": "uniform", "lo": lo, "hi": hi}


def INT(lo, hi):
    return {"kind": "int", "lo": lo, "hi": hi}


def PREFIX(lengths, on=1, off=0):
    return {"kind": "prefix", "lengths": lengths, "on": on, "off": off}


def CAUSAL(on=1, off=0, past=0):
    return {"kind": "causal", "on": on, "off": off, "past": past}


def CONST(v):
    return {"kind": "const", "value": v}


def arg(shape, elem="f32", gen=None, role=""):
    r = {"shape": list(shape), "elem": elem, "gen": gen or U()}
    if role:
        r["role"] = role
    return r


def T5(bidirectional=True, num_buckets=32, max_distance=128, recover="chain",
       kind="t5"):
    """What a perfect recogniser recovers.  recover: chain | folded | none."""
    return {"kind": kind, "num_buckets": num_buckets,
            "max_distance": max_distance, "bidirectional": bidirectional,
            "recover": recover}


def run_tool(cmd, text):
    p = subprocess.run(cmd, input=text, capture_output=True, text=True)
    if p.returncode:
        raise RuntimeError(" ".join(cmd)[:200] + "\n" + p.stderr[:3000])
    return p.stdout


def wanted(name):
    return not ONLY or re.search(ONLY, name)


def arrays(args, seed=1):
    dt = {"f32": np.float32, "f64": np.float64, "f16": np.float16,
          "bf16": np.float32, "i64": np.int64, "i32": np.int32, "i1": np.bool_,
          "i16": np.int16, "i8": np.int8}
    out = []
    for shape, elem, values in run_case.all_inputs({"args": args}, seed):
        a = np.array(values, dtype=np.float64 if elem[0] in "fb" else None)
        if elem == "bf16":
            bits = np.array([run_case.bf16_bits(v) for v in values],
                            dtype=np.uint32) << 16
            a = bits.view(np.float32)
        elif elem == "f32":
            a = np.array(values, dtype=np.float64).astype(np.float32)
        out.append(a.astype(dt[elem]).reshape(shape))
    return out


def emit(name, text, args, *, what, source, ops, bucket=None, expected=None,
         function="main", tolerance=None, notes="", variants="", canon=None,
         negative=False, scale=None):
    """Store one case.  expected: list of numpy arrays or None."""
    if canon:
        text = run_tool([MLIR_OPT] + canon, text)
    else:
        text = run_tool([MLIR_OPT], text)
    if function != "case":
        text = re.sub(r"@" + re.escape(function) + r"\b", "@" + name.replace(
            "-", "_"), text)
    fn = name.replace("-", "_")
    elems = {a["elem"] for a in args}
    if tolerance is None:
        tolerance = (3e-2 if "bf16" in elems else 4e-3 if "f16" in elems
                     else 2e-5)
    record = {"name": name, "file": name + ".mlir", "function": fn,
              "source": source, "what": what, "attention_ops": ops,
              "negative": negative, "bucket": bucket, "tolerance": tolerance,
              "seed": 1, "args": args}
    if variants:
        record["variants"] = variants
    if scale is not None:
        record["scale"] = scale
    if notes:
        record["notes"] = notes
    if expected is not None:
        record["expect"] = [run_case.summary(
            [float(v) for v in np.asarray(e, dtype=np.float64).ravel()])
            for e in expected]
        record["expect_tolerance"] = max(tolerance, 5e-5)
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, record["file"]), "w") as f:
        f.write(text)
    index = os.path.join(OUT, "cases.json")
    cases = []
    if os.path.exists(index):
        with open(index) as f:
            cases = json.load(f)
    cases = [c for c in cases if c["name"] != name] + [record]
    cases.sort(key=lambda c: c["name"])
    with open(index, "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print("wrote", name, len(text), flush=True)


# PyTorch ------------------------------------------------------------------

def torch_inputs(args, seed=1):
    import torch
    dt = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16,
          "i64": torch.int64, "i32": torch.int32, "i1": torch.bool,
          "f64": torch.float64}
    return [torch.from_numpy(np.array(a)).to(dt[r["elem"]])
            for a, r in zip(arrays(args, seed), args)]


def weight_args(module, elem="f32"):
    """Argument records for a module's parameters, in order."""
    out = []
    for name, p in module.named_parameters():
        shape = list(p.shape)
        if "relative_attention_bias" in name or "bias_table" in name:
            gen = U(-2, 2)
        elif "norm" in name.lower() and len(shape) == 1:
            gen = U(0.5, 1.5)
        elif len(shape) == 1:
            gen = U(-0.1, 0.1)
        else:
            b = math.sqrt(3.0 / shape[-1])
            gen = U(-b, b)
        out.append(arg(shape, elem, gen, role=name))
    return out


def functional(module, fn=None):
    """Module whose weights are arguments: f(inputs..., weights...)."""
    import torch
    names = [n for n, _ in module.named_parameters()]

    class Functional(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = [module]
            self.fixed = {}
            for n, t in module.named_buffers():
                self.fixed[n] = "buf_" + n.replace(".", "_")
                self.register_buffer(self.fixed[n], t)

        def forward(self, *a):
            x, p = a[:len(a) - len(names)], a[len(a) - len(names):]
            m = self.inner[0]
            w = dict(zip(names, p))
            w.update({n: getattr(self, b) for n, b in self.fixed.items()})
            if fn is None:
                return torch.func.functional_call(m, w, x)
            return torch.func.functional_call(Call(m, fn), {
                "m." + k: v for k, v in w.items()}, x)

    class Call(torch.nn.Module):
        def __init__(self, m, fn):
            super().__init__()
            self.m, self.fn = m, fn

        def forward(self, *x):
            return self.fn(self.m, *x)

    return Functional()


def to_list(r):
    return list(r) if isinstance(r, (tuple, list)) else [r]


def torch_reference(module, inputs):
    import torch
    with torch.no_grad():
        return [t.detach().to(torch.float64).numpy()
                for t in to_list(module(*inputs))]


def torch_linalg(module, inputs, dynamic=None, output="linalg-on-tensors"):
    import torch
    from torch_mlir import fx
    with torch.no_grad():
        m = fx.export_and_import(module, *inputs, output_type=output,
                                 func_name="main", dynamic_shapes=dynamic)
    return str(m)


def torch_case(name, module, args, *, dynamic=None, **meta):
    if not wanted(name):
        return
    try:
        inputs = torch_inputs(args)
        module.eval()
        expected = torch_reference(module, inputs)
        text = torch_linalg(module, inputs, dynamic)
        emit(name, text, args, expected=expected, **meta)
    except Exception as e:  # report and go on with the other cases
        print("FAILED", name, str(e)[:1500], flush=True)
