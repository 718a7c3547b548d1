# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The oracle against PyTorch and Hugging Face, all in float64.

    python -m relattn.testing.torch_reference

1. Random problems against `scaled_dot_product_attention` with a dense bias.
2. `T5Attention` with seeded weights, encoder and decoder, whole layers.
3. `T5Attention._relative_position_bucket` against exact buckets: equal for the
   parameters of published models; elsewhere every difference is listed. The
   listed offsets are where a logarithm lands on an integer and float32 rounds
   it to the other side.
"""

import sys

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import T5Config
from transformers.models.t5.modeling_t5 import T5Attention

from relattn import oracle
from relattn.schemes import T5, Dense
from relattn.testing.generator import Generator

#: (num_buckets, max_distance) where Hugging Face's buckets are exact.
EXACT = [(32, 128), (8, 20), (16, 64), (32, 32), (64, 256)]

passed = failed = 0


def report(name, ok, detail):
    global passed, failed
    passed, failed = passed + ok, failed + (not ok)
    if not ok or detail:
        print(f"{name}: {'ok' if ok else 'FAILED'}{', ' if detail else ''}{detail}")


def check_sdpa(count):
    generator, worst = Generator(1234), 0.0
    for _ in range(count):
        case = generator.next()
        result = case.expected()
        q = oracle.spread(case.query, case.maps[0], "bgrmd").astype(np.float64)
        k = oracle.spread(case.key, case.maps[1], "bgrnd").astype(np.float64)
        v = oracle.spread(case.value, case.maps[2], "bgrne").astype(np.float64)
        b, g, r, m, _ = np.broadcast_shapes(q.shape, (*k.shape[:3], 1, 1))
        n = k.shape[3]
        additive, hidden = np.zeros((b, g, r, m, n)), np.zeros((b, g, r, m, n), bool)
        shift = 0 if case.query_offset is None else np.reshape(case.query_offset, (-1, 1, 1))
        offsets = np.broadcast_to(np.arange(n) - np.arange(m)[:, None] - shift, (b, m, n))
        if isinstance(case.scheme, Dense):
            additive = additive + oracle.spread(case.bias, case.scheme.dims, "bgrmn").astype(float)
        elif case.scheme is not None:
            values = case.scheme.values(case.bias, offsets, case.zero)
            values = np.broadcast_to(values, (g * r, b, m, n)).reshape(g, r, b, m, n)
            additive = additive + np.moveaxis(values, 2, 0)
        lo, hi = case.band
        hidden |= (offsets < (lo if lo is not None else -(2**60)))[:, None, None]
        hidden |= (offsets > (hi if hi is not None else 2**60))[:, None, None]
        if case.key_lengths is not None:
            beyond = np.arange(n) >= np.reshape(case.key_lengths, (-1, 1))
            hidden |= beyond[:, None, None, None, :]
            k, v = np.nan_to_num(k), np.nan_to_num(v)
        if case.mask is not None:
            mask = oracle.spread(case.mask, case.mask_dims, "bgrmn")
            if mask.dtype == bool:
                hidden |= ~mask
            else:
                additive = additive + mask.astype(np.float64)
        additive[hidden] = -np.inf
        sizes = (b, g, r)
        expand = lambda a: torch.from_numpy(np.broadcast_to(a, (*sizes, *a.shape[3:])).copy())
        theirs = scaled_dot_product_attention(
            expand(q), expand(k), expand(v), attn_mask=torch.from_numpy(additive),
            scale=case.scale,
        ).numpy()
        theirs = oracle.collect(theirs, "bgrme", case.maps[3])
        # A query that sees nothing: 0 here, undefined there. (A NaN query plus a
        # float mask of -inf is NaN: such a mask is added as a number.)
        rows = lambda a: oracle.collect(
            np.broadcast_to(a, (b, g, r, m, v.shape[4])), "bgrme", case.maps[3])
        empty = rows((additive == -np.inf).all(-1, keepdims=True))
        zero = empty & ~rows(np.isnan(q).any(-1, keepdims=True))
        ok = np.array_equal(result.output[zero], np.zeros(zero.sum()))
        # A NaN query: NaN in both, and nowhere else.
        nan = np.isnan(result.output) & ~empty
        ok &= np.array_equal(nan, np.isnan(theirs) & ~empty)
        error = np.abs(np.where(empty | nan, 0.0, result.output - theirs)).max(initial=0.0)
        scale = np.finfo(np.float64).eps * (8 + 2 * result.max_score_terms) * max(result.max_value, 1.0)
        worst = max(worst, error / scale)
        report(
            "scaled_dot_product_attention", ok and error <= scale,
            "" if ok and error <= scale else f"error {error:.3g}, {', '.join(case.tags)}",
        )
    print(f"scaled_dot_product_attention: {count} problems, worst error {worst:.3g} of the bound")


def check_layer(is_decoder, length, past=0):
    torch.manual_seed(7)
    config = T5Config(d_model=64, d_kv=16, num_heads=4, is_decoder=is_decoder,
                      relative_attention_num_buckets=32, relative_attention_max_distance=128)
    config._attn_implementation = "eager"
    layer = T5Attention(config, has_relative_attention_bias=True, layer_idx=0).double().eval()
    hidden = torch.randn(2, length, 64, dtype=torch.float64)
    mask = None
    if is_decoder:
        mask = torch.full((length, length), torch.finfo(torch.float64).min, dtype=torch.float64)
        mask = torch.triu(mask, 1)[None, None]
    with torch.no_grad():
        theirs = layer(hidden, mask=mask)[0].numpy()
        heads = lambda x: x.view(2, length, 4, 16).numpy()
        q, k, v = (heads(f(hidden)) for f in (layer.q, layer.k, layer.v))
        table = layer.relative_attention_bias.weight.numpy()
    ours = oracle.attention(
        q, k, v, scheme=T5(32, 128, not is_decoder), bias=table,
        band=(None, 0) if is_decoder else (None, None),
        maps=("bmgd", "bngd", "bnge", "bmge"),
    ).output
    with torch.no_grad():
        ours = layer.o(torch.from_numpy(ours.reshape(2, length, 64).copy())).numpy()
    error = np.abs(ours - theirs).max()
    name = "T5Attention " + ("decoder" if is_decoder else "encoder")
    report(name, error < 1e-12, f"{length} positions, max error {error:.3g}")


def check_buckets():
    offsets = np.arange(-5000, 5001)
    their_bucket = T5Attention._relative_position_bucket
    listed = 0
    pairs = EXACT + [(b, d) for b in range(4, 65, 2) for d in (20, 27, 64, 81, 100, 128, 256, 1000, 4096)]
    for buckets, distance in pairs:
        for both in (True, False):
            if distance <= buckets // (4 if both else 2):
                continue
            ours = T5(buckets, distance, both).bucket(offsets)
            theirs = their_bucket(torch.from_numpy(offsets), both, buckets, distance).numpy()
            different = offsets[ours != theirs]
            name = f"buckets ({buckets}, {distance}) {'both sides' if both else 'one side'}"
            if (buckets, distance) in EXACT:
                report(name, len(different) == 0, f"differ at {different}" if len(different) else "")
            elif len(different):
                listed += 1
                pairs_text = ", ".join(
                    f"{o} ({ours[offsets == o][0]}, theirs {theirs[offsets == o][0]})" for o in different
                )
                print(f"  {name}: Hugging Face is not exact at {pairs_text}")
                # Never more than a threshold off by one position.
                report(name, bool((np.abs(ours - theirs) <= 1).all()), "")
            else:
                report(name, True, "")
    print(f"buckets: {listed} of {len(pairs)} parameter pairs listed above")


def main():
    check_sdpa(200)
    for length in (7, 150):
        check_layer(False, length)
        check_layer(True, length)
    check_buckets()
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
