//===- DecomposeMerge.cpp - Parts of the keys joined in linalg ------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One generic for each line of the formula, with the scale of each part and row
// computed once. A merge reads few numbers beside the keys: it stays loops.
//
//===----------------------------------------------------------------------===//

#include "ExpandExp.h"
#include "StepBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::relattn;

SmallVector<Value> relattn::lowerMerge(MergeOp op, OpBuilder &b) {
  Location loc = op.getLoc();
  AffineMap outs = op.getOutsMap(), rows = op.getRowsMap();
  AffineMap out = MergeOp::dropPart(outs), row = MergeOp::dropPart(rows);
  // Parts outermost: each is added as a whole, in its order.
  auto getLoops = [](AffineMap map) {
    auto loops = llvm::map_to_vector(map.getResults(), [](AffineExpr expr) {
      return cast<AffineDimExpr>(expr).getPosition();
    });
    auto *part = llvm::find(loops, 0u);
    if (part != loops.end())
      std::rotate(loops.begin(), part, part + 1);
    return loops;
  };
  auto create = [&](AffineMap space, ArrayRef<unsigned> reduced,
                    ArrayRef<MappedValue> ins, MappedValue into,
                    GenericBody body) {
    return createGenericOver(b, loc, getLoops(space), reduced, ins, into, body)
        .getResult(0);
  };
  auto createEmpty = [&](Value like) -> Value {
    return tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, like),
                                   getElementTypeOrSelf(like));
  };
  Value max = create(rows, {0}, {{op.getMaxes(), rows}}, {op.getMaxInit(), row},
                     [](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                       return SmallVector<Value>{arith::MaximumFOp::create(
                           inner, bodyLoc, args[0], args[1])};
                     });
  auto createScale = [&](Value from, AffineMap map) {
    return create(
        map, {}, {{from, map}, {max, row}}, {createEmpty(from), map},
        [](OpBuilder &inner, Location bodyLoc, ValueRange args) {
          Value shift = createShift(inner, bodyLoc, args[1]);
          Value below = arith::SubFOp::create(inner, bodyLoc, args[0], shift);
          return SmallVector<Value>{createBoundedExp(inner, bodyLoc, below)};
        });
  };
  Value own = createScale(op.getMaxInit(), row);
  Value scales = createScale(op.getMaxes(), rows);
  auto join = [&](Value state, AffineMap map, Value parts, AffineMap partsMap) {
    Value start =
        create(map, {}, {{own, row}}, {state, map},
               [](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                 return SmallVector<Value>{
                     arith::MulFOp::create(inner, bodyLoc, args[1], args[0])};
               });
    return create(partsMap, {0}, {{parts, partsMap}, {scales, rows}},
                  {start, map},
                  [](OpBuilder &inner, Location bodyLoc, ValueRange args) {
                    return SmallVector<Value>{createMultiplyAdd(
                        inner, bodyLoc, args[0], args[1], args[2])};
                  });
  };
  return {join(op.getOutInit(), out, op.getOuts(), outs), max,
          join(op.getSumInit(), row, op.getSums(), rows)};
}
