//===- RelAttnStepOps.td - steps over keys -----------------*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Level 2 of the design: what tiled attention is made of. As for the other ops,
// constraints are numbered.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_IR_RELATTNSTEPOPS_TD
#define RELATTN_IR_RELATTNSTEPOPS_TD

include "relattn/IR/RelAttnOpBase.td"

//===----------------------------------------------------------------------===//
// OnlineAttentionOp
//===----------------------------------------------------------------------===//

def RelAttn_OnlineAttentionOp : RelAttn_DestinationStyleOp<"online_attention",
    [AttrSizedOperandSegments, AllTypesMatch<["out_init", "out"]>,
     AllTypesMatch<["max_init", "max"]>, AllTypesMatch<["sum_init", "sum"]>]> {
  let summary = "One step of the online softmax over a tile of keys";
  let description = [{
    The keys of one tile join the running state of a tile of queries (Milakov
    and Gimelshein 2018; Dao et al. 2022), unnormalised:

        s[i, j]    = scale * sum_d query[i, d] * key[j, d]
                     + strip[place + i - j] + bias[i, j] + mask[i, j]
        max'[i]    = max(max[i], max_j s[i, j])
        scale[i]   = exp(max[i] - max'[i])
        sum'[i]    = sum[i] * scale[i] + sum_j exp(s[i, j] - max'[i])
        out'[i, e] = out[i, e] * scale[i]
                     + sum_j exp(s[i, j] - max'[i]) * value[j, e]

    where a max' of -inf counts as 0, so that a query that has seen nothing keeps
    max -inf, sum 0 and out 0. The state starts from these; at the end out / sum
    is the attention, and max + log(sum) its log-sum-exp. A mask of i1 hides where
    it is false; what is -inf is hidden.

    This is level 2 (see the rationale): `relattn-tile-attention` makes it,
    `relattn-decompose-attention` turns it into linalg. On a CPU the query holds
    the scale already, which is 1 then. The strip is read backwards, by i - j, so that neighbouring queries
    read neighbouring places; an `ascending` one is read at place + j - i, so that
    neighbouring keys do. It holds the bias of a head, and -inf outside of the
    band; for a workgroup on f32 no other number larger than 2^20, whose weights
    may become infinite. Indexing maps are over (m, n, d, e), any order of dimensions.

    For a CPU's matrix unit the factors come in pairs of bf16, each number as the
    sum of one to three of them, x = x0 + x1 + x2 (Henry, Tang and Heinecke 2019).
    Of the products x_a * y_b those count that have a + b < 3, for values those
    that have a + b less than the larger number of parts. Weights are sums of
    `weight_parts`; if these are fewer than three, the first is rounded to the
    nearest. A word of i32 holds the numbers 32 c + w (its low half) and
    32 c + 16 + w of the dimension that the product sums over: query is [part, word
    of d, m], key [n, part, word of d], value [c of n, part, e, w]. `keys` of the n
    count: their number is padded to a multiple of 32, by values that are finite
    and keys that may be anything, for which the strip has places, too; d is padded
    by zeros.

    Constraints:

    - C1: query, key, value and out are of rank 2, over {m, d}, {n, d}, {n, e} and
      {m, e}; max and sum are over m.
    - C2: all of them have the accumulator type, f32 or f64; bias and mask too, or
      the mask is i1. Where it is f32, query, key and value may be f16 or bf16, all
      alike, or, where m is 1, some of them; so may bias and mask.
    - C3: sizes of one dimension agree; m, d and e are static. Bias and mask may
      have fewer queries: the others read no bias.
    - C4: the strip is of rank 1 and comes with its place; bias and mask come with
      a map, a projected permutation of m and n.
    - C5: `max_keys`, an upper bound of a dynamic n, is positive; without it the
      scores of a tile have no static size. The scale is finite.
    - C6: in pairs, the shapes are PxWxM, NxPxW and CxPxEx16, each P from 1 to 3,
      where W, M and E are multiples of 16, and N = 32 C and C alone may be
      dynamic; `max_keys`, if there is one, is a multiple of 32; the accumulator is
      f32; the maps say (d, m), (n, d), (n, e) and (e, m); the scale is 1;
      `weight_parts` is 1 to 3. They come with `keys`, and nothing else does.

    Example:

    ```mlir
    #md = affine_map<(m, n, d, e) -> (d, m)>
    #nd = affine_map<(m, n, d, e) -> (n, d)>
    #ne = affine_map<(m, n, d, e) -> (n, e)>
    #em = affine_map<(m, n, d, e) -> (e, m)>
    func.func @step(%query: tensor<64x16xf32>, %key: tensor<?x64xf32>,
        %value: tensor<?x64xf32>, %strip: tensor<?xf32>, %place: index,
        %out: tensor<64x16xf32>, %max: tensor<16xf32>, %sum: tensor<16xf32>)
        -> (tensor<64x16xf32>, tensor<16xf32>, tensor<16xf32>) {
      %0:3 = relattn.online_attention
          ins(%query, %key, %value : tensor<64x16xf32>, tensor<?x64xf32>,
              tensor<?x64xf32>)
          strip(%strip at %place : tensor<?xf32>)
          outs(%out, %max, %sum : tensor<64x16xf32>, tensor<16xf32>,
               tensor<16xf32>)
          {indexing_maps = [#md, #nd, #ne, #em]}
      return %0#0, %0#1, %0#2
          : tensor<64x16xf32>, tensor<16xf32>, tensor<16xf32>
    }
    ```
  }];
  let arguments = (ins
    AnyRankedTensor:$query,
    AnyRankedTensor:$key,
    AnyRankedTensor:$value,
    AnyRankedTensor:$out_init,
    AnyRankedTensor:$max_init,
    AnyRankedTensor:$sum_init,
    Optional<Index>:$num_keys,
    Optional<AnyRankedTensor>:$strip,
    Optional<Index>:$place,
    Optional<AnyRankedTensor>:$bias,
    Optional<AnyRankedTensor>:$mask,
    AffineMapArrayAttr:$indexing_maps,
    OptionalAttr<AffineMapAttr>:$bias_map,
    OptionalAttr<AffineMapAttr>:$mask_map,
    OptionalAttr<I64Attr>:$max_keys,
    UnitAttr:$ascending,
    DefaultValuedAttr<F64Attr, "1.0">:$scale,
    DefaultValuedAttr<I64Attr, "3">:$weight_parts
  );
  let results = (outs AnyRankedTensor:$out, AnyRankedTensor:$max,
                      AnyRankedTensor:$sum);
  let assemblyFormat = [{
    `ins` `(` $query `,` $key `,` $value `:`
      type($query) `,` type($key) `,` type($value) `)`
    ( `keys` $num_keys^ )?
    ( `strip` `(` $strip^ (`at` $place^)? (`ascending` $ascending^)? `:`
      type($strip) `)` )?
    ( `bias` `(` $bias^ `:` type($bias) `)` )?
    ( `mask` `(` $mask^ `:` type($mask) `)` )?
    `outs` `(` $out_init `,` $max_init `,` $sum_init `:`
      type($out_init) `,` type($max_init) `,` type($sum_init) `)` attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getOperation(), 3, 3);
    }

    /// The dimensions of the iteration space, in their order.
    enum Dimension : unsigned { M, N, D, E, kNumDimensions };

    /// Whether the factors are pairs of bf16.
    bool isPaired() {
      return ::mlir::getElementTypeOrSelf(getQuery().getType()).isInteger(32);
    }

    ::mlir::AffineMap getQueryMap() { return getIndexingMap(0); }
    ::mlir::AffineMap getKeyMap() { return getIndexingMap(1); }
    ::mlir::AffineMap getValueMap() { return getIndexingMap(2); }
    ::mlir::AffineMap getOutputMap() { return getIndexingMap(3); }
    ::mlir::AffineMap getIndexingMap(unsigned i) {
      return ::llvm::cast<::mlir::AffineMapAttr>(getIndexingMaps()[i])
          .getValue();
    }
    ::mlir::FloatType getAccumulatorType() {
      return ::llvm::cast<::mlir::FloatType>(
          ::mlir::getElementTypeOrSelf(getOut()));
    }
  }];
}

//===----------------------------------------------------------------------===//
// MergeOp
//===----------------------------------------------------------------------===//

def RelAttn_MergeOp : RelAttn_DestinationStyleOp<"merge",
    [AllTypesMatch<["out_init", "out"]>, AllTypesMatch<["max_init", "max"]>,
     AllTypesMatch<["sum_init", "sum"]>]> {
  let summary = "Joins the online softmax of several parts of the keys";
  let description = [{
    Each part s has met keys of its own, as `relattn.online_attention` leaves
    them: unnormalised outputs, maxima and sums. They join the running state, of
    which a start of (0, -inf, 0) is empty (Rabe and Staats 2021; Dao et al.
    2023):

        max'[i]    = max(max[i], max_s maxes[s, i])
        sum'[i]    = sum[i] * exp(max[i] - max'[i])
                     + sum_s sums[s, i] * exp(maxes[s, i] - max'[i])
        out'[i, e] = out[i, e] * exp(max[i] - max'[i])
                     + sum_s outs[s, i, e] * exp(maxes[s, i] - max'[i])

    where a max' of -inf counts as 0. Parts are added in their order, so results
    are the same from run to run. Parts may be threads, devices of a ring, or
    caches; a part that has seen nothing has max -inf and sum 0, and may have
    any finite out.

    The two indexing maps are over (part, row dimensions, e), the first and the
    last dimension: that of outs is a permutation of all, that of maxes and sums
    has all but e. The running state has the same without the part.

    Constraints:

    - M1: the maps have one number of dimensions, at least 2; that of outs is a
      permutation, that of maxes and sums a projected one with all dimensions but
      the last.
    - M2: all tensors have one element type, f32 or f64.
    - M3: ranks are those of the maps, and sizes of one dimension agree.

    Example:

    ```mlir
    #outs = affine_map<(s, m, e) -> (s, m, e)>
    #rows = affine_map<(s, m, e) -> (s, m)>
    func.func @merge(%outs: tensor<?x8x64xf32>, %maxes: tensor<?x8xf32>,
        %sums: tensor<?x8xf32>, %out: tensor<8x64xf32>, %max: tensor<8xf32>,
        %sum: tensor<8xf32>) -> tensor<8x64xf32> {
      %0:3 = relattn.merge
          ins(%outs, %maxes, %sums : tensor<?x8x64xf32>, tensor<?x8xf32>,
              tensor<?x8xf32>)
          outs(%out, %max, %sum : tensor<8x64xf32>, tensor<8xf32>,
               tensor<8xf32>)
          {indexing_maps = [#outs, #rows]}
      return %0#0 : tensor<8x64xf32>
    }
    ```
  }];
  let arguments = (ins
    AnyRankedTensor:$outs,
    AnyRankedTensor:$maxes,
    AnyRankedTensor:$sums,
    AnyRankedTensor:$out_init,
    AnyRankedTensor:$max_init,
    AnyRankedTensor:$sum_init,
    AffineMapArrayAttr:$indexing_maps
  );
  let results = (outs AnyRankedTensor:$out, AnyRankedTensor:$max,
                      AnyRankedTensor:$sum);
  let builders = [
    OpBuilder<(ins "::mlir::ValueRange":$parts, "::mlir::ValueRange":$state,
                   "::mlir::ArrayAttr":$maps), [{
      build($_builder, $_state, state.getTypes(), parts[0], parts[1], parts[2],
            state[0], state[1], state[2], maps);
    }]>
  ];
  let assemblyFormat = [{
    `ins` `(` $outs `,` $maxes `,` $sums `:`
      type($outs) `,` type($maxes) `,` type($sums) `)`
    `outs` `(` $out_init `,` $max_init `,` $sum_init `:`
      type($out_init) `,` type($max_init) `,` type($sum_init) `)` attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getOperation(), 3, 3);
    }

    /// The maps of outs, and of maxes and sums.
    ::mlir::AffineMap getOutsMap() { return getIndexingMap(0); }
    ::mlir::AffineMap getRowsMap() { return getIndexingMap(1); }
    ::mlir::AffineMap getIndexingMap(unsigned i) {
      return ::llvm::cast<::mlir::AffineMapAttr>(getIndexingMaps()[i])
          .getValue();
    }
    /// The map of a running state, over the same dimensions.
    static ::mlir::AffineMap dropPart(::mlir::AffineMap map);
  }];
}

//===----------------------------------------------------------------------===//
// PrefetchOp
//===----------------------------------------------------------------------===//

/// Where a prefetch writes: nothing that a program reads.
def RelAttn_CacheResource : Resource<"::mlir::relattn::CacheResource">;

def RelAttn_PrefetchOp : RelAttn_Op<"prefetch",
    [MemoryEffects<[MemWrite<RelAttn_CacheResource>]>,
     DeclareOpInterfaceMethods<BufferizableOpInterface,
         ["bufferizesToMemoryRead", "bufferizesToMemoryWrite",
          "getAliasingValues", "bufferize"]>]> {
  let summary = "Says that rows are read, or written, soon";
  let description = [{
    A hint without a result: whoever computes next should bring these rows, or as
    many of their columns as are contiguous, into its second-level cache, or with
    `write` into its first, for itself alone, without waiting for them. It neither reads nor writes
    the rows, so bufferisation makes no copy for it.

    `relattn-tile-attention` makes it where it is asked to; it bufferises to itself,
    on a memref, and `relattn-spread-prefetches` turns it into `memref.prefetch`,
    which takes one address and is on buffers alone.

    Constraints:

    - P1: the rows are of rank 2, [rows, columns], and the number of columns is
      static.

    Example:

    ```mlir
    func.func @prefetch(%keys: tensor<?x64xf32>, %n: index) {
      %rows = tensor.extract_slice %keys[%n, 0] [16, 64] [1, 1]
          : tensor<?x64xf32> to tensor<16x64xf32>
      relattn.prefetch %rows : tensor<16x64xf32>
      return
    }
    ```
  }];
  let arguments = (ins
    AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef]>:$rows,
    UnitAttr:$write
  );
  let assemblyFormat = "(`write` $write^)? $rows attr-dict `:` type($rows)";
  let hasVerifier = 1;
}

#endif // RELATTN_IR_RELATTNSTEPOPS_TD
