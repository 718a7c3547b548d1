//===- RelAttnOps.td - relattn operations ------------------*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The constraints are numbered; the same label stands in the verifier's
// message and in the name of the test that provokes it.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_IR_RELATTNOPS_TD
#define RELATTN_IR_RELATTNOPS_TD

include "relattn/IR/RelAttnOpBase.td"
include "relattn/IR/RelAttnStepOps.td"

//===----------------------------------------------------------------------===//
// AttentionOp
//===----------------------------------------------------------------------===//

def RelAttn_AttentionOp : RelAttn_DestinationStyleOp<"attention",
    [AttrSizedOperandSegments,
     DeclareOpInterfaceMethods<TilingInterface, [
       "getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation",
       "getResultTilePosition", "generateResultTileValue"]>]> {
  let summary = "Attention with relative-position bias";
  let description = [{
    For each batch entry b, head h = g * R + r and query i, over the keys j that
    the query sees:

        s_j = scale * sum_d query[i, d] * key[j, d]
              + bias[h, j - (i + query_offset)] + mask[i, j]
        output[i, e] = sum_j exp(s_j) * value[j, e] / sum_j exp(s_j)
        lse[i]       = log(sum_j exp(s_j))

    computed in the accumulator type (f32, or f64 for f64), stable for scores
    of any size, and rounded once to the output's element type.

    The iteration space is (b, g, r, m, n, d, e). `indexing_maps` says which of
    these the query, key, value and output have, in the order of their
    dimensions. Defaults, by the rank of the output:

    | rank | query | key | value | output |
    |---|---|---|---|---|
    | 2 | (m, d) | (n, d) | (n, e) | (m, e) |
    | 3 | (g, m, d) | (g, n, d) | (g, n, e) | (g, m, e) |
    | 4 | (b, g, m, d) | (b, g, n, d) | (b, g, n, e) | (b, g, m, e) |
    | 5 | (b, g, r, m, d) | (b, g, n, d) | (b, g, n, e) | (b, g, r, m, e) |

    So R query heads on one key head need one free `tensor.expand_shape` of the
    query's H to G x R, and B x S x H x D storage needs no transpose:
    `maps((b, m, g, d), (b, n, g, d), (b, n, g, e) -> (b, m, g, e))`.

    A key is visible if its offset is in the `band` (default: all), the i1
    `mask` is true there, and j is below `key_lengths[b]` (clamped to [0, N]).
    Keys beyond `key_lengths` are never read. A hidden key has weight exactly 0,
    whatever finite value it holds; NaN or infinity in a key or value that one
    query hides and another sees may reach the former. A floating-point mask is
    added as a number: -inf hides (a NaN score stays NaN), the lowest finite
    value does not. A query that sees nothing gives 0, and `lse` -inf; one that
    holds NaN or infinity itself may give NaN then. On a GPU, for f32
    sums, finite numbers of a table, slopes or strip that are larger than 2^20 count
    as 2^20 with their sign: keys hidden by different ones of them have equal
    weights for a query that sees no others, whose `lse` is near 2^20.

    `query_offset` (default 0) is one index, or one number per batch entry. It
    may be negative. `scale` is 1 unless given: T5 does not scale.

    Sizes that are dynamic must agree at run time; that is not checked.

    Upstream's tiling (TilingInterface) distributes attention over the loops of b,
    g and m, in this order, as far as the output has them: a tile of it is an
    attention with sliced operands and a moved query offset. Keys are split by
    `relattn.merge`.

    Constraints:

    - C1: query, key and value have the same element type, f16, bf16, f32 or
      f64; the output has that or the accumulator type.
    - C2: `indexing_maps` are four projected permutations of the seven
      dimensions, each with as many results as its operand has dimensions.
    - C3: the query has m and d and neither n nor e; the key n and d, neither m
      nor e; the value n and e, neither m nor d; the output m and e, neither n
      nor d.
    - C4: the output has every b, g and r that another operand has.
    - C5: static sizes of one dimension agree.
    - C6: `scale` is finite.
    - C7: a bias operand and a `bias_scheme` come together; `zero` comes with
      `#relattn.strip` and only with it.
    - C8: the bias has the query's element type or the accumulator's.
    - C9: the bias has the shape that its scheme asks for: a table is
      `[num_buckets, H]` or `[num_buckets]`, slopes are `[H]`, a strip is
      `[H, L]` or `[L]`; H = G x R.
    - C10: the mask is i1, the query's element type or the accumulator's;
      `mask_map` is present with a mask only, and is a projected permutation of
      b, g, r, m, n with as many results as the mask has dimensions. The same
      holds of the map of `#relattn.dense`.
    - C11: `query_offset` is an index, or a 1-D tensor of index, i32 or i64 with
      B entries; the latter needs an output with b.
    - C12: `key_lengths` is a 1-D tensor of index, i32 or i64 with B entries,
      and needs an output with b.
    - C13: the `lse` result and its destination come together, in the
      accumulator type; their dimensions are those of the output without e, in
      the order (b, g, r, m).

    Example:

    ```mlir
    func.func @encoder(%query: tensor<1x8x512x64xf32>,
        %key: tensor<1x8x512x64xf32>, %value: tensor<1x8x512x64xf32>,
        %table: tensor<32x8xf32>) -> tensor<1x8x512x64xf32> {
      %init = tensor.empty() : tensor<1x8x512x64xf32>
      %out = relattn.attention
          ins(%query, %key, %value : tensor<1x8x512x64xf32>,
              tensor<1x8x512x64xf32>, tensor<1x8x512x64xf32>)
          bias(#relattn.t5<buckets = 32, max_distance = 128, bidirectional>,
               %table : tensor<32x8xf32>)
          outs(%init : tensor<1x8x512x64xf32>)
      return %out : tensor<1x8x512x64xf32>
    }

    // A decode step: one query per sequence and head against a cache of 8
    // key/value heads, with the log-sum-exp.
    func.func @decode(%query: tensor<?x8x4x1x64xbf16>,
        %key: tensor<?x8x?x64xbf16>, %value: tensor<?x8x?x64xbf16>,
        %slopes: tensor<32xf32>, %position: tensor<?xi64>,
        %lengths: tensor<?xi64>, %init: tensor<?x8x4x1x64xbf16>,
        %lse_init: tensor<?x8x4x1xf32>) -> tensor<?x8x4x1xf32> {
      %out, %lse = relattn.attention causal
          ins(%query, %key, %value : tensor<?x8x4x1x64xbf16>,
              tensor<?x8x?x64xbf16>, tensor<?x8x?x64xbf16>)
          bias(#relattn.alibi, %slopes : tensor<32xf32>)
          query_offset(%position : tensor<?xi64>)
          key_lengths(%lengths : tensor<?xi64>)
          outs(%init, %lse_init : tensor<?x8x4x1x64xbf16>,
               tensor<?x8x4x1xf32>)
      return %lse : tensor<?x8x4x1xf32>
    }
    ```
  }];
  let arguments = (ins
    AnyRankedTensor:$query,
    AnyRankedTensor:$key,
    AnyRankedTensor:$value,
    Optional<AnyRankedTensor>:$bias,
    Optional<Index>:$zero,
    Optional<AnyRankedTensor>:$mask,
    Optional<AnyTypeOf<[Index, AnyRankedTensor]>>:$query_offset,
    Optional<AnyRankedTensor>:$key_lengths,
    Variadic<AnyRankedTensor>:$inits,
    AffineMapArrayAttr:$indexing_maps,
    DefaultValuedAttr<F64Attr, "1.0">:$scale,
    OptionalAttr<RelAttn_BiasSchemeAttrInterface>:$bias_scheme,
    OptionalAttr<RelAttn_BandAttr>:$band,
    OptionalAttr<AffineMapAttr>:$mask_map
  );
  let results = (outs AnyRankedTensor:$output, Optional<AnyRankedTensor>:$lse);
  let hasCustomAssemblyFormat = 1;
  let builders = [
    OpBuilder<(ins "::mlir::Value":$query, "::mlir::Value":$key,
                   "::mlir::Value":$value, "::mlir::Value":$init)>
  ];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = dpsDeclaration # [{
    /// The dimensions of the iteration space, in their order.
    enum Dimension : unsigned { B, G, R, M, N, D, E, kNumDimensions };

    /// The type in which products, softmax and `lse` are computed.
    static ::mlir::FloatType getAccumulatorType(::mlir::Type elementType);
    ::mlir::FloatType getAccumulatorType();

    /// The default maps for an output of `rank` (2 to 5), or null.
    static ::mlir::ArrayAttr getDefaultIndexingMaps(
        ::mlir::MLIRContext *context, int64_t rank);
    /// The map of a tensor over `dimensions`.
    static ::mlir::AffineMap getMap(::mlir::MLIRContext *context,
                                    ::llvm::ArrayRef<unsigned> dimensions);
    /// The default mask map: every b, g, r of the output, then m and n.
    ::mlir::AffineMap getDefaultMaskMap();

    ::mlir::AffineMap getQueryMap() { return getIndexingMap(0); }
    ::mlir::AffineMap getKeyMap() { return getIndexingMap(1); }
    ::mlir::AffineMap getValueMap() { return getIndexingMap(2); }
    ::mlir::AffineMap getOutputMap() { return getIndexingMap(3); }
    ::mlir::AffineMap getIndexingMap(unsigned i) {
      return ::llvm::cast<::mlir::AffineMapAttr>(getIndexingMaps()[i])
          .getValue();
    }

    ::mlir::Value getInit() { return getInits().front(); }
    ::mlir::Value getLseInit() {
      return getInits().size() > 1 ? getInits()[1] : ::mlir::Value();
    }

    /// Those of b, g, r that the output has, in this order.
    ::llvm::SmallVector<unsigned> getBatchDimensions();
    /// The map of `lse`: these, then m.
    ::mlir::AffineMap getLseMap();
    /// Every tensor with dimensions of the iteration space, and its map.
    ::llvm::SmallVector<std::pair<::mlir::Value, ::mlir::AffineMap>>
    getMappedOperands();
    /// The size of a dimension: of the first operand that has it statically,
    /// else dynamic; 1 if none has it.
    int64_t getStaticSize(unsigned dimension);
    /// The same, dynamic ones read from the first operand that has it.
    ::mlir::OpFoldResult getMixedSize(::mlir::OpBuilder &builder,
                                      unsigned dimension);
    /// H = G x R.
    int64_t getStaticNumHeads();
    /// The query offset if it is the same known number for every entry.
    std::optional<int64_t> getConstantQueryOffset();
  }];
}

//===----------------------------------------------------------------------===//
// BucketOp
//===----------------------------------------------------------------------===//

def RelAttn_IntegerScalarOrTensor : AnyTypeOf<[
    AnySignlessIntegerOrIndex, RankedTensorOf<[AnySignlessIntegerOrIndex]>],
    "signless integer or index, or ranked tensor of them">;

def RelAttn_BucketOp : RelAttn_Op<"bucket", [
    Pure, SameOperandsAndResultShape, Elementwise]> {
  let summary = "The bucket of an offset";
  let description = [{
    `result = bucket(offset)`, elementwise on a signless integer or index, or a
    ranked tensor of them. Offsets are signed. It is what a frontend's bucket
    chain (comparisons, logarithm, minimum) is raised to.

    Constraints:

    - C1: the scheme is a bucketing: `#relattn.t5`, `#relattn.clip`,
      `#relattn.steps`, or one of your own.
    - C2: the largest bucket id fits the result's element type (signed).

    Example:

    ```mlir
    func.func @bucket(%offsets: tensor<?x?xi64>) -> tensor<?x?xi32> {
      %ids = relattn.bucket #relattn.t5<buckets = 32, max_distance = 128>
          %offsets : tensor<?x?xi64> -> tensor<?x?xi32>
      return %ids : tensor<?x?xi32>
    }
    ```
  }];
  let arguments = (ins
    RelAttn_BiasSchemeAttrInterface:$scheme,
    RelAttn_IntegerScalarOrTensor:$offset
  );
  let results = (outs RelAttn_IntegerScalarOrTensor:$result);
  let assemblyFormat = [{
    $scheme $offset attr-dict `:` type($offset) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

//===----------------------------------------------------------------------===//
// BiasStripOp
//===----------------------------------------------------------------------===//

def RelAttn_BiasStripOp : RelAttn_DestinationStyleOp<"bias_strip", [
    AllTypesMatch<["init", "result"]>]> {
  let summary = "The bias as a function of the offset";
  let description = [{
    `result[h, l] = bias[h, l - zero]`: a table or slopes spread over the
    offsets, once per head. The result is `[H, L]`, or `[L]` for a bias that the
    heads share. For attention with M queries, L = M + N - 1 and
    `zero = M - 1 + query_offset` cover every offset.

    Constraints:

    - C1: the scheme is a function of the offset other than `#relattn.strip`.
    - C2: the bias is f16, bf16, f32 or f64; the result has its element type or
      the accumulator type of that.
    - C3: the bias has the shape that its scheme asks for (C9 of
      `relattn.attention`), for the result's H; the result is `[H, L]`, or
      `[L]` where the table is shared by the heads.

    Example:

    ```mlir
    func.func @strip(%table: tensor<32x8xf32>) -> tensor<8x1023xf32> {
      %zero = arith.constant 511 : index
      %init = tensor.empty() : tensor<8x1023xf32>
      %strip = relattn.bias_strip
          #relattn.t5<buckets = 32, max_distance = 128, bidirectional>
          ins(%table : tensor<32x8xf32>) zero(%zero)
          outs(%init : tensor<8x1023xf32>)
      return %strip : tensor<8x1023xf32>
    }
    ```
  }];
  let arguments = (ins
    RelAttn_BiasSchemeAttrInterface:$scheme,
    AnyRankedTensor:$bias,
    Index:$zero,
    AnyRankedTensor:$init
  );
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $scheme `ins` `(` $bias `:` type($bias) `)` `zero` `(` $zero `)`
    `outs` `(` $init `:` type($init) `)` attr-dict
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitMutable();
    }
  }];
}

//===----------------------------------------------------------------------===//
// BiasOp
//===----------------------------------------------------------------------===//

def RelAttn_BiasOp : RelAttn_DestinationStyleOp<"bias", [
    AttrSizedOperandSegments,
    AllTypesMatch<["init", "result"]>]> {
  let summary = "The bias as a dense tensor";
  let description = [{
    `result[(b,) h, i, j] = bias[h, j - (i + query_offset)]`: the tensor that
    attention with an offset bias exists to avoid. Frontends build it where
    something other than attention uses it, and tests compare with it.

    Constraints:

    - C1: the scheme is a function of the offset.
    - C2: the bias is f16, bf16, f32 or f64; the result has its element type or
      the accumulator type of that.
    - C3: the result is `[H, M, N]` or `[B, H, M, N]`; the bias has the shape
      that its scheme asks for (C9 of `relattn.attention`), for that H.
    - C4: `zero` comes with `#relattn.strip` and only with it.
    - C5: `query_offset` is an index, or a 1-D tensor of index, i32 or i64 with
      B entries; the latter needs a result with B.

    Example:

    ```mlir
    func.func @bias(%slopes: tensor<8xf32>, %position: index)
        -> tensor<8x4x512xf32> {
      %init = tensor.empty() : tensor<8x4x512xf32>
      %bias = relattn.bias #relattn.alibi ins(%slopes : tensor<8xf32>)
          query_offset(%position : index) outs(%init : tensor<8x4x512xf32>)
      return %bias : tensor<8x4x512xf32>
    }
    ```
  }];
  let arguments = (ins
    RelAttn_BiasSchemeAttrInterface:$scheme,
    AnyRankedTensor:$bias,
    // Before the optional operands: type inference counts positions.
    AnyRankedTensor:$init,
    Optional<Index>:$zero,
    Optional<AnyTypeOf<[Index, AnyRankedTensor]>>:$query_offset
  );
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $scheme `ins` `(` $bias `:` type($bias) `)` (`zero` `(` $zero^ `)`)?
    (`query_offset` `(` $query_offset^ `:` type($query_offset) `)`)?
    `outs` `(` $init `:` type($init) `)` attr-dict
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitMutable();
    }
  }];
}

#endif // RELATTN_IR_RELATTNOPS_TD
