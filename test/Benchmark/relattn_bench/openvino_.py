# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""OpenVINO: scaled_dot_product_attention of opset 13."""

import numpy as np
import openvino
from openvino import opset13


def implementations(case, inputs, threads, target):
    def make():
        q, k, v, table = inputs
        arrays = (q, k, v, case.dense_bias(table, hidden=-1e30))
        words = np.dtype(f"u{q.itemsize}")  # it knows no NumPy type of bf16
        element = {"f32": openvino.Type.f32, "bf16": openvino.Type.bf16}[case.kind]
        parameters = [opset13.parameter(list(array.shape), element) for array in arrays]
        node = opset13.scaled_dot_product_attention(*parameters, scale=opset13.constant(1.0, element), causal=False)
        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": case.kind}
        request = openvino.Core().compile_model(openvino.Model([node], parameters), "CPU", options).create_infer_request()
        for index, array in enumerate(arrays):
            request.set_input_tensor(index, openvino.Tensor(array.view(words), array.shape, element))

        def run():
            request.infer()

        run.kept = arrays
        output = request.get_output_tensor(0)
        return run, lambda _: output.data if case.kind == "f32" else output.data.view(q.dtype)

    yield "OpenVINO SDPA, dense bias", make
