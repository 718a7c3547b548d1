//===- AttentionOpTest.cpp - The op from C++ ------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What only C++ reaches: the builder, bands, the textbook's attribute, and
// reified shapes.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "relattn/IR/RelAttn.h"
#include "gtest/gtest.h"

using namespace mlir;
using namespace mlir::relattn;

TEST(AttentionOp, BuilderGivesTheDefaultLayout) {
  MLIRContext context;
  context.loadDialect<RelAttnDialect, tensor::TensorDialect>();
  OpBuilder builder(&context);
  Location loc = builder.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc);
  builder.setInsertionPointToEnd(module->getBody());
  auto makeTensor = [&](ArrayRef<int64_t> sizes) -> Value {
    return tensor::EmptyOp::create(builder, loc, sizes, builder.getF16Type());
  };
  auto op = AttentionOp::create(
      builder, loc, makeTensor({2, 3, 4, 5, 8}), makeTensor({2, 3, 7, 8}),
      makeTensor({2, 3, 7, 6}), makeTensor({2, 3, 4, 5, 6}));
  EXPECT_TRUE(succeeded(verify(op)));
  EXPECT_EQ(op.getStaticNumHeads(), 12);
  EXPECT_EQ(op.getStaticSize(AttentionOp::N), 7);
  EXPECT_TRUE(op.getAccumulatorType().isF32());
  EXPECT_EQ(op.getConstantQueryOffset(), 0);

  ReifiedRankedShapedTypeDims shapes;
  EXPECT_TRUE(
      succeeded(cast<ReifyRankedShapedTypeOpInterface>(op.getOperation())
                    .reifyResultShapes(builder, shapes)));
  ASSERT_EQ(shapes.size(), 1u);
  EXPECT_EQ(getConstantIntValues(shapes[0]),
            (SmallVector<int64_t>{2, 3, 4, 5, 6}));
  EXPECT_TRUE(isPure(op));
}

TEST(BandAttr, Intersect) {
  MLIRContext context;
  context.loadDialect<RelAttnDialect>();
  auto band = [&](std::optional<int64_t> lo, std::optional<int64_t> hi) {
    return BandAttr::get(&context, lo, hi);
  };
  EXPECT_EQ(band({}, 0).intersect(band(-16, {})), band(-16, 0));
  EXPECT_EQ(band(-3, 5).intersect(band(-7, 2)), band(-3, 2));
  EXPECT_EQ(band({}, {}).intersect(band({}, {})), band({}, {}));
  // Disjoint bands intersect to an empty one, which is legal.
  EXPECT_EQ(band({}, -1).intersect(band(1, {})), band(1, -1));
  EXPECT_TRUE(BandAttr::getCausal(&context).isCausal());
}

TEST(T5Attr, Textbook) {
  MLIRContext context;
  context.loadDialect<RelAttnDialect>();
  T5Attr attr = T5Attr::getTextbook(&context, 3, 5);
  EXPECT_EQ(attr, T5Attr::get(&context, 4, 5, /*bidirectional=*/false));
  EXPECT_EQ(attr.getStepFunction()->evaluate(-4), 3);
}
