//===- ExpandExpToAVX512.cpp - The exponential by two instructions --------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// exp(x) = 2^floor(t) * 2^(t - floor(t)), t = x * log2(e):
//   VREDUCEPS subtracts the integer part (and takes -inf to 0);
//   2^(t - floor(t)) is a polynomial: of degree 5, minimax with 2^0 = 1
//   (relative error 8.2e-8, 1.4e-7 with its roundings);
//   VSCALEFPS multiplies by 2^floor(t).
// Where t is below -126 the result is 0, by the mask of VSCALEFPS and nothing
// else: its underflow and a denormal factor of a later product take more than a
// hundred cycles each on Intel's CPUs. NaN fails the comparison that hides and
// stays NaN.
//
// 10 instructions instead of 12, of which 3 instead of 6 are needed where two
// units do all of them (Intel: 6.3 cycles for 16 numbers with loading, storing
// and adding, instead of 8.4). Where additions have units of their own (Zen)
// the other one has the fewer multiplications.
//
//===----------------------------------------------------------------------===//

#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "ExpandExp.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::relattn;

static constexpr int64_t kLanes = 16;

namespace {

/// Creates operations on a register of floats.
class RegisterBuilder {
public:
  RegisterBuilder(OpBuilder &builder, Location loc)
      : b(builder), loc(loc),
        type(VectorType::get({kLanes}, builder.getF32Type())) {}

  Value createExp(Value x);

private:
  Value number(float value) {
    return arith::ConstantOp::create(b, loc,
                                     DenseElementsAttr::get(type, value));
  }
  Value integer(unsigned bits, int64_t value) {
    return arith::ConstantIntOp::create(b, loc, value, bits);
  }
  Value call(StringRef intrinsic, ValueRange args) {
    return LLVM::CallIntrinsicOp::create(b, loc, type,
                                         b.getStringAttr(intrinsic), args)
        .getResult(0);
  }

  OpBuilder &b;
  Location loc;
  VectorType type;
};

} // namespace

Value RegisterBuilder::createExp(Value x) {
  constexpr int64_t kFloor = 1, kAll = -1, kCurrentRounding = 4;
  Value exponent =
      arith::MulFOp::create(b, loc, x, number(llvm::numbers::log2ef));
  Value fraction = call("llvm.x86.avx512.mask.reduce.ps.512",
                        {exponent, integer(32, kFloor), exponent,
                         integer(16, kAll), integer(32, kCurrentRounding)});
  Value power = number(1.8671300e-3f);
  for (float coefficient :
       {9.0170307e-3f, 5.5799913e-2f, 2.4016444e-1f, 6.9315130e-1f, 1.0f})
    power = createMultiplyAdd(b, loc, power, fraction, number(coefficient));
  Value isKept = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UGE,
                                       exponent, number(-126.0f));
  Value mask = LLVM::BitcastOp::create(b, loc, b.getI16Type(), isKept);
  return call(
      "llvm.x86.avx512.mask.scalef.ps.512",
      {power, exponent, number(0.0f), mask, integer(32, kCurrentRounding)});
}

namespace {

struct ExpandExpToAVX512 : public OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ExpOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<VectorType>(op.getType());
    if (!isBoundedExp(op) || !type || type.isScalable() ||
        type.getRank() != 1 || !type.getElementType().isF32() ||
        type.getDimSize(0) % kLanes != 0)
      return rewriter.notifyMatchFailure(
          op, "expected a marked exponential of registers of f32");
    Location loc = op.getLoc();
    RegisterBuilder builder(rewriter, loc);
    if (type.getDimSize(0) == kLanes) {
      rewriter.replaceOp(op, builder.createExp(op.getOperand()));
      return success();
    }
    Value result = arith::ConstantOp::create(rewriter, loc, type,
                                             rewriter.getZeroAttr(type));
    for (int64_t lane = 0; lane < type.getDimSize(0); lane += kLanes) {
      Value x = vector::ExtractStridedSliceOp::create(
          rewriter, loc, op.getOperand(), lane, kLanes, int64_t(1));
      result = vector::InsertStridedSliceOp::create(
          rewriter, loc, builder.createExp(x), result, lane, int64_t(1));
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

} // namespace

void relattn::populateExpandExpToAVX512Patterns(RewritePatternSet &patterns) {
  patterns.add<ExpandExpToAVX512>(patterns.getContext(), /*benefit=*/2);
}
