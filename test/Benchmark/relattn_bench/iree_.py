# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""IREE on what JAX lowers the two products and the softmax to."""

import jax
import jax.numpy as jnp
import numpy as np
from iree import runtime
from iree.compiler.tools import compile_str

FLAGS = ["--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3", "--iree-hal-target-device=local",
         "--iree-hal-local-target-device-backends=llvm-cpu"]


def implementations(case, inputs, threads, target):
    def make():
        if case.kind != "f32":
            raise NotImplementedError("the program here is of f32")
        def main(q, k, v, bias):
            weights = jax.nn.softmax(jnp.einsum("hid,hjd->hij", q, k) + bias, -1)
            return jnp.einsum("hij,hjd->hid", weights, v)

        arrays = [x[0] for x in inputs[:3]] + [case.dense_bias(inputs[3], hidden=-1e30)[0]]
        source = jax.jit(main).lower(*(jax.ShapeDtypeStruct(x.shape, jnp.float32) for x in arrays)).as_text()
        compiled = compile_str(source, input_type="stablehlo", extra_args=FLAGS)
        if threads > 1:
            runtime.flags.parse_flags(f"--task_topology_group_count={threads}")
        config = runtime.Config("local-sync" if threads == 1 else "local-task")
        context = runtime.SystemContext(config=config)
        module = runtime.VmModule.copy_buffer(context.instance, compiled)
        context.add_vm_module(module)
        function = context.modules[module.name]["main"]
        arguments = [runtime.asdevicearray(config.device, np.ascontiguousarray(x)) for x in arrays]
        return lambda: function(*arguments), lambda result: np.asarray(result.to_host())[None]

    yield "IREE StableHLO, dense bias", make
