//===- RelAttnAttributes.td - relattn attributes -----------*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bias schemes and the band of visible offsets.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_IR_RELATTNATTRIBUTES_TD
#define RELATTN_IR_RELATTNATTRIBUTES_TD

include "mlir/IR/AttrTypeBase.td"
include "relattn/IR/RelAttnDialect.td"
include "relattn/IR/RelAttnInterfaces.td"

class RelAttn_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<RelAttn_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

class RelAttn_SchemeAttr<string name, string attrMnemonic,
                         list<string> methods>
    : RelAttn_Attr<name, attrMnemonic, [
        DeclareAttrInterfaceMethods<RelAttn_BiasSchemeAttrInterface, methods>]>;

def RelAttn_T5Attr
    : RelAttn_SchemeAttr<"T5", "t5", ["getStepFunction", "getNumBuckets"]> {
  let summary = "T5 buckets";
  let description = [{
    The buckets of T5 (Raffel et al. 2020). Per direction there are
    b = `buckets` of them, or half as many when `bidirectional`, the first
    e = b / 2 (rounded down) exact. A key at distance n is in bucket

        n                                                       if n < e
        min(b - 1, e + floor(log(n/e) / log(max_distance/e) * (b - e)))  else

    Bidirectional: n = |offset|, and b is added when the offset is positive.
    One-sided: n = max(0, -offset), so that later keys share bucket 0. The
    logarithms are evaluated exactly, at compile time.

    C14: `buckets` is in [2, 65536], even and at least 4 when bidirectional;
    `max_distance` is above e and below 2^31.

    Example:

    ```mlir
    #relattn.t5<buckets = 32, max_distance = 128, bidirectional>
    #relattn.t5<buckets = 32, max_distance = 128>
    ```
  }];
  let parameters = (ins
    AttrParameter<"int64_t", "number of rows of the table">:$buckets,
    AttrParameter<"int64_t", "distance in positions">:$maxDistance,
    AttrParameter<"bool", "later keys have buckets of their own">:$bidirectional
  );
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The buckets of "Foundations of Large Language Models" with that book's
    /// parameters; see StepFunction::getTextbook.
    static T5Attr getTextbook(::mlir::MLIRContext *context, int64_t numBuckets,
                              int64_t maxDistance);
  }];
}

def RelAttn_ClipAttr
    : RelAttn_SchemeAttr<"Clip", "clip",
                         ["getStepFunction", "getNumBuckets", "buildBucket"]> {
  let summary = "Clipped offsets";
  let description = [{
    bucket = clamp(offset, `lo`, `hi`) - `lo` (Shaw et al. 2018). With
    `lo = -(M - 1)` and `hi = N - 1` it is one parameter per offset.

    C14: `lo <= hi`, and `hi - lo` is below 2^24.

    Example:

    ```mlir
    #relattn.clip<lo = -16, hi = 16>
    ```
  }];
  let parameters = (ins
    AttrParameter<"int64_t", "offset of the first bucket">:$lo,
    AttrParameter<"int64_t", "offset of the last bucket">:$hi
  );
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def RelAttn_StepsAttr
    : RelAttn_SchemeAttr<"Steps", "steps",
                         ["getStepFunction", "getNumBuckets"]> {
  let summary = "Explicit intervals";
  let description = [{
    `ids[k]` is the bucket of the offsets in `[starts[k - 1], starts[k])`; the
    first and the last interval are unbounded. `buckets` is the number of rows
    of the table, used or not.

    C14: `buckets` is in [1, 2^24]; `starts` increases strictly; `ids` has one
    entry more, each in [0, `buckets`).

    Example:

    ```mlir
    // One bucket per 8 positions, two on either side.
    #relattn.steps<buckets = 4, starts = [-8, 0, 8], ids = [0, 1, 2, 3]>
    ```
  }];
  let parameters = (ins
    AttrParameter<"int64_t", "number of rows of the table">:$buckets,
    OptionalArrayRefParameter<"int64_t", "first offset of the intervals">:$starts,
    OptionalArrayRefParameter<"int64_t", "bucket of the intervals">:$ids
  );
  let assemblyFormat = [{
    `<` `buckets` `=` $buckets `,`
        `starts` `=` `[` (`]`) : ($starts^ `]`)? `,`
        `ids` `=` `[` (`]`) : ($ids^ `]`)? `>`
  }];
  let genVerifyDecl = 1;
}

def RelAttn_AlibiAttr
    : RelAttn_SchemeAttr<"Alibi", "alibi", ["verifyBiasType", "buildBias"]> {
  let summary = "Linear in the distance";
  let description = [{
    bias = -slope[h] * |offset| (Press et al. 2022), computed in the
    accumulator type. The operand is the slopes, `[H]`.

    Example:

    ```mlir
    #relattn.alibi
    ```
  }];
}

def RelAttn_StripAttr
    : RelAttn_SchemeAttr<"Strip", "strip",
                         ["verifyBiasType", "buildBias", "needsZero"]> {
  let summary = "One value per offset";
  let description = [{
    bias = strip[h, zero + offset]; the operand is the strip, `[H, L]` or `[L]`
    shared by the heads, with L >= 1, and the index `zero` says where offset 0
    lies. A place beyond either end takes the value of that end.

    Example:

    ```mlir
    #relattn.strip
    ```
  }];
}

def RelAttn_DenseAttr
    : RelAttn_SchemeAttr<"Dense", "dense",
                         ["isOffsetFunction", "verifyBiasType"]> {
  let summary = "Any bias";
  let description = [{
    A bias that is no function of the offset: a tensor over some of the
    dimensions b, g, r, m, n of the attention, broadcast over the others. The
    map says over which, in the order of the tensor's dimensions.

    Example:

    ```mlir
    #relattn.dense<(b, g, m, n)>
    #relattn.dense<(g, n)>
    ```
  }];
  let parameters = (ins "::mlir::AffineMap":$map);
  let assemblyFormat = "`<` custom<DimensionNames>($map) `>`";
  let genVerifyDecl = 1;
}

def RelAttn_BandAttr : RelAttn_Attr<"Band", "band"> {
  let summary = "The offsets that a query sees";
  let description = [{
    A query sees the keys whose offset is in [`lo`, `hi`], inclusive; `*` is
    unbounded. Causal attention is `<*, 0>`, a sliding window of the last W
    keys `<-(W - 1), 0>`. An empty band is legal and hides everything.

    Example:

    ```mlir
    #relattn.band<*, 0>
    ```
  }];
  let parameters = (ins
    OptionalParameter<"std::optional<int64_t>">:$lo,
    OptionalParameter<"std::optional<int64_t>">:$hi
  );
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    static BandAttr getCausal(::mlir::MLIRContext *context);
    bool isCausal() const;
    /// The offsets in both bands.
    BandAttr intersect(BandAttr other) const;
  }];
}

#endif // RELATTN_IR_RELATTNATTRIBUTES_TD
