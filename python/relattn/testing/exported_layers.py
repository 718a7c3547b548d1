# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hugging Face T5 layers, exported now, raised and executed.

    python -m relattn.testing.exported_layers

For each of T5's bucket parameters, both directions, odd numbers of heads, depths
and lengths, and lengths past saturation, from torch.export and from ONNX files:
relattn-raise must find the attention and its buckets, and compute what PyTorch
does.
"""

import sys
import tempfile
import warnings

import numpy as np

from relattn.importer import import_onnx, import_torch
from relattn.jit import Module
from relattn.testing.frontend_program import T5_PARAMETERS
from relattn.testing.random_frontend import attributes
from relattn.testing.random_linalg import opt

#: (heads, depth, length): odd ones, and one longer than every saturation.
SHAPES = [(3, 5, 37), (2, 16, 300), (1, 7, 19)]


def t5_layer(heads, depth, buckets, distance, is_decoder, implementation="eager", model=24):
    """A seeded self-attention layer with its table, in eval mode."""
    import torch
    from transformers import T5Config
    from transformers.models.t5.modeling_t5 import T5Attention

    torch.manual_seed(0)
    config = T5Config(
        d_model=model, d_kv=depth, num_heads=heads, relative_attention_num_buckets=buckets,
        relative_attention_max_distance=distance, is_decoder=is_decoder, dropout_rate=0.0,
    )
    config._attn_implementation = implementation
    layer = T5Attention(config, has_relative_attention_bias=True, layer_idx=0)

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, hidden):
            return self.layer(hidden)[0]

    return Layer().eval()


def import_by_onnx(layer, hidden):
    """The layer through an ONNX file."""
    import torch

    with tempfile.TemporaryDirectory(prefix="relattn-") as directory, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter without onnxscript is the older one
        torch.onnx.export(layer, (hidden,), f"{directory}/layer.onnx", dynamo=False, opset_version=17)
        return import_onnx(f"{directory}/layer.onnx")


def main():
    import torch

    failed = 0
    cases = [(p, one, SHAPES[(i + j) % len(SHAPES)], implementation)
             for i, p in enumerate(T5_PARAMETERS) for j, one in enumerate((False, True))
             for implementation in ("eager", "sdpa", *(["ONNX"] if i < 2 else []))]
    for (buckets, distance), one_side, (heads, depth, length), implementation in cases:
        is_onnx = implementation == "ONNX"
        layer = t5_layer(heads, depth, buckets, distance, one_side, "eager" if is_onnx else implementation)
        hidden = torch.randn(1, length, 24)
        with torch.no_grad():
            expected = layer(hidden).numpy()
        text = import_by_onnx(layer, hidden) if is_onnx else import_torch(layer, (hidden,))
        raised = opt(text, ["--relattn-raise"]).stdout
        attentions, t5, _ = attributes(raised)["main"]
        output = Module(raised, optimize="-O1").call("main", hidden.numpy(), returns=(np.float32, 3))
        error = float(np.abs(output - expected).max())
        right = attentions == 1 and (buckets, distance, not one_side) in t5 and error < 1e-4
        failed += not right
        print(f"{'ok' if right else 'FAILED'}: {implementation}, buckets {buckets}, distance {distance}, "
              f"{'one side' if one_side else 'both sides'}, H {heads}, D {depth}, M = N = {length}: "
              f"{attentions} attention op, {sorted(t5)}, error {error:.2g}")
    print(f"{len(cases)} layers, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
