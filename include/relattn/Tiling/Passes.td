//===- Passes.td - relattn tiling passes -------------------*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tuned path, level by level: attention (1), online attention in loops (2),
// linalg on tiles (3), linalg on register tiles, vectors.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TILING_PASSES_TD
#define RELATTN_TILING_PASSES_TD

include "mlir/Pass/PassBase.td"

def TileAttention : Pass<"relattn-tile-attention",
                                  "::mlir::func::FuncOp"> {
  let summary = "Tile attention into loops over workers, keys and panels";
  let description = [{
    Level 1 to level 2. Each `relattn.attention` becomes

    ```
    scf.forall (b, g, r, block of panels * lanes queries)
      pack the block's queries, transposed and scaled
      scf.for (block of keys, as far as the band and key_lengths let it be seen)
        scf.for (panel)
          relattn.online_attention
      out / sum, and max + log(sum), into the destinations
    ```

    and, for each block of keys, a strip, read backwards, that holds bias and band.
    In transform scripts: `transform.relattn.tile_attention`; in C++:
    `tileAttention`. No tensor has both M and N; extra memory is the tiles of a
    worker; of a bucketing of more than 64 buckets the bucket of each offset, O(M +
    N); and, if their rows lie apart or their type is narrow, keys and values once
    more, [b, g, n, d] in the accumulator's type. That copy is made unless a static M
    fits into one block or the op stands in a parallel loop already.

    Input: attention on tensors with static d and e. An op that cannot be tiled is
    left alone, with a remark (`--remarks-filter=relattn`): d or e dynamic, empty
    or larger than 256; an empty dimension; a dense bias or a float mask narrower
    than the accumulator.

    Halved for f64: lanes and keys; halved for d of 128 and more: keys. Panels of
    an even number of lanes, at least 32, have an `scf.if` around their step: the
    last one takes half of its lanes, or a quarter, where its queries fit into these
    and they are 16 still. A static number of queries has it only if they do.
    Below a band (causal, a window), the last keys of such a panel are seen by its
    upper half alone: all lanes meet the keys before, half of them the rest, in a
    loop around the step.

    A decode step, and any few queries (`rows`), become panels of a single query,
    whose vectors lie along keys and columns instead; their strip ascends. A
    dynamic number of queries counts as many; `dynamic-rows` has code for both, an
    `scf.if` with a loop in each branch, which takes twice as long to compile.

    Blocks have half of `panels`, or a quarter, ..., where this leaves the last of
    the `workers` less to do, which is computed at run time. Where a static number
    of queries is one block, for each (b, g, r), and its panels are fewer than the
    parts of its keys that `workers` would take, the keys are split into these
    parts, whose states `relattn.merge` joins in a second loop over (b, g, r).

    With `weight-parts`, for a CPU's matrix unit, an attention of many queries has
    keys, values and queries as sums of bf16, two numbers to a word of i32: the
    first two in copies, made before the loops, of 2 bytes for each part of each
    number, d and e padded to what the unit's tiles hold. An f32 has three parts,
    an f16 two, a bf16 one, a scaled query three unless the scale is a power of
    two; an f32 of the values two where weights have no more. Panels have 64 queries,
    four share a block of 256 keys (128 for d or e of 128 and more). Attention stays
    as it is in f64, with a d or e that the unit's tiles would pad to more than one
    and a half times the work, with queries that are rows or one block, with
    batch entries that see different keys of the same tensor, and in somebody's
    parallel loop.

    With `workgroups`, for a GPU, queries, keys and values stay in their type and
    place, scores are not transposed, and the keys are met in up to four loops:
    whole tiles whose offsets are all in the first interval of the bucketing,
    without a bias, the maximum being relative to it; whole tiles from the strip;
    those in the last interval; and the last keys. `keys` is halved (to no
    less than 16) for d or e above 64. Without matrix units, and for what they do
    not take (f32, f64, d or e that are no multiples of 16 up to 128), blocks have
    32 or 64 queries and 8 to 32 keys, and fewer of both until they fit into
    `shared-bytes`.
  }];
  let options = [
    Option<"lanes", "lanes", "int64_t", "16",
           "Queries of a panel: lanes of a vector times vectors of a register "
           "tile">,
    Option<"panels", "panels", "int64_t", "4",
           "Panels that share a block of keys, at most">,
    Option<"keys", "keys", "int64_t", "96", "Keys of a block">,
    Option<"rows", "rows", "int64_t", "8",
           "Largest static number of queries that become rows">,
    Option<"rowKeys", "row-keys", "int64_t", "512",
           "Keys of a block that rows share">,
    Option<"workers", "workers", "int64_t", "1",
           "Threads: blocks of queries have fewer panels, or the keys are in "
           "parts, where some of these would have less to do">,
    Option<"dynamicRows", "dynamic-rows", "bool", "false",
           "Look at a dynamic number of queries at run time and make rows of up "
           "to `rows` of them, whose keys stay whole: code for rows and for "
           "panels (not if `rows` is 0, nor with `workgroups`)">,
    Option<"workgroups", "workgroups", "bool", "false",
           "Blocks of `lanes` queries for the workgroups of a GPU">,
    Option<"matrixUnits", "matrix-units", "bool", "true",
           "The GPU has matrix units with factors of 16 bits">,
    Option<"weightParts", "weight-parts", "int64_t", "0",
           "For a CPU's matrix unit: factors in pairs of bf16, weights as sums of "
           "1, 2 or 3 (0: not)">,
    Option<"prefetch", "prefetch", "bool", "false",
           "`relattn.prefetch` what a worker touches next (not for rows and "
           "workgroups): with each step of a whole panel some rows of its results "
           "and of the next block's queries, and with that of the first panel, but "
           "for pairs, the values">,
    Option<"sharedBytes", "shared-bytes", "int64_t", "0",
           "Bytes of shared memory that tiles without matrix units fit into, if "
           "any do (0: not looked at)">
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::relattn::RelAttnDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
  let statistics = [
    Statistic<"numTiled", "num-tiled", "Number of attentions tiled">,
    Statistic<"numLeft", "num-left", "Number of attentions left alone">
  ];
}

def DecomposeAttention : Pass<"relattn-decompose-attention",
                                       "::mlir::func::FuncOp"> {
  let summary = "Decompose online attention into linalg on tiles";
  let description = [{
    Level 2 to level 3. Each `relattn.online_attention` becomes linalg on tensors:
    the strip as the scores' initial accumulator, the product of keys and
    queries, mask, maximum, weights and their sum, the product of values and
    weights from zero, and the rescaling of the running output. The attribute
    `relattn.tile` says which step an op is.

    Every op is taken; the pass does not fail.
  }];
  let options = [
    Option<"workgroups", "workgroups", "bool", "false",
           "For the matrix units of a GPU: scores as [queries, keys], sums of one "
           "level, powers of 2">
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

def TileRegisters : Pass<"relattn-tile-registers",
                                  "::mlir::func::FuncOp"> {
  let summary = "Tile linalg on tiles to the register file";
  let description = [{
    Level 3, first of two steps: each op with `relattn.tile` is tiled by the
    number of rows of a register tile; the last rows are peeled and tiled by the
    next smaller size, down to 1, so that nothing is masked (of part of a panel one
    by one, which is less code). The maximum is tiled
    with the scores fused into it, the rescaling with the value product.
    Other linalg is left alone.

    Products in pairs are whole tiles of a matrix unit and left alone.

    The second step (`loops=reduction`) tiles the reductions of the two products
    by 1. It needs the first one's tiles to be static: canonicalise between them.
  }];
  let options = [
    Option<"rows", "rows", "int64_t", "6", "Rows of a register tile">,
    Option<"vectorBits", "vector-bits", "int64_t", "256",
           "Width of a register; a tile of a single query has eight of them">,
    Option<"reduction", "reduction", "bool", "false",
           "Tile the reductions, not the rows">
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"
  ];
}

def VectorizeTiles : Pass<"relattn-vectorize-tiles",
                                   "::mlir::func::FuncOp"> {
  let summary = "Turn register tiles into vectors";
  let description = [{
    Vectorises each op with `relattn.tile` and carries accumulators of the
    innermost loops (and a tile's sum of weights) in registers. An op that does not
    vectorise is left alone, with a remark (`--remarks-filter=relattn`): it becomes
    a loop, which computes the same.
  }];
  let options = [
    Option<"unroll", "unroll", "int64_t", "4",
           "Unrolling of reductions of a static length (d) in the largest tiles "
           "of an attention; in others at most by 2">,
    Option<"keyUnroll", "key-unroll", "int64_t", "4",
           "Unrolling of reductions of a dynamic length (keys) in the largest "
           "tiles; others stay loops">
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::vector::VectorDialect"
  ];
}

def ConvertTilesToAMX : Pass<"relattn-convert-tiles-to-amx",
                             "::mlir::ModuleOp"> {
  let summary = "Multiply pairs of bf16 by Intel's matrix unit";
  let description = [{
    After bufferisation: each product in pairs (`relattn.tile` is `pair_scores` or
    `pair_values`) becomes loops of `amx` in a function of its own: tiles of 16 x
    16 accumulators, two by two where there are as many, up to six products of
    parts for each chunk of 32. A function that contains one asks Linux, where it
    begins, for the permission to use the unit (a system call; again is allowed).

    Sizes are multiples of 16, or, where they are dynamic, of 32, as
    `relattn-tile-attention` makes them. Other linalg is left alone; without this
    pass, or on another CPU, the products are loops that compute the same but for
    rounding.
  }];
  let dependentDialects = [
    "::mlir::amx::AMXDialect", "::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"
  ];
}

def HideIndices : Pass<"relattn-hide-indices"> {
  let summary = "Hide how the indices of workers' subsets are computed";
  let description = [{
    Before bufferisation, in each `scf.forall` with a `math.exp` that relattn marks:
    an index that says where a subset of a tensor lies (of `tensor.extract_slice`,
    `vector.transfer_read` and the like) and is no constant becomes a cast of a cast
    of itself, the second one marked `relattn.hides`. Upstream's analysis compares
    two subsets by the bounds of their indices, which it derives from all that these
    are computed from, also where the indices are one value, which takes a good part
    of the time to compile a kernel. In tiles that `relattn-tile-attention` made,
    equal indices are one value.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def ShowIndices : Pass<"relattn-show-indices"> {
  let summary = "Undo what relattn-hide-indices did";
  let description = [{
    Each index marked `relattn.hides` becomes what it is a cast of a cast of.
  }];
}

def SpreadPrefetches : Pass<"relattn-spread-prefetches"> {
  let summary = "Prefetch rows among the register tiles that follow";
  let description = [{
    After bufferisation: each `relattn.prefetch` becomes a `memref.prefetch` for each
    64 bytes of each of its rows, in the next loop of the same block over register
    tiles, an equal share with each of them; if there is none, over exponentials,
    and if there is none either, a loop of its own. Processors have few misses under
    way at a time (16 of the first-level cache on Intel's), and what is above that
    waits. Rows that are not contiguous, and elements that are neither integers of
    known width nor floats, are not prefetched, nor is anything by a loop that turns
    out to have no tile.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect"
  ];
}

def OutlineTiles : Pass<"relattn-outline-tiles", "::mlir::ModuleOp"> {
  let summary = "Give each register tile a function of its own";
  let description = [{
    After bufferisation: the loop nest around each product on vectors becomes a
    function that is not inlined, so that the register allocator sees the
    accumulators and nothing else. It is internal to its object file
    (`llvm.linkage`).
  }];
  let dependentDialects = [
    "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::scf::SCFDialect"
  ];
}

def LowerTilesToLoops : Pass<"relattn-lower-tiles-to-loops",
                             "::mlir::func::FuncOp"> {
  let summary = "Lower what is left of linalg in workers to sequential loops";
  let description = [{
    On buffers, before `scf.forall` becomes parallel: linalg inside of it (masks of
    i1, lse) becomes `scf.for`, or it would become a parallel loop in a parallel
    loop. Vectors of f16 and bf16 whose elements are no neighbours are read and
    written one by one, as integers: LLVM inserts a bf16 by calls of a run-time
    library. A `memref.copy` between buffers that are not contiguous
    becomes a loop or `linalg.copy` anywhere: upstream lowers it to a call of
    `memrefCopy`, a function of the runner's library that compiled programs do
    not have. Stack buffers of static size in a worker's sequential loops move to
    its start, or its stack would grow with each step.
  }];
  let options = [
    Option<"oneWorker", "one-worker", "bool", "false",
           "The workers run one after another: make their buffers once, before "
           "their loop">
  ];
  let dependentDialects = [
    "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"
  ];
}

def ExpandExp : Pass<"relattn-expand-exp"> {
  let summary = "Expand the exponentials of attention into arithmetic";
  let description = [{
    Each `math.exp` that relattn marks (`relattn.bounded`: its operand is at most 88,
    for f64 709, -inf or NaN), on f32, f64 and vectors of these, becomes arithmetic.
    Relative errors are at most 5 + |x| / 10 roundings (of 2^-24, f64 2^-53), with
    `avx512` 5 + 3/2 |x|; results below the smallest normal number may be 0; exp of
    -inf is 0, of NaN NaN. After bufferisation: `avx512` makes calls of intrinsics,
    which it takes for writes.
  }];
  let options = [
    Option<"hasFMA", "fma", "bool", "true",
           "The target fuses multiply-adds; without, ln 2 is taken in two parts">,
    Option<"avx512", "avx512", "bool", "false",
           "Vectors of 16 f32, or parts of 16, take instructions of AVX-512 (DQ): "
           "faster where additions have no units of their own (Intel)">
  ];
  let dependentDialects = [
    "::mlir::LLVM::LLVMDialect", "::mlir::arith::ArithDialect",
    "::mlir::vector::VectorDialect"
  ];
}

def BalanceTiles : Pass<"relattn-balance-tiles", "::mlir::ModuleOp"> {
  let summary = "Give attention tiles to OpenMP's threads one by one";
  let description = [{
    With a band, blocks of queries differ in work: a static schedule is 1.4 times
    slower for few heads. The `omp.wsloop` of an `omp.parallel` that reaches a
    function of `relattn-outline-tiles` becomes branches that take the
    next iteration from a counter, `memref.atomic_rmw`: `schedule(dynamic)` does the
    same, and LLVM's run-time library takes 5 us for it. The iterations are in
    ranges, one for each thread, eight at most: a thread takes those of its own,
    which read the same keys as long as they are of one head, and then those of the
    others. (Calls `omp_get_thread_num` and `omp_get_num_threads`; if the program
    has something else of that name, the loops stay.) Loops with clauses of their
    own (a reduction, private variables, a schedule), with bounds that are no
    `index`, or beside other work, as upstream's conversion never leaves those of
    `relattn-to-cpu`, stay as they are.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::cf::ControlFlowDialect",
                           "::mlir::memref::MemRefDialect"];
}

def SetCPUTarget : Pass<"relattn-set-cpu-target", "::mlir::ModuleOp"> {
  let summary = "Give functions the CPU that they are compiled for";
  let description = [{
    Sets LLVM's `target-cpu`, `target-features` and, for 512-bit vectors,
    `prefer-vector-width` on each function with a body, by `passthrough`; those
    that a function has already stay. `func.func` has no other attribute that
    reaches ahead-of-time code. An unknown CPU is an error.
  }];
  let options = [
    Option<"cpu", "cpu", "std::string", "\"native\"",
           "CPU as LLVM names it; native: the host's">,
    Option<"features", "features", "std::string", "\"\"",
           "Changes of its features, such as +avx2,-avx512f">,
    Option<"matrixUnit", "matrix-unit", "bool", "false",
           "The code has instructions of the CPU's matrix unit: an error where it "
           "has none">
  ];
}

#endif // RELATTN_TILING_PASSES_TD
