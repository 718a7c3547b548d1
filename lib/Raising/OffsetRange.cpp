//===- OffsetRange.cpp - Expressions over ranges of the offset ------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "OffsetRange.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSwitch.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::relattn;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Integers are kept well inside 64 bits; programs that need more are refused
/// by their undefined range.
static constexpr int64_t kIntegerLimit = int64_t(1) << 62;

static int64_t clampInteger(__int128 value) {
  if (value > kIntegerLimit)
    return kIntegerLimit;
  if (value < -kIntegerLimit)
    return -kIntegerLimit;
  return static_cast<int64_t>(value);
}

static ValueRange1 integers(int64_t low, int64_t high) {
  ValueRange1 range;
  range.low = low;
  range.high = high;
  return range;
}

static ValueRange1 anyInteger(Type type) {
  if (type && type.isInteger(1))
    return integers(0, 1);
  unsigned width = type && type.isInteger() ? type.getIntOrFloatBitWidth() : 64;
  if (width >= 63)
    return integers(-kIntegerLimit, kIntegerLimit);
  return integers(-(int64_t(1) << (width - 1)),
                  (int64_t(1) << (width - 1)) - 1);
}

static ValueRange1 floats(double low, double high, bool mayBeNaN = false) {
  ValueRange1 range;
  range.isFloat = true;
  range.mayBeNaN = mayBeNaN;
  range.floatLow = low;
  range.floatHigh = high;
  // A NaN bound says nothing of the others.
  if (std::isnan(low) || std::isnan(high)) {
    range.mayBeNaN = true;
    range.floatLow = -kInfinity;
    range.floatHigh = kInfinity;
  }
  return range;
}

static ValueRange1 anyOf(Type type) {
  return isa_and_nonnull<FloatType>(type) ? floats(-kInfinity, kInfinity, true)
                                          : anyInteger(type);
}

static ValueRange1 unite(const ValueRange1 &a, const ValueRange1 &b) {
  if (a.isFloat)
    return floats(std::min(a.floatLow, b.floatLow),
                  std::max(a.floatHigh, b.floatHigh), a.mayBeNaN || b.mayBeNaN);
  return integers(std::min(a.low, b.low), std::max(a.high, b.high));
}

/// `range` in an integer type narrower than positions are: any number of the
/// type if it may wrap.
static ValueRange1 wrap(const ValueRange1 &range, Type type) {
  if (!type.isInteger() || type.getIntOrFloatBitWidth() >= 32)
    return range;
  ValueRange1 fits = anyInteger(type);
  return range.low >= fits.low && range.high <= fits.high ? range : fits;
}

namespace {
/// One evaluation: memoised over the expression's nodes.
class Evaluator {
public:
  Evaluator(unsigned offset, int64_t low, int64_t high, int logUlps)
      : offset(offset), low(low), high(high), logUlps(logUlps) {}

  ValueRange1 visit(const Expr *expr) {
    auto it = done.find(expr);
    if (it != done.end())
      return it->second;
    ValueRange1 range = compute(expr);
    done[expr] = range;
    return range;
  }

private:
  ValueRange1 compute(const Expr *expr);
  ValueRange1 computeIndex(const Linear &linear);
  ValueRange1 computeApply(const Expr *expr);
  ValueRange1 computeLookup(const Expr *expr);
  ValueRange1 computeMath(const Expr *expr, const ValueRange1 &x);
  ValueRange1 computeFloat(const Expr *expr, const ValueRange1 &x,
                           const ValueRange1 &y);
  ValueRange1 computeInteger(const Expr *expr, const ValueRange1 &x,
                             const ValueRange1 &y);
  ValueRange1 compareIntegers(const Expr *expr, const ValueRange1 &x,
                              const ValueRange1 &y);
  ValueRange1 compareFloats(const Expr *expr, const ValueRange1 &x,
                            const ValueRange1 &y);

  unsigned offset;
  int64_t low, high;
  int logUlps;
  llvm::DenseMap<const Expr *, ValueRange1> done;
};
} // namespace

/// Rounds to nearest in `type`.
static double roundTo(double value, Type type) {
  if (type.isF64() || std::isnan(value) || std::isinf(value))
    return value;
  if (type.isF32())
    return static_cast<float>(value);
  APFloat number(value);
  bool ignored;
  number.convert(cast<FloatType>(type).getFloatSemantics(),
                 APFloat::rmNearestTiesToEven, &ignored);
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &ignored);
  return number.convertToDouble();
}

/// `value` of `type`, moved by `ulps` units in the last place.
static double moveUlps(double value, Type type, int ulps) {
  if (ulps == 0 || std::isnan(value) || std::isinf(value))
    return value;
  APFloat number(value);
  bool ignored;
  number.convert(cast<FloatType>(type).getFloatSemantics(),
                 APFloat::rmNearestTiesToEven, &ignored);
  for (int i = 0; i < std::abs(ulps); ++i)
    number.next(/*nextDown=*/ulps < 0);
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &ignored);
  return number.convertToDouble();
}

ValueRange1 Evaluator::compute(const Expr *expr) {
  switch (expr->kind) {
  case Expr::Kind::Number: {
    if (auto number = dyn_cast<FloatAttr>(expr->number)) {
      double value = number.getValueAsDouble();
      return floats(value, value);
    }
    if (auto number = dyn_cast<IntegerAttr>(expr->number)) {
      int64_t value = number.getType().isInteger(1)
                          ? number.getValue().getZExtValue()
                          : number.getValue().getSExtValue();
      return integers(value, value);
    }
    return anyOf(expr->type);
  }
  case Expr::Kind::Index:
    return computeIndex(expr->linear);
  case Expr::Kind::Element:
    return computeLookup(expr);
  case Expr::Kind::Apply:
    return computeApply(expr);
  }
  llvm_unreachable("covered switch");
}

ValueRange1 Evaluator::computeIndex(const Linear &linear) {
  if (linear.isConstant())
    return integers(linear.constant, linear.constant);
  if (linear.terms.size() != 1 || linear.terms[0].first != offset)
    return anyInteger({});
  int64_t factor = linear.terms[0].second;
  int64_t a = clampInteger(__int128(factor) * low + linear.constant);
  int64_t b = clampInteger(__int128(factor) * high + linear.constant);
  return integers(std::min(a, b), std::max(a, b));
}

/// An element of a constant tensor with one index that is not constant.
ValueRange1 Evaluator::computeLookup(const Expr *expr) {
  auto values = dyn_cast_or_null<DenseElementsAttr>(expr->number);
  if (!values || expr->operands.size() != 1)
    return anyOf(expr->type);
  ValueRange1 index = visit(expr->operands[0]);
  int64_t size = values.getNumElements();
  int64_t first = std::max<int64_t>(index.low, 0);
  int64_t last = std::min<int64_t>(index.high, size - 1);
  if (!isa<IntegerType>(values.getElementType()))
    return anyOf(expr->type);
  // Out of bounds: undefined, and far from any row.
  if (first > last)
    return integers(-kIntegerLimit, -kIntegerLimit);
  std::optional<ValueRange1> range;
  for (int64_t i = first; i <= last; ++i) {
    int64_t value = values.getValues<APInt>()[i].getSExtValue();
    range =
        range ? unite(*range, integers(value, value)) : integers(value, value);
  }
  return *range;
}

ValueRange1 Evaluator::compareIntegers(const Expr *expr, const ValueRange1 &x,
                                       const ValueRange1 &y) {
  using P = arith::CmpIPredicate;
  auto yes = integers(1, 1), no = integers(0, 0), maybe = integers(0, 1);
  auto less = [&](const ValueRange1 &a, const ValueRange1 &b) {
    return a.high < b.low ? yes : a.low >= b.high ? no : maybe;
  };
  auto lessEqual = [&](const ValueRange1 &a, const ValueRange1 &b) {
    return a.high <= b.low ? yes : a.low > b.high ? no : maybe;
  };
  bool areNatural = x.low >= 0 && y.low >= 0;
  switch (static_cast<P>(expr->predicate)) {
  case P::eq:
    if (x.isSingle() && y.isSingle() && x.low == y.low)
      return yes;
    return x.high < y.low || y.high < x.low ? no : maybe;
  case P::ne:
    if (x.isSingle() && y.isSingle() && x.low == y.low)
      return no;
    return x.high < y.low || y.high < x.low ? yes : maybe;
  case P::slt:
    return less(x, y);
  case P::sle:
    return lessEqual(x, y);
  case P::sgt:
    return less(y, x);
  case P::sge:
    return lessEqual(y, x);
  case P::ult:
    return areNatural ? less(x, y) : maybe;
  case P::ule:
    return areNatural ? lessEqual(x, y) : maybe;
  case P::ugt:
    return areNatural ? less(y, x) : maybe;
  case P::uge:
    return areNatural ? lessEqual(y, x) : maybe;
  }
  llvm_unreachable("covered switch");
}

ValueRange1 Evaluator::compareFloats(const Expr *expr, const ValueRange1 &x,
                                     const ValueRange1 &y) {
  using P = arith::CmpFPredicate;
  auto yes = integers(1, 1), no = integers(0, 0), maybe = integers(0, 1);
  bool mayBeNaN = x.mayBeNaN || y.mayBeNaN;
  auto decide = [&](bool always, bool never, bool isOrdered) {
    // A NaN makes ordered comparisons false and the others true.
    if (always && (!mayBeNaN || !isOrdered))
      return yes;
    if (never && (!mayBeNaN || isOrdered))
      return no;
    return maybe;
  };
  auto less = [&](const ValueRange1 &a, const ValueRange1 &b, bool isOrdered) {
    return decide(a.floatHigh < b.floatLow, a.floatLow >= b.floatHigh,
                  isOrdered);
  };
  auto lessEqual = [&](const ValueRange1 &a, const ValueRange1 &b,
                       bool isOrdered) {
    return decide(a.floatHigh <= b.floatLow, a.floatLow > b.floatHigh,
                  isOrdered);
  };
  bool areEqual = x.floatLow == x.floatHigh && y.floatLow == y.floatHigh &&
                  x.floatLow == y.floatLow;
  bool areApart = x.floatHigh < y.floatLow || y.floatHigh < x.floatLow;
  switch (static_cast<P>(expr->predicate)) {
  case P::AlwaysFalse:
    return no;
  case P::AlwaysTrue:
    return yes;
  case P::OEQ:
    return decide(areEqual, areApart, true);
  case P::UEQ:
    return decide(areEqual, areApart, false);
  case P::ONE:
    return decide(areApart, areEqual, true);
  case P::UNE:
    return decide(areApart, areEqual, false);
  case P::OLT:
    return less(x, y, true);
  case P::ULT:
    return less(x, y, false);
  case P::OLE:
    return lessEqual(x, y, true);
  case P::ULE:
    return lessEqual(x, y, false);
  case P::OGT:
    return less(y, x, true);
  case P::UGT:
    return less(y, x, false);
  case P::OGE:
    return lessEqual(y, x, true);
  case P::UGE:
    return lessEqual(y, x, false);
  case P::ORD:
    return mayBeNaN ? maybe : yes;
  case P::UNO:
    return mayBeNaN ? maybe : no;
  }
  llvm_unreachable("covered switch");
}

ValueRange1 Evaluator::computeMath(const Expr *expr, const ValueRange1 &x) {
  StringRef name = expr->name;
  Type type = expr->type;
  if (name == "math.absi") {
    if (x.low >= 0)
      return x;
    if (x.high <= 0)
      return integers(-x.high, -x.low);
    return integers(0, std::max(-x.low, x.high));
  }
  if (name == "math.ctlz") {
    unsigned width = type.getIntOrFloatBitWidth();
    auto zeros = [&](int64_t value) {
      return int64_t(APInt(width, value, true).countl_zero());
    };
    if (x.low < 0)
      return x.high < 0 ? integers(0, 0) : integers(0, width);
    return integers(zeros(x.high), zeros(x.low));
  }
  if (!x.isFloat)
    return anyOf(type);
  // Increasing functions: the bounds give the bounds.
  auto increasing = [&](auto function) {
    return floats(function(x.floatLow), function(x.floatHigh), x.mayBeNaN);
  };
  bool isLog = name == "math.log" || name == "math.log2" ||
               name == "math.log10" || name == "math.log1p";
  if (isLog) {
    double start = name == "math.log1p" ? -1.0 : 0.0;
    if (x.floatLow < start)
      return floats(-kInfinity, kInfinity, true);
    return increasing([&](double value) {
      // 64 bits of mantissa: the rounding that follows is the correct one.
      long double exact = value;
      exact = name == "math.log"     ? std::log(exact)
              : name == "math.log2"  ? std::log2(exact)
              : name == "math.log10" ? std::log10(exact)
                                     : std::log1p(exact);
      return moveUlps(roundTo(static_cast<double>(exact), type), type, logUlps);
    });
  }
  if (name == "math.floor")
    return increasing([](double value) { return std::floor(value); });
  if (name == "math.ceil")
    return increasing([](double value) { return std::ceil(value); });
  if (name == "math.trunc")
    return increasing([](double value) { return std::trunc(value); });
  if (name == "math.round")
    return increasing([](double value) { return std::round(value); });
  if (name == "math.roundeven")
    return increasing([](double value) { return std::nearbyint(value); });
  if (name == "math.sqrt" && x.floatLow >= 0)
    return increasing(
        [&](double value) { return roundTo(std::sqrt(value), type); });
  if (name == "math.exp")
    return increasing(
        [&](double value) { return roundTo(std::exp(value), type); });
  if (name == "math.absf") {
    if (x.floatLow >= 0)
      return x;
    if (x.floatHigh <= 0)
      return floats(-x.floatHigh, -x.floatLow, x.mayBeNaN);
    return floats(0, std::max(-x.floatLow, x.floatHigh), x.mayBeNaN);
  }
  return anyOf(type);
}

ValueRange1 Evaluator::computeFloat(const Expr *expr, const ValueRange1 &x,
                                    const ValueRange1 &y) {
  Type type = expr->type;
  bool mayBeNaN = x.mayBeNaN || y.mayBeNaN;
  auto corners = [&](auto function) {
    double values[] = {
        function(x.floatLow, y.floatLow), function(x.floatLow, y.floatHigh),
        function(x.floatHigh, y.floatLow), function(x.floatHigh, y.floatHigh)};
    double least = values[0], most = values[0];
    for (double value : values) {
      if (std::isnan(value))
        return floats(-kInfinity, kInfinity, true);
      least = std::min(least, value);
      most = std::max(most, value);
    }
    return floats(roundTo(least, type), roundTo(most, type), mayBeNaN);
  };
  auto name = expr->name;
  if (name == "arith.addf")
    return corners([](double a, double b) { return a + b; });
  if (name == "arith.subf")
    return corners([](double a, double b) { return a - b; });
  if (name == "arith.mulf")
    return corners([](double a, double b) { return a * b; });
  if (name == "arith.divf") {
    if (y.floatLow <= 0 && y.floatHigh >= 0)
      return floats(-kInfinity, kInfinity, true);
    return corners([](double a, double b) { return a / b; });
  }
  bool isMaximum = name == "arith.maximumf" || name == "arith.maxnumf";
  bool isMinimum = name == "arith.minimumf" || name == "arith.minnumf";
  if (isMaximum)
    return floats(std::max(x.floatLow, y.floatLow),
                  std::max(x.floatHigh, y.floatHigh), mayBeNaN);
  if (isMinimum)
    return floats(std::min(x.floatLow, y.floatLow),
                  std::min(x.floatHigh, y.floatHigh), mayBeNaN);
  return anyOf(type);
}

ValueRange1 Evaluator::computeInteger(const Expr *expr, const ValueRange1 &x,
                                      const ValueRange1 &y) {
  StringRef name = expr->name;
  auto corners = [&](auto function) {
    __int128 values[] = {function(x.low, y.low), function(x.low, y.high),
                         function(x.high, y.low), function(x.high, y.high)};
    return integers(clampInteger(*std::min_element(values, values + 4)),
                    clampInteger(*std::max_element(values, values + 4)));
  };
  if (name == "arith.addi")
    return corners([](__int128 a, __int128 b) { return a + b; });
  if (name == "arith.subi")
    return corners([](__int128 a, __int128 b) { return a - b; });
  if (name == "arith.muli")
    return corners([](__int128 a, __int128 b) { return a * b; });
  if (name == "arith.minsi" ||
      (name == "arith.minui" && x.low >= 0 && y.low >= 0))
    return integers(std::min(x.low, y.low), std::min(x.high, y.high));
  if (name == "arith.maxsi" ||
      (name == "arith.maxui" && x.low >= 0 && y.low >= 0))
    return integers(std::max(x.low, y.low), std::max(x.high, y.high));
  bool isPositiveDivision = y.low > 0;
  if (name == "arith.divsi" && isPositiveDivision)
    return corners([](__int128 a, __int128 b) { return a / b; });
  if (name == "arith.divui" && isPositiveDivision && x.low >= 0)
    return corners([](__int128 a, __int128 b) { return a / b; });
  if (name == "arith.floordivsi" && isPositiveDivision)
    return corners([](__int128 a, __int128 b) {
      return a >= 0 ? a / b : -((-a + b - 1) / b);
    });
  if (name == "arith.ceildivsi" && isPositiveDivision)
    return corners([](__int128 a, __int128 b) {
      return a > 0 ? (a + b - 1) / b : -(-a / b);
    });
  if (x.isSingle() && y.isSingle()) {
    if ((name == "arith.remsi" || name == "arith.remui") && isPositiveDivision)
      return integers(x.low % y.low, x.low % y.low);
    if (name == "arith.shrsi" && y.low >= 0 && y.low < 63)
      return integers(x.low >> y.low, x.low >> y.low);
    if (name == "arith.shli" && y.low >= 0 && y.low < 31 &&
        std::abs(x.low) < (int64_t(1) << 31))
      return integers(x.low * (int64_t(1) << y.low),
                      x.low * (int64_t(1) << y.low));
  }
  // Booleans and bits.
  bool areBooleans = x.low >= 0 && x.high <= 1 && y.low >= 0 && y.high <= 1;
  if (name == "arith.andi") {
    if (x.isSingle() && y.isSingle())
      return integers(x.low & y.low, x.low & y.low);
    if (areBooleans)
      return integers(x.low & y.low, x.high & y.high);
  }
  if (name == "arith.ori") {
    if (x.isSingle() && y.isSingle())
      return integers(x.low | y.low, x.low | y.low);
    if (areBooleans)
      return integers(x.low | y.low, x.high | y.high);
  }
  if (name == "arith.xori") {
    if (x.isSingle() && y.isSingle())
      return expr->type.isInteger(1)
                 ? integers((x.low ^ y.low) & 1, (x.low ^ y.low) & 1)
                 : integers(x.low ^ y.low, x.low ^ y.low);
  }
  return anyOf(expr->type);
}

ValueRange1 Evaluator::computeApply(const Expr *expr) {
  StringRef name = expr->name;
  Type type = expr->type;
  if (name == "arith.select") {
    ValueRange1 condition = visit(expr->operands[0]);
    if (condition.isSingle())
      return visit(expr->operands[condition.low ? 1 : 2]);
    return unite(visit(expr->operands[1]), visit(expr->operands[2]));
  }
  SmallVector<ValueRange1> x;
  for (const Expr *operand : expr->operands)
    x.push_back(visit(operand));
  if (name == "arith.cmpi")
    return compareIntegers(expr, x[0], x[1]);
  if (name == "arith.cmpf")
    return compareFloats(expr, x[0], x[1]);
  if (x.size() == 2 && expr->op)
    return x[0].isFloat ? computeFloat(expr, x[0], x[1])
                        : wrap(computeInteger(expr, x[0], x[1]), type);
  if (name == "clamp") {
    auto inside = [&](int64_t value) {
      return std::clamp<int64_t>(value, 0, expr->predicate - 1);
    };
    return integers(inside(x[0].low), inside(x[0].high));
  }
  if (name == "not")
    return x[0].isSingle() ? integers(1 - x[0].low, 1 - x[0].low)
                           : integers(0, 1);
  if (x.size() != 1 || !expr->op)
    return anyOf(type);
  Type source = getElementTypeOrSelf(expr->op->getOperand(0).getType());
  if (name == "arith.extsi" || name == "arith.index_cast" ||
      name == "arith.extui" || name == "arith.index_castui") {
    bool isUnsigned = name.ends_with("ui");
    if (source.isInteger(1))
      return isUnsigned ? x[0] : integers(-x[0].high, -x[0].low);
    if (isUnsigned && x[0].low < 0)
      return anyOf(type);
    return wrap(x[0], type);
  }
  if (name == "arith.trunci") {
    ValueRange1 fits = anyInteger(type);
    if (type.isInteger(1))
      return x[0].isSingle() ? integers(x[0].low & 1, x[0].low & 1) : fits;
    return x[0].low >= fits.low && x[0].high <= fits.high ? x[0] : fits;
  }
  if (name == "arith.sitofp" || name == "arith.uitofp") {
    bool isUnsigned = name == "arith.uitofp";
    ValueRange1 value = x[0];
    if (source.isInteger(1) && !isUnsigned)
      value = integers(-value.high, -value.low);
    if (isUnsigned && value.low < 0)
      return anyOf(type);
    auto convert = [&](int64_t number) {
      // Twice rounded only beyond 2^53, where no offset is.
      return roundTo(static_cast<double>(number), type);
    };
    return floats(convert(value.low), convert(value.high));
  }
  if (name == "arith.fptosi" || name == "arith.fptoui") {
    ValueRange1 fits = anyInteger(type);
    if (name == "arith.fptoui")
      fits.low = 0;
    // A lane out of range is undefined: any value, which a select hides.
    if (x[0].mayBeNaN || x[0].floatLow <= double(fits.low) - 1 ||
        x[0].floatHigh >= double(fits.high) + 1)
      return fits;
    return integers(static_cast<int64_t>(std::trunc(x[0].floatLow)),
                    static_cast<int64_t>(std::trunc(x[0].floatHigh)));
  }
  if (name == "arith.extf")
    return x[0];
  if (name == "arith.truncf")
    return floats(roundTo(x[0].floatLow, type), roundTo(x[0].floatHigh, type),
                  x[0].mayBeNaN);
  if (name == "arith.negf")
    return floats(-x[0].floatHigh, -x[0].floatLow, x[0].mayBeNaN);
  return computeMath(expr, x[0]);
}

ValueRange1 relattn::evaluateRange(const Expr *expr, unsigned offset,
                                   int64_t low, int64_t high, int logUlps) {
  return Evaluator(offset, low, high, logUlps).visit(expr);
}
