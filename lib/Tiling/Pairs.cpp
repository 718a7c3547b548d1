//===- Pairs.cpp - Numbers as pairs of bf16 -------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer and f32 arithmetic only: what a matrix unit computes is a loop
// anywhere else.
//
//===----------------------------------------------------------------------===//

#include "Pairs.h"
#include "TileKind.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mlir::relattn;

namespace {
/// Arithmetic on words in the body of an op.
struct WordBuilder {
  OpBuilder &b;
  Location loc;

  Value constant(uint32_t bits) {
    return arith::ConstantOp::create(b, loc,
                                     b.getI32IntegerAttr(int32_t(bits)));
  }
  Value toBits(Value number) {
    return arith::BitcastOp::create(b, loc, b.getI32Type(), number);
  }
  Value toNumber(Value bits) {
    return arith::BitcastOp::create(b, loc, b.getF32Type(), bits);
  }
  /// The bf16 in the upper half of a word.
  Value getHigh(Value bits) {
    return arith::AndIOp::create(b, loc, bits, constant(0xffff0000));
  }
  Value shiftLeft(Value bits) {
    return arith::ShLIOp::create(b, loc, bits, constant(16));
  }
  Value shiftRight(Value bits) {
    return arith::ShRUIOp::create(b, loc, bits, constant(16));
  }
};
} // namespace

int64_t relattn::getNumPartsOf(Type type) {
  if (type.isBF16())
    return 1;
  return type.isF16() ? 2 : kMaxParts;
}

SmallVector<Value> relattn::createWords(OpBuilder &b, Location loc, Value low,
                                        Value high, int64_t numParts) {
  WordBuilder words{b, loc};
  SmallVector<Value> results;
  Value rest[] = {low, high};
  for (int64_t part = 0; part < numParts; ++part) {
    Value bits[] = {words.toBits(rest[0]), words.toBits(rest[1])};
    // Of fewer parts the first is rounded to the nearest, so that the second,
    // and with it what is cut off, has either sign. (It may round a NaN away;
    // the second has it then, or, of a weight of one part, the sum of weights.)
    if (numParts < kMaxParts && part == 0)
      for (Value &number : bits)
        number = arith::AddIOp::create(b, loc, number, words.constant(0x8000));
    results.push_back(arith::OrIOp::create(b, loc, words.shiftRight(bits[0]),
                                           words.getHigh(bits[1])));
    if (part + 1 < numParts)
      for (int half : {0, 1})
        rest[half] = arith::SubFOp::create(
            b, loc, rest[half], words.toNumber(words.getHigh(bits[half])));
  }
  return results;
}

Value relattn::createSplit(OpBuilder &builder, Location loc, Value low,
                           Value high, Value out, int64_t part,
                           int64_t numParts) {
  int64_t rank = cast<RankedTensorType>(low.getType()).getRank();
  SmallVector<AffineMap> maps(3, builder.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  auto split = linalg::GenericOp::create(
      builder, loc, out.getType(), {low, high}, out, maps, iterators,
      [&](OpBuilder &b, Location bodyLoc, ValueRange args) {
        linalg::YieldOp::create(
            b, bodyLoc,
            createWords(b, bodyLoc, args[0], args[1], numParts)[part]);
      });
  setTileKind(split, TileKind::Split);
  return split.getResult(0);
}

Value relattn::createPairProduct(OpBuilder &builder, Location loc,
                                 ValueRange lhs, ValueRange rhs, Value sum,
                                 bool isScore) {
  WordBuilder words{builder, loc};
  auto getHalves = [&](Value word) {
    return std::array<Value, 2>{words.toNumber(words.shiftLeft(word)),
                                words.toNumber(words.getHigh(word))};
  };
  for (auto [left, right] : getPartProducts(lhs.size(), rhs.size(), isScore)) {
    auto lefts = getHalves(lhs[left]), rights = getHalves(rhs[right]);
    for (int half : {0, 1}) {
      Value product =
          arith::MulFOp::create(builder, loc, lefts[half], rights[half]);
      sum = arith::AddFOp::create(builder, loc, sum, product);
    }
  }
  return sum;
}

SmallVector<std::pair<int64_t, int64_t>>
relattn::getPartProducts(int64_t numLeft, int64_t numRight, bool areScores) {
  SmallVector<std::pair<int64_t, int64_t>> products;
  for (int64_t left = numLeft; left-- > 0;)
    products.push_back({left, 0});
  for (int64_t right = numRight; --right > 0;)
    products.push_back({0, right});
  int64_t order = areScores ? kMaxParts : std::max(numLeft, numRight);
  if (order > 2 && numLeft > 1 && numRight > 1)
    products.push_back({1, 1});
  return products;
}
