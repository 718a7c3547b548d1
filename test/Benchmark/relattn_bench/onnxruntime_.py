# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX Runtime: the Attention operator of opset 23 with its bias as mask."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def implementations(case, inputs, threads, target):
    def make():
        if case.kind != "f32":
            raise NotImplementedError("its CPU provider has no attention of bf16")
        q, k, v, table = inputs
        shapes = {"q": q.shape, "k": k.shape, "v": v.shape, "bias": (1, case.heads, case.queries, case.keys)}
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        node = helper.make_node("Attention", list(shapes), ["out"], scale=1.0)
        graph = helper.make_graph([node], "attention", [value(*item) for item in shapes.items()], [value("out", q.shape)])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        # Its softmax makes NaN of -inf in some versions.
        arrays = dict(zip(shapes, (q, k, v, case.dense_bias(table, hidden=-1e30))))
        kept = {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
        for name, array in kept.items():
            binding.bind_ortvalue_input(name, array)
        out = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros_like(q))
        binding.bind_ortvalue_output("out", out)

        def run():
            session.run_with_iobinding(binding)

        run.kept = kept
        return run, lambda _: out.numpy()

    yield "ONNX Runtime Attention, dense bias", make
