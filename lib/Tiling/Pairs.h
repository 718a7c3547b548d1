//===- Pairs.h - Numbers as pairs of bf16 -----------------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CPU's matrix unit multiplies bf16 and adds in f32. Cut after its eighth and
// its sixteenth bit, an f32 is the sum of three bf16, without a rest, and six
// products of two such sums are their product but for 2^-21 of it (Henry, Tang
// and Heinecke 2019, "Leveraging the bfloat16 Artificial Intelligence Datatype
// For Higher-Precision Computations"). Scores need as much, since weights are
// their exponentials. Weights and values have it too, or are sums of two with
// three products: each is right to 2^-16 then, with errors of either sign,
// which average out over the keys. Weights may be one bf16 as well, which is
// right to 2^-8. An f16 is the sum of two bf16, and a bf16 is one: fewer
// products of parts make theirs.
//
// One instruction sums over pairs: words of 32 bits, whose two numbers lie 16
// apart, so that words are made of whole vectors, without a shuffle.
//
// Beside the rounding two things differ from products of f32: the unit takes
// denormals for 0, which costs inputs below 2^-110 digits (and scores and
// outputs less than 1e-30), and infinite keys, queries and values make NaN
// where they meet a part that is 0 (and with two parts, so does what rounding
// makes infinite: f32 above 3.39e38).
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TILING_PAIRS_H
#define RELATTN_LIB_TILING_PAIRS_H

#include "mlir/IR/Builders.h"

namespace mlir::relattn {

/// Parts of an f32, without a rest.
constexpr int64_t kMaxParts = 3;
/// Words of a row of the matrix unit's tiles, and rows of one.
constexpr int64_t kWords = 16;
/// Numbers in them.
constexpr int64_t kChunk = 2 * kWords;

/// The parts of a number of `type`, without a rest.
int64_t getNumPartsOf(Type type);

/// The words of `numParts` parts of two numbers of f32, in the body of an op.
SmallVector<Value> createWords(OpBuilder &builder, Location loc, Value low,
                               Value high, int64_t numParts);

/// Part `part` of `numParts` of `low` and `high`, two tensors of f32 of one
/// shape, as words in `out`, a tensor of i32 of that shape. (One part at a
/// time: of an op that writes several slices of a tensor, bufferisation copies
/// them.)
Value createSplit(OpBuilder &builder, Location loc, Value low, Value high,
                  Value out, int64_t part, int64_t numParts);

/// sum + the product of two words in parts: of their low numbers and of their
/// high ones.
Value createPairProduct(OpBuilder &builder, Location loc, ValueRange lhs,
                        ValueRange rhs, Value sum, bool isScore);

/// The parts whose products count, each with one part of the product before it:
/// of scores x_a * y_b with a + b < kMaxParts, of values with a + b less than
/// the larger number of parts.
SmallVector<std::pair<int64_t, int64_t>>
getPartProducts(int64_t numLeft, int64_t numRight, bool areScores);

} // namespace mlir::relattn

#endif // RELATTN_LIB_TILING_PAIRS_H
