//===- PanelStep.h - A panel of queries meets a tile of keys ----*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The step of a CPU's panel, lanes = queries; its two products may be made
// otherwise.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TILING_PANELSTEP_H
#define RELATTN_LIB_TILING_PANELSTEP_H

#include "StepBuilder.h"

namespace mlir::relattn {

class PanelStep : protected StepBuilder {
public:
  PanelStep(OnlineAttentionOp op, OpBuilder &builder)
      : StepBuilder(op, builder),
        numLanes(cast<RankedTensorType>(op.getMax().getType()).getDimSize(0)) {}
  virtual ~PanelStep() = default;

  /// out, max, sum.
  SmallVector<Value> lower();

protected:
  AffineMap getMap(ArrayRef<unsigned> dimensions) {
    return AffineMap::getMultiDimMapWithTargets(Dim::kNumDimensions, dimensions,
                                                b.getContext());
  }
  /// exp(score - shift), in the form in which they meet the values, and the sum
  /// for each query.
  struct Weights {
    SmallVector<Value> factors;
    Value sum;
  };

  Value createBias(Value scores, TileKind kind);
  /// Of the keys that count.
  virtual Value createScores();
  /// With masks, and those that do not count as -inf, if there are any.
  virtual Value completeScores(Value scores) { return scores; }
  virtual Weights createWeights(Value scores, Value shift);
  /// out * scale + sum_n value * weight.
  virtual Value createOutput(ArrayRef<Value> weights, Value scale);
  Value createRow(ArrayRef<Value> ins, Value out, GenericBody body);

  int64_t numLanes;

private:
  static SmallVector<Value> multiplyAdd(OpBuilder &builder, Location loc,
                                        ValueRange args);
  Value addMask(Value scores, Value mask, AffineMap map);
};

} // namespace mlir::relattn

#endif // RELATTN_LIB_TILING_PANELSTEP_H
