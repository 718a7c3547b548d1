//===- OpaqueIndices.cpp - Indices without known bounds -------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpaqueIndices.h"
#include "ExpandExp.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SubsetOpInterface.h"
#include "relattn/Tiling/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_HIDEINDICES
#define GEN_PASS_DEF_SHOWINDICES
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

static constexpr StringLiteral kHides = "relattn.hides";

void relattn::hideIndices(Operation *root) {
  llvm::MapVector<Value, SmallVector<OpOperand *>> uses;
  root->walk([&](scf::ForallOp loop) {
    if (!hasBoundedExp(loop))
      return;
    loop.walk([&](SubsetOpInterface subset) {
      for (OpOperand &operand : subset->getOpOperands())
        if (operand.get().getType().isIndex() &&
            !matchPattern(operand.get(), m_Constant()))
          uses[operand.get()].push_back(&operand);
    });
  });
  OpBuilder builder(root->getContext());
  for (auto &[index, operands] : uses) {
    builder.setInsertionPointAfterValue(index);
    Location loc = index.getLoc();
    Value integer =
        arith::IndexCastOp::create(builder, loc, builder.getI64Type(), index);
    auto hidden = arith::IndexCastOp::create(builder, loc,
                                             builder.getIndexType(), integer);
    hidden->setDiscardableAttr(kHides, builder.getUnitAttr());
    for (OpOperand *operand : operands)
      operand->set(hidden);
  }
}

void relattn::showIndices(Operation *root) {
  SmallVector<std::pair<arith::IndexCastOp, arith::IndexCastOp>> pairs;
  root->walk([&](arith::IndexCastOp hidden) {
    auto integer = hidden.getIn().getDefiningOp<arith::IndexCastOp>();
    if (hidden->hasAttr(kHides) && hidden.getType().isIndex() && integer &&
        integer.getType().isInteger(64) && integer.getIn().getType().isIndex())
      pairs.emplace_back(hidden, integer);
  });
  for (auto [hidden, integer] : pairs) {
    hidden.replaceAllUsesWith(integer.getIn());
    hidden.erase();
    if (integer->use_empty())
      integer.erase();
  }
}

namespace {

struct HideIndices : public relattn::impl::HideIndicesBase<HideIndices> {
  void runOnOperation() override { hideIndices(getOperation()); }
};

struct ShowIndices : public relattn::impl::ShowIndicesBase<ShowIndices> {
  void runOnOperation() override { showIndices(getOperation()); }
};

} // namespace
