//===- ExpandExp.cpp - The exponential of the softmax ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// exp(x) = 2^n * exp(f), n = round(x / ln 2), |f| <= ln(2) / 2, where 2^n does
// not overflow:
//   x is clamped to where 2^n is 0, so that exp(-inf) is exactly 0;
//   n is rounded by the addition of 1.5 * 2^(mantissa bits), plus the
//   exponent's bias: the sum's low bits are the exponent of 2^n, and a shift
//   makes it one; exp(f) is a polynomial: for f32 a minimax one of degree 5
//   (relative error 7.5e-8), for f64 the Taylor series of degree 13 (4e-18).
//   f is exact to the last bit by a fused multiply-add, or by ln 2 in two
//   parts, of which the first times n is exact.
// NaN stays NaN: the clamp is a comparison that NaN fails, and 2^n multiplies.
// 12 operations on f32; math.exp2 by a library call made the kernel 2.4 times
// slower, and upstream's approximation, which serves every x, 1.06 times.
//
//===----------------------------------------------------------------------===//

#include "ExpandExp.h"
#include "../Conversion/RelAttnToLinalg/LoweringUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "relattn/Tiling/Passes.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_EXPANDEXP
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

static constexpr StringLiteral kBounded = "relattn.bounded";

Value relattn::createBoundedExp(OpBuilder &builder, Location loc, Value x) {
  auto exp = math::ExpOp::create(builder, loc, x);
  exp->setDiscardableAttr(kBounded, builder.getUnitAttr());
  return exp;
}

bool relattn::isBoundedExp(math::ExpOp op) { return op->hasAttr(kBounded); }

bool relattn::hasBoundedExp(Operation *root) {
  return root
      ->walk([](math::ExpOp op) {
        return isBoundedExp(op) ? WalkResult::interrupt()
                                : WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {

/// What differs between the types.
struct ExpConstants {
  int mantissaBits;
  /// 1.5 * 2^mantissaBits + exponent bias.
  double magic;
  /// A little above (1 - bias) * ln 2 - ln(2) / 2: 2^n is 0 there.
  double lowest;
  /// ln 2 in one or two parts.
  SmallVector<double, 2> ln2;
  /// The polynomial, the highest power first.
  SmallVector<double, 14> coefficients;
};

ExpConstants getConstants(Type element, bool hasFMA) {
  if (element.isF32())
    return {23,
            12582912.0 + 127.0,
            -127.0 * llvm::numbers::ln2,
            hasFMA ? SmallVector<double, 2>{llvm::numbers::ln2}
                   : SmallVector<double, 2>{0.693359375,
                                            llvm::numbers::ln2 - 0.693359375},
            {8.297654792470422e-3, 4.191538197635097e-2, 1.6667574733021484e-1,
             4.999889485139994e-1, 9.999996919902614e-1, 1.0}};
  ExpConstants result{52,
                      6755399441055744.0 + 1023.0,
                      -1023.0 * llvm::numbers::ln2,
                      {6.93147180369123816490e-01, 1.90821492927058770002e-10},
                      {}};
  double coefficient = 1.0;
  result.coefficients.push_back(1.0);
  for (int power = 1; power <= 13; ++power) {
    coefficient /= power;
    result.coefficients.insert(result.coefficients.begin(), coefficient);
  }
  return result;
}

struct ExpandExpPattern : public OpRewritePattern<math::ExpOp> {
  ExpandExpPattern(MLIRContext *context, bool hasFMA, bool selectsLast)
      : OpRewritePattern(context), hasFMA(hasFMA), selectsLast(selectsLast) {}

  LogicalResult matchAndRewrite(math::ExpOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    Type element = getElementTypeOrSelf(type);
    if (!isBoundedExp(op) || isa<TensorType>(type) ||
        (!element.isF32() && !element.isF64()))
      return rewriter.notifyMatchFailure(op, "expected a marked exponential");
    Location loc = op.getLoc();
    ExpConstants constants = getConstants(element, hasFMA);
    Type integer = rewriter.getIntegerType(element.getIntOrFloatBitWidth());
    Type integers = integer;
    if (auto vector = dyn_cast<VectorType>(type))
      integers = vector.clone(integer);
    auto getConstant = [&](Type whole, TypedAttr number) -> Value {
      if (auto vector = dyn_cast<VectorType>(whole))
        number = DenseElementsAttr::get(vector, ArrayRef<Attribute>(number));
      return arith::ConstantOp::create(rewriter, loc, number);
    };
    auto number = [&](double value) {
      return getConstant(type, rewriter.getFloatAttr(element, value));
    };
    Value lowest = number(constants.lowest);
    Value isLow = arith::CmpFOp::create(
        rewriter, loc, arith::CmpFPredicate::OGT, lowest, op.getOperand());
    Value x = op.getOperand();
    if (!selectsLast)
      x = arith::SelectOp::create(rewriter, loc, isLow, lowest, x);
    Value magic = number(constants.magic);
    auto multiplyAdd = [&](Value a, Value b, Value c) {
      return createMultiplyAdd(rewriter, loc, a, b, c);
    };
    Value shifted = multiplyAdd(x, number(llvm::numbers::log2e), magic);
    Value n = arith::SubFOp::create(rewriter, loc, shifted, magic);
    Value f = x;
    for (double part : constants.ln2)
      f = multiplyAdd(n, number(-part), f);
    Value power = number(constants.coefficients[0]);
    for (double coefficient : ArrayRef(constants.coefficients).drop_front())
      power = multiplyAdd(power, f, number(coefficient));
    Value bits = arith::BitcastOp::create(rewriter, loc, integers, shifted);
    Value exponent = arith::ShLIOp::create(
        rewriter, loc, bits,
        getConstant(integers,
                    rewriter.getIntegerAttr(integer, constants.mantissaBits)));
    Value scale = arith::BitcastOp::create(rewriter, loc, type, exponent);
    Value result = arith::MulFOp::create(rewriter, loc, power, scale);
    if (selectsLast)
      result =
          arith::SelectOp::create(rewriter, loc, isLow, number(0.0), result);
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  bool hasFMA, selectsLast;
};

} // namespace

void relattn::populateExpandExpPatterns(RewritePatternSet &patterns,
                                        bool hasFMA, bool selectsLast) {
  patterns.add<ExpandExpPattern>(patterns.getContext(), hasFMA, selectsLast);
}

namespace {
struct ExpandExp : public relattn::impl::ExpandExpBase<ExpandExp> {
  using ExpandExpBase::ExpandExpBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateExpandExpPatterns(patterns, hasFMA);
    if (avx512)
      populateExpandExpToAVX512Patterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
