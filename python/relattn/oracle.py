# Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The float64 oracle: what `relattn.attention` means, in NumPy.

It builds the bias and the scores whole, which is what the compiler avoids; it
is for comparison, not for use.
"""

from dataclasses import dataclass

import numpy as np

from relattn.schemes import Dense

DIMS = "bgrmnde"

#: Layouts by the rank of the output, as in the op's description.
DEFAULT_MAPS = {
    2: ("md", "nd", "ne", "me"),
    3: ("gmd", "gnd", "gne", "gme"),
    4: ("bgmd", "bgnd", "bgne", "bgme"),
    5: ("bgrmd", "bgnd", "bgne", "bgrme"),
}


@dataclass
class Result:
    """The output, the log-sum-exp (b, g, r, m as the output has them), and
    what `tolerance` needs of the computation."""

    output: np.ndarray
    lse: np.ndarray
    max_score_terms: float
    mean_additive: float
    max_value: float
    depth: int
    num_keys: int


def spread(array, dims, wanted):
    """`array` over `dims` with its axes in the order of `wanted`, size 1 for
    those that it lacks."""
    array = np.asarray(array)
    order = [dims.index(d) for d in wanted if d in dims]
    array = array.transpose(order)
    return array.reshape(
        [array.shape[[d for d in wanted if d in dims].index(d)] if d in dims else 1
         for d in wanted]
    )


def attention(
    query,
    key,
    value,
    *,
    scheme=None,
    bias=None,
    zero=None,
    band=(None, None),
    mask=None,
    mask_dims=None,
    query_offset=0,
    key_lengths=None,
    scale=1.0,
    maps=None,
):
    """softmax over visible keys of (scale * QK^T + bias(offset) + mask), times V.

    Args:
      query, key, value: any float dtype; `maps` names their dimensions.
      scheme, bias, zero: a scheme of `relattn.schemes`, its operand, and where
        offset 0 lies in a strip.
      band: (lo, hi) of the visible offsets, inclusive, None for unbounded.
      mask: bool (True is visible) or float (added), over `mask_dims`, by
        default the output's b, g, r and then m, n.
      query_offset: a number, or one per batch entry; offset = j - (i + it).
      key_lengths: one per batch entry, clamped to [0, N].
      scale: multiplies the product of query and key.
      maps: the dimensions of query, key, value and output, such as
        ("bmgd", "bngd", "bnge", "bmge"); by default that of the op.

    Returns:
      A `Result` in float64.
    """
    if maps is None:
        maps = DEFAULT_MAPS[np.ndim(query)]
    query_map, key_map, value_map, output_map = maps
    q = spread(query, query_map, "bgrmd").astype(np.float64)
    k = spread(key, key_map, "bgrnd").astype(np.float64)
    v = spread(value, value_map, "bgrne").astype(np.float64)

    m, n = q.shape[3], k.shape[3]
    batched = [array.shape[:3] for array in (q, k, v)]
    if mask is not None:
        if mask_dims is None:
            mask_dims = "".join(d for d in "bgr" if d in output_map) + "mn"
        mask = spread(mask, mask_dims, "bgrmn")
        batched.append(mask.shape[:3])
    if isinstance(scheme, Dense):
        bias = spread(bias, scheme.dims, "bgrmn").astype(np.float64)
        batched.append(bias.shape[:3])
    entry_offsets = np.atleast_1d(np.asarray(query_offset, np.int64))
    if np.ndim(query_offset):
        batched.append((len(entry_offsets), 1, 1))
    if key_lengths is not None:
        batched.append((len(key_lengths), 1, 1))
    b, g, r = np.broadcast_shapes(*batched)
    shape = (b, g, r, m, n)

    i, j = np.arange(m)[:, None], np.arange(n)[None, :]
    offsets = j - i - entry_offsets[:, None, None]  # [b or 1, m, n]
    visible = np.ones(shape, bool)
    lo, hi = band
    if lo is not None:
        visible &= (offsets >= lo)[:, None, None]
    if hi is not None:
        visible &= (offsets <= hi)[:, None, None]
    if key_lengths is not None:
        lengths = np.clip(np.asarray(key_lengths, np.int64), 0, n)
        inside = j < lengths[:, None, None]
        visible &= inside[:, None, None]
        # Never read: whatever is stored there.
        k = np.where(inside[:, None, None].swapaxes(-1, -2), k, 0.0)
        v = np.where(inside[:, None, None].swapaxes(-1, -2), v, 0.0)

    additive = np.zeros(shape)
    if isinstance(scheme, Dense):
        additive = additive + bias
    elif scheme is not None:
        values = scheme.values(bias, offsets, zero)  # [H or 1, b or 1, m, n]
        values = np.moveaxis(values, 0, 1)
        if values.shape[1] == 1:
            values = values[:, :, None]
        else:
            values = values.reshape(values.shape[0], g, r, *values.shape[2:])
        additive = additive + values
    if mask is not None:
        if mask.dtype == bool:
            visible &= mask
        else:
            additive = additive + mask.astype(np.float64)

    with np.errstate(all="ignore"):
        scores = scale * (q @ k.swapaxes(-1, -2)) + additive
        scores = np.where(visible, scores, -np.inf)
        highest = scores.max(axis=-1, initial=-np.inf, keepdims=True)
        shift = np.where(highest == -np.inf, 0.0, highest)
        p = np.exp(scores - shift)
        total = p.sum(axis=-1, keepdims=True)
        output = np.where(total == 0, 0.0, (p @ v) / total)
        lse = (highest + np.log(total))[..., 0]

        terms = abs(scale) * (np.abs(q) @ np.abs(k).swapaxes(-1, -2))
        terms = np.where(visible, terms, 0.0)
        weights = np.where(total == 0, 0.0, p / total)
        finite = np.where(np.isfinite(additive) & visible, np.abs(additive), 0.0)
        mean_additive = (weights * finite).sum(axis=-1)

    def largest(array):
        array = np.abs(array[np.isfinite(array)])
        return float(array.max(initial=0.0))

    e = v.shape[4]
    output = np.broadcast_to(output, (b, g, r, m, e))
    return Result(
        output=collect(output, "bgrme", output_map),
        lse=collect(
            lse, "bgrm", "".join(d for d in "bgrm" if d in output_map)
        ),
        max_score_terms=largest(terms),
        mean_additive=largest(mean_additive),
        max_value=largest(v),
        depth=q.shape[4],
        num_keys=k.shape[3],
    )


def collect(array, dims, wanted):
    """The inverse of `spread`: dimensions not wanted have size 1."""
    array = array.transpose(
        [dims.index(d) for d in wanted] + [i for i, d in enumerate(dims) if d not in wanted]
    )
    return array.reshape(array.shape[: len(wanted)])


def _spacing(dtype):
    """(machine epsilon, smallest subnormal) of a float dtype."""
    import ml_dtypes

    info = ml_dtypes.finfo(dtype)
    return float(info.eps), float(info.smallest_subnormal)


def tolerance(result, input_dtype, output_dtype, rounds_weights=False, weight_parts=3, score_products=1):
    """Allowed absolute errors of (output, lse) for one case.

    eps(accumulator) * (8 + 2 max_ij sum_d |scale q k| + a) * max|V|, plus one
    rounding of the output type. `a` is the largest over the rows of the
    softmax-weighted mean of |bias + mask|: a score is rounded at its own
    magnitude whoever adds the bias to it. It is of order 1 for tables; ALiBi
    and finite masks make it larger.

    An error that all scores of a row share cancels in the output but not in
    lse, which therefore takes the whole error of a sum of D products, of order
    sqrt(D) / 2 roundings: max(2, sqrt(D) / 2) stands there for 2, without
    max|V|, plus one rounding of lse itself. The D roundings are of that size for
    the bias as well, which the tuned schedule's sums start from: where one key
    decides a row, ALiBi at -127 moved its lse by 2.3 eps * a (D = 32).

    `rounds_weights`: weights are rounded to the input type before they meet V
    (decision 1 of the design), the largest of them, 1, least of all. Each moves
    the output by half a spacing of its own times |V|, and those below f16's
    smallest number vanish.

    `weight_parts`: weights are sums of so many bf16. Of two they and the values
    are right to 2^-16, and the product of their second parts, 2^-16 of that of the
    first, is left out; one is right to 2^-8. `score_products`: scores are so many
    products of parts, each a sum of D roundings of its own.
    """
    accumulator = np.float64 if input_dtype == np.float64 else np.float32
    eps, _ = _spacing(accumulator)
    factor = eps * (8 + 2 * result.max_score_terms + result.mean_additive)
    roundings = (score_products * result.depth) ** 0.5 / 2
    lse_factor = eps * (8 + max(2.0, roundings) * result.max_score_terms + max(1.0, roundings) * result.mean_additive)
    if rounds_weights:
        in_eps, in_tiny = _spacing(input_dtype)
        factor = factor + 0.5 * in_eps + 0.5 * in_tiny * result.num_keys
    if weight_parts < 3:
        factor = factor + 3 * 2.0**-16 + 2.0**-8 * (weight_parts == 1)
    out_eps, out_tiny = _spacing(output_dtype)
    rounding = 0.5 * out_eps * np.abs(result.output) + 0.5 * out_tiny
    return (
        factor * result.max_value + rounding,
        lse_factor + eps * np.abs(result.lse),
    )
