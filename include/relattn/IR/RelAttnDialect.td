//===- RelAttnDialect.td - relattn dialect -----------------*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect and its rationale: which ops exist, which do not, and why.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_IR_RELATTNDIALECT_TD
#define RELATTN_IR_RELATTNDIALECT_TD

include "mlir/IR/OpBase.td"

def RelAttn_Dialect : Dialect {
  let name = "relattn";
  let cppNamespace = "::mlir::relattn";
  let summary = "Attention with relative-position bias";
  let description = [{
    Attention whose bias depends on the *offset* alone (key position minus
    query position), as in T5 (Raffel et al. 2020), ALiBi (Press et al. 2022)
    or Shaw et al. (2018). Everything that depends only on the offset is a
    one-dimensional function here, never an M x N matrix: the bias of one head
    is a *strip* of M + N - 1 numbers, a causal or windowed mask is a *band* of
    offsets.

    ### Conventions

    B batch entries, H = G x R query heads on G key/value heads (query head
    `h = g * R + r`), M queries, N keys, query/key width D, value width E.

    - `offset = j - (i + query_offset)` for query i and key j; the same for
      bucket, strip and band. Causal with M != N is therefore aligned at the
      top left unless a query offset says otherwise; decoding with a cache of N
      keys has `query_offset = N - M`.
    - The products accumulate in f32 for f16, bf16 and f32 and in f64 for f64
      (the *accumulator type*); so does the softmax.
    - Order: scale, bias, mask, softmax. There is no division by sqrt(D): the
      scale is an attribute and 1 by default, as in T5.
    - A hidden key has weight exactly 0. A query that sees no key gives 0 and
      the log-sum-exp -inf, never NaN; frameworks that give NaN there are
      refined. A NaN at a visible place makes its row NaN.
    - Positions are 64-bit. B, M and N may be dynamic or 0.
    - Outputs must not alias inputs once bufferised; results have the same bits
      from run to run for the same inputs, target and thread count.

    ### Rationale

    **Why ops at all.** `attention` names the computation without an order of
    it, so that each target tiles it its own way, and so that what is known of
    the bias (a few intervals) survives until the tiles exist. `bucket`,
    `bias_strip` and `bias` are what the parts of a frontend's bucket chain
    become; they let a chain be raised even where no attention is found.

    **Why no other ops.** Softmax, rotary embeddings, dropout and the building
    of masks exist upstream or belong to the frontend.

    **Why the scheme is an attribute interface.** A new bucketing says its
    intervals and nothing else; strip, verifier, folder and lowering follow.

    **Why the table is `[num_buckets, H]`.** It is the layout of Hugging Face,
    ONNX Runtime and CTranslate2. The other one is a transpose of a few hundred
    numbers, not worth a second code path.

    **Why a strip's ends extend.** A read beyond a strip gives its end value,
    as the open-ended outer buckets do. No offset is then undefined, and a
    strip that stops at its saturation points is a legal one.

    **Why the textbook's buckets have no attribute.** With n_b (odd) buckets
    they are one-sided T5 with n_b + 1 buckets and the same distance:
    `T5Attr::getTextbook`.

    **Why `online_attention` is an op.** It is where schedules of all targets
    meet: what is above it is loops and memory, what is below is a formula.

    **Why `prefetch` is an op.** What a worker touches next is known where its
    tiles are made, on tensors; upstream's prefetch takes an address of a buffer.
    A hint that reads nothing goes through bufferisation without a copy.

    **Why the reference lowering adds the bias after the product.** The bias as
    the initial accumulator is what the tuned schedules do per tile. On whole
    tensors it would be an M x N tensor of bias, which this dialect exists to
    avoid; the lowering adds the strip in the one pass over the scores that
    masks them, and it rounds once.

    **How the tuned schedule computes.** In levels, each printed and entered by a
    pass: attention; `online_attention` in loops over workers, blocks of keys and
    panels of queries; linalg on tiles; register tiles; vectors.

    - Scores are transposed, lanes = queries: keys and values are broadcast from
      where they lie, maximum, sum and rescaling stay in their lanes, and no
      length of keys or depth costs anything extra. Lanes = keys is 1.1 times
      slower (AVX-512), and packs keys.
    - The strip is read backwards, by i - j, so that a row of queries is one
      load; it is the scores' accumulator from the start, and holds -inf outside
      of the band. Each worker spreads that of its queries and a block of keys: a
      run for each interval, and two for the band. One strip of each head, spread
      before, cost 3 to 5 of 75 us at 8 heads, 77 queries and two threads, and
      a search for each place 11 % of a decode step; now 1.5 us and 2 to 3 %.
    - Tiles inside one interval of offsets read the strip like others. Started
      from a scalar they would save a part of what the kernel without any bias
      saves, 0 to 1 % on Zen 4, on an Intel Xeon (AVX-512) 1 % at 2048 tokens, 2.5
      at 512 and 3 at D = 32, at the price of a second copy of the tile's code.
      Read from one aligned place they would save 0 to 1 % there.
    - Few queries (a static M of 8 or less, a decode step) are rows: one query a
      panel, lanes along d, n and e instead, strips that ascend. On AVX2 with D =
      64 and N = 2048 a row costs 0.29 of a panel of 16 queries, 8 rows 0.92; at M
      = 1 the step takes 0.8 to 1.05 times as long as a plain read of keys and
      values.
      Scores are padded by -inf to whole vectors.
    - Where threads would have less to do than others, blocks have fewer panels:
      the largest number that leaves the last thread about what blocks of one
      would (1.25 to 1.8 times as fast for 3 to 1 heads of 128 and two threads).
      One block of queries (rows, or up to 128) whose panels are still too few
      has its keys in parts, which `merge` joins in their order.
    - Keys and values whose rows lie apart (BSHD), or along d, or in a narrow type
      are copied once, as [b, g, n, d] in the accumulator's type, if more queries
      than those of one block read them. Rows 4 kB apart share a few sets of the
      cache: read where they lie, 16 heads of 64 took 1.25 times as long as BHSD,
      now 1.03. A dynamic M counts as many; a decode step should say its M, or be
      compiled with `dynamic-rows`.
    - Threads take blocks of queries one by one, of ranges of their own first, and
      copy the heads that they will read: what another core has just written, or
      reads as well, comes from further away (two threads: 512 queries 1.04 to
      1.06 times as fast, with copies of keys and values 1.10).
    - While products are computed, the rows come that are touched once: with each
      step of a whole panel some of its block's results and the next one's queries,
      with that of the first panel its block of values, which products read a few
      columns at a time (keys, row after row, the hardware foresees). Waited for,
      they are 8 to 12 % of the time of 512 queries, where the heads are more than
      the second-level cache holds. A few lines come with each register tile: all
      at once gain half as much.
    - Tails are tiled by the next smaller size (6, 2, 1 rows), never masked. Lanes
      beyond the last query are empty: panels are one or two vectors wide, or
      four where that makes products faster (AVX-512 but Zen 4's), of which the
      last panel leaves out two or three where it can.
    - What the upper half of a panel of 64 queries alone sees of a causal band it
      meets alone, a quarter of the work on the band's edge: 512 queries 1.04 to
      1.05 times as fast (AVX-512), 128 1.08, 77 1.07, 2048 1.01.
    - A register tile is a function of its own. In one big function the register
      allocator spills for some chains of tails and not for others, 1.27 to 1.49
      times slower. The function has the loop over rows as well: accumulators
      that are arguments go through the stack, which hid what unrolling the loop
      over keys gains (1.02 to 1.08 times, 0.97 to 1.06 for d = 128).
    - The maximum is a comparison and a choice. `arith.maximumf` without `nnan`
      is three instructions, and `nnan` would be a lie: a NaN in a visible score
      must reach its row. It does so by the exponential.
    - The exponential is ours: 12 instructions on f32, exactly 0 for -inf, NaN
      for NaN. On Intel, whose two units for products do its other arithmetic,
      too, 10 of them with VREDUCEPS and VSCALEFPS: 6.3 cycles for 16 weights
      instead of 8.4, kernels 1.00 to 1.05 times as fast. log2(e) and the
      maximum in one multiply-add would save another one, but take numbers for
      infinite that are not (a table that hides by the lowest one), for 1.00 to
      1.01 times.
    - Slices that keep a unit dimension drop none and are collapsed: upstream
      infers the wrong one (and its stride) otherwise.
    - Intel's matrix unit (AMX) multiplies bf16. With `matrix-unit` many queries
      use it, each f32 as a sum of bf16: of three with six products of parts
      (`highest`, errors as of f32), weights and values of two with three (`high`,
      2^-16 of the largest value), or weights of one (`medium`, 2^-8). A bf16 is
      one part, so that a score takes one product, exactly (three, if a scale that
      is no power of two has given queries more digits), and so do values with each
      part of a weight; an f16 is two. Scores start from tiles of the strip,
      16 rows that begin one number apart; all else is as above. On two cores of a
      Granite Rapids, from 500 tokens on, 1.02 to 1.27 and 1.19 to 1.56 times as
      fast as multiply-adds (512 causal tokens 0.92 to 1.00 and 1.21, d = 40 0.90
      to 0.94 and 1.07 to 1.13): six products take 0.65 of the time of one by
      multiply-adds, at a rate that what the unit draws has lowered. Not the
      default, since it takes denormal numbers for 0 (inputs below 2^-110 lose
      digits), and infinite inputs may make NaN, f32 values above 3.39e38, too, but
      with `highest`.
      A function asks Linux for the unit; where that is refused its instructions
      are illegal.
    - Narrow floats are vectors only between memory and a conversion, of bf16 by
      integer arithmetic; by loops, they cost a bf16 kernel on the matrix unit 1.2
      times its time at 512 tokens. LLVM inserts a bf16 into a vector by calls, so
      that vectors whose elements are no neighbours are made of integers. Booleans
      are no vectors: one of them is read as bits. A decode step of one query widens
      keys and values as it multiplies them: copied in blocks before, they took it
      1.7 times as long.

    | what | schedule |
    |---|---|
    | d and e of 1 to 256, any lengths, layouts, groups, bands, masks, lengths of keys, query offsets, every scheme, lse; f32, f64; f16 and bf16 widened | tuned: rows for a static M of 1 to 8 (a dynamic one with `dynamic-rows`), else panels |
    | d or e dynamic, 0, or larger than 256; another static size of 0 | reference |
    | a dense bias or float mask of f16 or bf16 | reference |
    | one key (static) with `key_lengths` | reference |

    With `matrix-unit`, f32 and narrower types whose queries are dynamic or more
    than 256, whose d and e would be padded to no more than 1.5 times of both
    (d to multiples of 32, e of 16), outside of parallel loops, use it.

    **How a GPU computes.** By the same levels as far as linalg on tiles, for the
    blocks of a workgroup instead of panels; on buffers, `relattn-convert-tiles-to-gpu`
    turns each op into what one thread does. The mma schedule, for NVIDIA's chips
    from sm_80 on:

    - Scores are [m, n], in the accumulators of the matrix unit: their layout is
      that of the next product's factor, so that weights move between no lanes.
    - Keys are met in up to four loops. Whole tiles whose offsets are all in the
      first or the last interval of the bucketing have one number as bias. Their
      scores are computed without it: the running maximum is kept relative to it,
      and such a loop is that of no bias at all, to the instruction but for one or
      two. (As the products' initial accumulator it costs 14 to 26 moves between
      registers, 1 to 2 % of the time.) Whole tiles between them start from the
      strip: of the 64 numbers of a lane 22 differ, which are loaded, with 8
      instructions for their place; these loads are under way while the copies are
      waited for. The last loop is for the last keys, the only tile of dynamic size.
    - Keys and values are copied by `cp.async` while the tile before is multiplied,
      across the loops; one barrier a tile.
    - The maximum that weights are relative to is replaced only by one that is more
      than 5.5 above it (weights are at most e^5.5 = 245 then), as FlashAttention-4
      does: the running output is rescaled in few tiles, behind a branch that a warp
      takes as one. That is 5 to 6 % of the time on an H200, with a band 2 to 5 %.
    - A warp has 32 queries, whose operands stay in registers if scores and output
      leave room (d = 64), else are read from shared memory. On an H100, d = 64,
      that is 1.2 times as fast as 16 queries a warp; at d = 128, with tiles of 32
      keys, too.
    - Sums of weights stay what each lane has until the end; weights are rounded to
      the values' type; 2^x is `ex2.approx.ftz`. The scale goes into the exponent's
      multiply-add, because queries of 16 bits are too narrow to hold it.

    The simt schedule was bound by its copies at first: a thread that loads an
    element, waits and stores it took 4.6 times as long as PyTorch's f32 kernel (H200,
    d = 64), 1.4 times with `cp.async` under way while products are computed, two
    barriers a tile and one buffer each for keys and values. What is read of shared
    memory serves several products: four rows for four threads read 12 fours of
    elements for 128 multiply-adds of the scores, 20 elements for 64 of the output.

    | what | schedule on a GPU |
    |---|---|
    | f16 and bf16 with d and e that are multiples of 16 up to 128, on sm_80 and newer | mma |
    | f32, f64, other d and e of 1 to 256, NVIDIA's older chips from sm_70 on, AMD's (code that is assembled but was never run); f64 of more than 128 columns where a workgroup may have 99 KB of shared memory | simt: a few rows of queries for each few threads |
    | d or e dynamic, 0, or larger than 256; another static size of 0 | an error at the op |

    Both take any lengths, layouts, groups, bands, masks, lengths of keys, query
    offsets, every scheme, and give the log-sum-exp.

    **Why a batch loop for key_lengths.** Sliced to its length, a cache is
    never read beyond it, whatever is stored there.
  }];
  let dependentDialects = [
    "::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect",
    "::mlir::tensor::TensorDialect"
  ];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

#endif // RELATTN_IR_RELATTNDIALECT_TD
