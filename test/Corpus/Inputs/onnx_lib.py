# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""T5 attention as ONNX graphs, and ONNX to linalg by torch-mlir or IREE."""
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

from corpus_lib import *

BIN = os.path.dirname(sys.executable)
DT = {"f32": T.FLOAT, "f16": T.FLOAT16, "i64": T.INT64, "i1": T.BOOL}


class Graph:
    """A few lines of sugar over onnx.helper."""

    def __init__(self):
        self.nodes, self.consts, self.n = [], [], 0

    def const(self, value, dtype=np.float32):
        self.n += 1
        name = f"c{self.n}"
        self.consts.append(numpy_helper.from_array(np.array(value, dtype),
                                                   name))
        return name

    def __getattr__(self, op):
        def add(*ins, **attrs):
            self.n += 1
            out = f"t{self.n}"
            self.nodes.append(h.make_node(op, list(ins), [out], **attrs))
            return out
        return add

    def model(self, inputs, output, shape, elem, opset=17):
        ins = [h.make_tensor_value_info(n, DT[e], s) for n, s, e in inputs]
        self.nodes[-1].output[0] = output
        g = h.make_graph(self.nodes, "t5", ins, [
            h.make_tensor_value_info(output, DT[elem], shape)], self.consts)
        m = h.make_model(g, opset_imports=[h.make_opsetid("", opset)])
        m.ir_version = 9
        onnx.checker.check_model(m)
        return onnx.shape_inference.infer_shapes(m)


def bucket_chain(g, q, k, bidirectional=True, nb=32, md=128):
    """As exported from PyTorch and matched by ONNX Runtime's fusion."""
    zero, one = g.const(0, np.int64), g.const(1, np.int64)
    ctx = g.Unsqueeze(g.Range(zero, g.const(q, np.int64), one),
                      g.const([1], np.int64))
    mem = g.Unsqueeze(g.Range(zero, g.const(k, np.int64), one),
                      g.const([0], np.int64))
    rel = g.Sub(mem, ctx)
    if bidirectional:
        nb //= 2
        side = g.Mul(g.Cast(g.Greater(rel, zero), to=T.INT64),
                     g.const(nb, np.int64))
        dist = g.Abs(rel)
    else:
        dist = g.Neg(g.Min(rel, g.ConstantOfShape(
            g.Shape(rel), value=h.make_tensor("z", T.INT64, [1], [0]))))
    me = nb // 2
    f = g.Div(g.Cast(dist, to=T.FLOAT), g.const(me))
    f = g.Div(g.Log(f), g.const(np.log(md / me)))
    f = g.Cast(g.Mul(f, g.const(nb - me)), to=T.INT64)
    large = g.Add(f, g.const(me, np.int64))
    large = g.Min(large, g.ConstantOfShape(
        g.Shape(large), value=h.make_tensor("m", T.INT64, [1], [nb - 1])))
    ids = g.Where(g.Less(dist, g.const(me, np.int64)), dist, large)
    return g.Add(side, ids) if bidirectional else ids


def bias(g, table, ids):
    return g.Unsqueeze(g.Transpose(g.Gather(table, ids, axis=0),
                                   perm=[2, 0, 1]), g.const([0], np.int64))


def onnx_to_linalg(model, path):
    with tempfile.TemporaryDirectory() as tmp:
        p = os.path.join(tmp, "m.onnx")
        onnx.save(model, p)
        if path == "torch-mlir":
            text = run_tool([sys.executable, os.path.join(
                BIN, "torch-mlir-import-onnx"), p], "")
            return run_tool([TORCH_MLIR_OPT, "--pass-pipeline=builtin.module("
                             "torch-onnx-to-torch-backend-pipeline,"
                             "torch-backend-to-linalg-on-tensors-backend-"
                             "pipeline)"], text)
        text = run_tool([sys.executable, os.path.join(
            BIN, "iree-import-onnx"), p], "")
        return text


def onnx_case(name, model, args, path="torch-mlir", **meta):
    if not wanted(name):
        return
    try:
        import onnxruntime as ort
        o = ort.SessionOptions()
        o.intra_op_num_threads = 1
        s = ort.InferenceSession(model.SerializeToString(), o)
        feed = {i.name: a for i, a in zip(model.graph.input, arrays(args))}
        expected = [e.astype(np.float64) for e in s.run(None, feed)]
        text = onnx_to_linalg(model, path)
        meta.setdefault("source", "ONNX via " + path)
        emit(name, text, args, expected=expected, function=meta.pop(
            "function", model.graph.name), **meta)
    except Exception as e:
        print("FAILED", name, str(e)[:1500], flush=True)
