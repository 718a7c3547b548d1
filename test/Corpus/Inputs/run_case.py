#!/usr/bin/env python3
# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Run a corpus case before and after a transformation and compare numbers.

For each case the script
  1. parses the case with mlir-opt (nothing else is asked of the input),
  2. optionally passes it through --tool and counts ops in the result,
  3. appends an entry function that loads seeded inputs from mutable globals
     (nothing is visible to constant folding), calls the case's function and
     prints every result as the bit pattern of an f64,
  4. lowers both modules to LLVM, runs them with mlir-runner, and compares
     before with after and before with the numbers the frontend's own runtime
     gave (`expect` in cases.json).

Standard library only.  Tools are looked up on PATH unless given.

  run_case.py --all                            # baseline: every case must run
  run_case.py hf-t5-sdpa-f32 --tool 'relattn-opt --raise --lower'
  run_case.py --all --tool 'relattn-opt --raise' --count relattn.attention
        --opt 'relattn-opt' --prelower 'convert-relattn-to-linalg'

--tool    command that reads MLIR (case path appended, or {} replaced by it)
          and writes MLIR on stdout.
--count   op name; its count after --tool must be the case's attention_ops
          (a list means any of them).
--attr    attribute (relattn.t5) that must print the recovered T5 buckets.
--opt     binary that lowers the tool's output (default: --mlir-opt), for
          output that still holds ops mlir-opt does not know.
--prelower  pass pipeline text put in front of the lowering of the "after"
          module.
--no-run  only count.
"""
import argparse
import json
import math
import os
import random
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile

LOWER = (
    "func.func(lower-vector-mask),canonicalize,cse,"
    "one-shot-bufferize{bufferize-function-boundaries=1 "
    "function-boundary-type-conversion=identity-layout-map},"
    "func.func(convert-linalg-to-loops),"
    "expand-strided-metadata,lower-affine,canonicalize,cse,"
    "convert-vector-to-scf,convert-scf-to-cf,"
    "convert-vector-to-llvm,math-expand-ops{ops=absi,rsqrt,floorf,ceilf,roundeven,fpowi},"
    "arith-expand{include-bf16=false},"
    "expand-strided-metadata,lower-affine,convert-math-to-llvm,convert-math-to-libm,"
    "finalize-memref-to-llvm,convert-index-to-llvm,convert-arith-to-llvm,"
    "convert-func-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts"
)
SIZES = {"f64": 8, "f32": 4, "f16": 2, "bf16": 2, "i64": 8, "i32": 4,
         "i16": 2, "i8": 1, "i1": 1}


# Inputs -----------------------------------------------------------------

def elements(shape):
    return math.prod(shape)


def make_values(gen, shape, rng):
    """List of Python numbers for one argument, from its generator record."""
    n = elements(shape)
    kind = gen["kind"]
    if kind == "uniform":
        lo, hi = gen["lo"], gen["hi"]
        return [lo + (hi - lo) * rng.random() for _ in range(n)]
    if kind == "int":
        lo, hi = gen["lo"], gen["hi"]
        return [rng.randrange(lo, hi) for _ in range(n)]
    if kind == "range":
        return [gen.get("start", 0) + i for i in range(n)]
    if kind == "const":
        return [gen["value"]] * n
    if kind == "prefix":
        # [b, ..., k]: keys below the batch row's length are `on`.
        keys, rows = shape[-1], shape[0]
        per_row = n // rows // keys
        values = []
        for b in range(rows):
            length = gen["lengths"][b % len(gen["lengths"])]
            row = [gen["on"] if k < length else gen["off"]
                   for k in range(keys)]
            values += row * per_row
        return values
    if kind == "causal":
        # [..., q, k] with `past` keys before the first query.
        q, k = shape[-2], shape[-1]
        past = gen.get("past", 0)
        one = [gen["on"] if j <= i + past else gen["off"]
               for i in range(q) for j in range(k)]
        return one * (n // (q * k))
    raise SystemExit(f"unknown input kind {kind}")


def bf16_bits(x):
    bits = struct.unpack("<I", struct.pack("<f", x))[0]
    return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16


def pack(values, elem):
    if elem == "f16":
        return b"".join(struct.pack("<e", v) for v in values)
    if elem == "bf16":
        return b"".join(struct.pack("<H", bf16_bits(v)) for v in values)
    if elem == "i1":
        return bytes(int(bool(v)) for v in values)
    code = {"f64": "d", "f32": "f", "i64": "q", "i32": "i", "i16": "h",
            "i8": "b"}[elem]
    return struct.pack(f"<{len(values)}{code}", *values)


def all_inputs(case, seed):
    """[(shape, element, values)] in argument order; used by the exporter."""
    result = []
    for i, arg in enumerate(case["args"]):
        rng = random.Random(f"{seed}/{i}")
        values = make_values(arg["gen"], arg["shape"], rng)
        result.append((arg["shape"], arg["elem"], values))
    return result


# Harness ----------------------------------------------------------------

def parse_type(text):
    """('tensor'|'scalar', dims, elem) of a builtin type."""
    text = text.strip()
    m = re.fullmatch(r"tensor<([^,>]*)(?:,.*)?>", text)
    if not m:
        return "scalar", [], text
    parts = m.group(1).split("x")
    return "tensor", parts[:-1], parts[-1]


def split_types(text):
    out, depth, cur = [], 0, ""
    for ch in text:
        if ch in "<([{":
            depth += 1
        if ch in ">)]}":
            depth -= 1
        if ch == "," and depth == 0:
            out.append(cur)
            cur = ""
        else:
            cur += ch
    if cur.strip():
        out.append(cur)
    return [t.strip() for t in out]


def balanced(text, start):
    """Text inside the parenthesis that opens at `start`, and its end."""
    depth = 0
    for i in range(start, len(text)):
        if text[i] == "(":
            depth += 1
        elif text[i] == ")":
            depth -= 1
            if depth == 0:
                return text[start + 1:i], i + 1
    raise SystemExit("unbalanced signature")


def signature(text, name):
    m = re.search(r"func\.func (?:public )?@" + re.escape(name) + r"\(", text)
    if not m:
        raise SystemExit(f"no public function @{name}")
    args, pos = balanced(text, m.end() - 1)
    arg_types = []
    for a in split_types(args):
        t = a.split(":", 1)[1] if ":" in a else a
        arg_types.append(re.sub(r"\s*\{.*\}\s*$", "", t).strip())
    rest = text[pos:]
    m = re.match(r"\s*->\s*", rest)
    if not m:
        return arg_types, []
    rest = rest[m.end():]
    if rest.startswith("("):
        inner, _ = balanced(rest, 0)
        results = split_types(inner)
    else:
        results = [re.match(r"tensor<[^>]*>|\w+", rest).group(0)]
    return arg_types, [re.sub(r"\s*\{.*\}\s*$", "", r).strip()
                       for r in results]


def to_bits(elem, value):
    """Lines that turn %value of type elem into the i64 bits of an f64."""
    if elem == "f64":
        return f"      %rcb = arith.bitcast {value} : f64 to i64\n"
    if elem in ("f32", "f16", "bf16"):
        return (f"      %rcw = arith.extf {value} : {elem} to f64\n"
                f"      %rcb = arith.bitcast %rcw : f64 to i64\n")
    conv = "arith.uitofp" if elem == "i1" else "arith.sitofp"
    return (f"      %rcw = {conv} {value} : {elem} to f64\n"
            f"      %rcb = arith.bitcast %rcw : f64 to i64\n")


def harness(text, case, seed):
    name = case.get("function", "main")
    arg_types, result_types = signature(text, name)
    inputs = all_inputs(case, seed)
    if len(inputs) != len(arg_types):
        raise SystemExit(f"{case['name']}: {len(arg_types)} arguments, "
                         f"{len(inputs)} records")
    top, body, operands = "", "", []
    for i, (ty, (shape, elem, values)) in enumerate(zip(arg_types, inputs)):
        kind, dims, ty_elem = parse_type(ty)
        store = "i8" if elem == "i1" else elem
        mem = "x".join([str(d) for d in shape] + [store])
        data = pack(values, elem).hex().upper()
        top += (f'  memref.global "private" @rc_in{i} : memref<{mem}> = '
                f'dense<"0x{data}">\n')
        body += (f"    %rcm{i} = memref.get_global @rc_in{i} : memref<{mem}>\n"
                 f"    %rct{i} = bufferization.to_tensor %rcm{i} restrict : "
                 f"memref<{mem}> to tensor<{mem}>\n")
        cur, cur_ty = f"%rct{i}", f"tensor<{mem}>"
        if elem == "i1":
            want = "x".join([str(d) for d in shape] + ["i1"])
            ident = ", ".join(f"d{k}" for k in range(len(shape)))
            body += (
                f"    %rce{i} = tensor.empty() : tensor<{want}>\n"
                f"    %rcx{i} = linalg.generic {{indexing_maps = ["
                f"affine_map<({ident}) -> ({ident})>, "
                f"affine_map<({ident}) -> ({ident})>], iterator_types = ["
                + ", ".join(['"parallel"'] * len(shape)) +
                f"]}} ins({cur} : {cur_ty}) outs(%rce{i} : tensor<{want}>) {{\n"
                f"    ^bb0(%in: i8, %out: i1):\n"
                f"      %rcc = arith.trunci %in : i8 to i1\n"
                f"      linalg.yield %rcc : i1\n"
                f"    }} -> tensor<{want}>\n")
            cur, cur_ty = f"%rcx{i}", f"tensor<{want}>"
        if kind == "scalar":
            body += f"    %rcs{i} = tensor.extract {cur}[] : {cur_ty}\n"
            cur = f"%rcs{i}"
            if ty == "index":
                body += (f"    %rcs{i}x = arith.index_cast {cur} : "
                         f"{elem} to index\n")
                cur += "x"
        elif ty != cur_ty:
            body += f"    %rck{i} = tensor.cast {cur} : {cur_ty} to {ty}\n"
            cur = f"%rck{i}"
        operands.append(cur)
    n = len(result_types)
    lhs = "" if n == 0 else f"%rcr{':%d' % n if n > 1 else ''} = "
    res = result_types[0] if n == 1 else "(" + ", ".join(result_types) + ")"
    body += (f"    {lhs}func.call @{name}({', '.join(operands)}) : "
             f"({', '.join(arg_types)}) -> {res}\n")
    for i, ty in enumerate(result_types):
        value = f"%rcr#{i}" if n > 1 else "%rcr"
        kind, dims, elem = parse_type(ty)
        if kind != "tensor":
            raise SystemExit("results must be tensors")
        rank = len(dims)
        dyn = ""
        for k, d in enumerate(dims):
            if d == "?":
                body += (f"    %rcd{i}_{k}c = arith.constant {k} : index\n"
                         f"    %rcd{i}_{k} = tensor.dim {value}, %rcd{i}_{k}c :"
                         f" {ty}\n")
                dyn += (", " if dyn else "") + f"%rcd{i}_{k}"
        bits = "tensor<" + "x".join(dims + ["i64"]) + ">"
        memb = "memref<" + "x".join(dims + ["i64"]) + ">"
        ident = ", ".join(f"d{k}" for k in range(rank))
        body += (
            f"    %rco{i}e = tensor.empty({dyn}) : {bits}\n"
            f"    %rco{i} = linalg.generic {{indexing_maps = ["
            f"affine_map<({ident}) -> ({ident})>, "
            f"affine_map<({ident}) -> ({ident})>], iterator_types = ["
            + ", ".join(['"parallel"'] * rank) +
            f"]}} ins({value} : {ty}) outs(%rco{i}e : {bits}) {{\n"
            f"    ^bb0(%in: {elem}, %out: i64):\n" + to_bits(elem, "%in") +
            f"      linalg.yield %rcb : i64\n"
            f"    }} -> {bits}\n"
            f"    %rco{i}m = bufferization.to_buffer %rco{i} : {bits} to "
            f"{memb}\n"
            f"    %rco{i}u = memref.cast %rco{i}m : {memb} to memref<*xi64>\n"
            f"    func.call @printMemrefI64(%rco{i}u) : (memref<*xi64>) -> ()\n")
    top += ("  func.func private @printMemrefI64(memref<*xi64>) attributes "
            "{llvm.emit_c_interface}\n")
    top += "  func.func @run_case_entry() {\n" + body + "    return\n  }\n"
    # Insert before the module's closing brace; a resource section may follow.
    end = text.find("\n{-#")
    tail = "" if end < 0 else text[end:]
    head = text if end < 0 else text[:end]
    if re.search(r"^\s*(builtin\.)?module\b", head, re.M):
        at = head.rstrip().rfind("}")
        return head[:at] + top + "}\n" + tail
    return head + "\n" + top + tail


# Running ----------------------------------------------------------------

class ToolError(Exception):
    pass


def call(cmd, text=None, timeout=300):
    p = subprocess.run(cmd, input=text, capture_output=True, text=True,
                       timeout=timeout)
    if p.returncode != 0:
        raise ToolError(f"{shlex.join(map(str, cmd))[:300]}\n"
                        f"{p.stderr[:1500]}")
    return p.stdout


def execute(text, case, args, opt, prelower=""):
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "with-harness.mlir")
        with open(path, "w") as f:
            f.write(harness(text, case, args.seed))
        if args.keep:
            shutil.copy(path, args.keep)
        # linalg.softmax and tensor.concat need their own decomposition.
        lib = os.path.join(tmp, "decompose.mlir")
        with open(lib, "w") as f:
            f.write(DECOMPOSE)
        pre = f"{prelower}," if prelower else ""
        pipeline = ("builtin.module(" + pre +
                    f"transform-preload-library{{transform-library-paths={lib}}},"
                    "transform-interpreter," + LOWER + ")")
        lowered = call(shlex.split(opt) + [path,
                                           f"--pass-pipeline={pipeline}"])
        low = os.path.join(tmp, "low.mlir")
        with open(low, "w") as f:
            f.write(lowered)
        libs = [os.path.join(args.runner_libs, f"lib{n}.so")
                for n in ("mlir_runner_utils", "mlir_c_runner_utils",
                          "mlir_float16_utils")]
        out = call([args.mlir_runner, low, "-e", "run_case_entry",
                    "--entry-point-result=void", "-O2",
                    "--shared-libs=" + ",".join(l for l in libs + args.shared_libs.split(",")
                                                if os.path.exists(l))])
    results = []
    for block in out.split("Unranked Memref")[1:]:
        data = block.split("data =", 1)[1]
        results.append([struct.unpack("<d", struct.pack("<q", int(x)))[0]
                        for x in re.findall(r"-?\d+", data)])
    return results


DECOMPOSE = """
module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(
      %root: !transform.any_op {transform.consumed}) {
    %softmax = transform.structured.match ops{["linalg.softmax"]} in %root
        : (!transform.any_op) -> !transform.any_op
    %parts = transform.structured.decompose_interface %softmax
        : (!transform.any_op) -> !transform.any_op
    %funcs = transform.structured.match ops{["func.func"]} in %root
        : (!transform.any_op) -> !transform.any_op
    transform.apply_patterns to %funcs {
      transform.apply_patterns.tensor.decompose_concat
    } : !transform.any_op
    transform.yield
  }
}
"""


def worst(a, b):
    """Largest |a-b| / (1 + |b|); nan and inf must sit at the same places."""
    bad = 0.0
    for x, y in zip(a, b):
        if math.isnan(x) or math.isnan(y):
            if math.isnan(x) != math.isnan(y):
                return math.inf
        elif math.isinf(x) or math.isinf(y):
            if x != y:
                return math.inf
        else:
            bad = max(bad, abs(x - y) / (1 + abs(y)))
    return bad


def summary(values):
    """The record kept in cases.json for one result."""
    step = max(1, len(values) // 12)
    return {"count": len(values), "step": step,
            "mean_abs": sum(abs(v) for v in values) / max(1, len(values)),
            "sample": [float(f"{v:.9g}") for v in values[::step]]}


def check_expect(results, case, tol):
    for got, want in zip(results, case.get("expect", [])):
        if len(got) != want["count"]:
            return f"{len(got)} values, expected {want['count']}"
        err = worst(got[::want["step"]], want["sample"])
        mean = sum(abs(v) for v in got) / max(1, len(got))
        merr = worst([mean], [want["mean_abs"]])
        if max(err, merr) > tol:
            return f"off the frontend's own result by {max(err, merr):.3g}"
    return None


def check_attr(text, case, name):
    """Where a T5 bucket function is to be recovered from a case that holds
    attention for certain, #NAME<buckets = .., max_distance = .., bidirectional>
    must stand in the output; a folded constant leaves max_distance open."""
    bucket, want = case.get("bucket") or {}, case["attention_ops"]
    if (bucket.get("kind") != "t5" or bucket.get("recover") not in
            ("chain", "folded") or isinstance(want, list) or want == 0):
        return None
    for body in re.findall(r"#" + re.escape(name) + r"<([^>]*)>", text):
        got = dict(re.findall(r"(\w+)\s*=\s*(\d+)", body))
        if (got.get("buckets") == str(bucket["num_buckets"])
                and ("bidirectional" in body) == bucket["bidirectional"]
                and (bucket["recover"] == "folded" or
                     got.get("max_distance") == str(bucket["max_distance"]))):
            return None
    return (f"no #{name} with {bucket['num_buckets']} buckets, max_distance "
            f"{bucket['max_distance']}, bidirectional "
            f"{bucket['bidirectional']}")


def run_one(case, args):
    path = os.path.join(args.dir, case["file"])
    text = call([args.mlir_opt, path])
    tol = args.tolerance or case.get("tolerance", 2e-5)
    notes = []
    before = None
    if not args.no_run:
        before = execute(text, case, args, args.mlir_opt)
        if args.seed == case.get("seed", 1):
            problem = check_expect(before, case, case.get("expect_tolerance",
                                                          tol))
            if problem:
                return "FAIL", "baseline " + problem
        if any(math.isnan(v) for r in before for v in r):
            notes.append("has nan")
    if args.tool:
        cmd = [c.replace("{}", path) for c in shlex.split(args.tool)]
        if "{}" not in args.tool:
            cmd.append(path)
        after_text = call(cmd)
        if args.count:
            n = len(re.findall(r"\b" + re.escape(args.count) + r"\b(?!\w)",
                               after_text))
            notes.append(f"{n} {args.count}")
            want = case["attention_ops"]
            if n not in (want if isinstance(want, list) else [want]):
                return "FAIL", f"{n} {args.count}, expected {want}"
        if args.attr:
            problem = check_attr(after_text, case, args.attr)
            if problem:
                return "FAIL", problem
        if not args.no_run:
            after = execute(after_text, case, args, args.opt or args.mlir_opt,
                            args.prelower)
            if [len(r) for r in after] != [len(r) for r in before]:
                return "FAIL", "result sizes differ"
            err = max((worst(a, b) for a, b in zip(after, before)), default=0)
            notes.append(f"error {err:.3g}")
            if err > tol:
                return "FAIL", f"before and after differ by {err:.3g} > {tol}"
    return "PASS", ", ".join(notes)


def main():
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    ap.add_argument("cases", nargs="*", help="names or .mlir files")
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--dir", default=os.path.dirname(os.path.abspath(__file__)))
    ap.add_argument("--mlir-opt", default="mlir-opt")
    ap.add_argument("--mlir-runner", default="mlir-runner")
    ap.add_argument("--runner-libs", default=None,
                    help="folder of libmlir_runner_utils.so "
                         "(default: ../lib of mlir-runner)")
    ap.add_argument("--shared-libs", default="",
                    help="more libraries for mlir-runner, comma-separated "
                         "(OpenMP's, say)")
    ap.add_argument("--tool")
    ap.add_argument("--count")
    ap.add_argument("--attr", help="attribute that must say the recovered T5 "
                    "buckets, e.g. relattn.t5")
    ap.add_argument("--opt")
    ap.add_argument("--prelower", default="")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--tolerance", type=float)
    ap.add_argument("--no-run", action="store_true")
    ap.add_argument("--keep", help="write the module with its entry here")
    args = ap.parse_args()
    if args.runner_libs is None:
        runner = shutil.which(args.mlir_runner) or args.mlir_runner
        args.runner_libs = os.path.join(
            os.path.dirname(os.path.dirname(os.path.realpath(runner))), "lib")
    with open(os.path.join(args.dir, "cases.json")) as f:
        cases = json.load(f)
    wanted = {os.path.basename(c).removesuffix(".mlir") for c in args.cases}
    picked = [c for c in cases if args.all or c["name"] in wanted]
    if not picked:
        raise SystemExit("no such case")
    failed = 0
    for case in picked:
        try:
            status, note = run_one(case, args)
        except (ToolError, subprocess.TimeoutExpired) as e:
            status, note = "FAIL", str(e)
        failed += status != "PASS"
        print(f"{status} {case['name']} {note}", flush=True)
    print(f"{len(picked) - failed} of {len(picked)} passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
