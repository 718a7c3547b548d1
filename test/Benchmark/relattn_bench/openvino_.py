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
        parameters = [opset13.parameter(list(array.shape), np.float32) for array in arrays]
        node = opset13.scaled_dot_product_attention(*parameters, scale=opset13.constant(np.float32(1.0)), causal=False)
        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        request = openvino.Core().compile_model(openvino.Model([node], parameters), "CPU", options).create_infer_request()
        for index, array in enumerate(arrays):
            request.set_input_tensor(index, openvino.Tensor(array, shared_memory=True))

        def run():
            request.infer()

        run.kept = arrays
        return run, lambda _: request.get_output_tensor(0).data

    yield "OpenVINO SDPA, dense bias", make
