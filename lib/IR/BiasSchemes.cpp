//===- BiasSchemes.cpp - Bias scheme attributes ---------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schemes' own methods, and the defaults that every bucketing shares.
//
//===----------------------------------------------------------------------===//

#include "DimensionNames.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "relattn/IR/RelAttn.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::relattn;

using EmitError = function_ref<InFlightDiagnostic()>;

/// Turns a failed parameter check into a diagnostic.
static LogicalResult report(EmitError emitError, llvm::Error error) {
  if (!error)
    return success();
  return emitError() << "[C14] " << llvm::toString(std::move(error));
}

static bool differ(int64_t a, int64_t b) {
  return !ShapedType::isDynamic(a) && !ShapedType::isDynamic(b) && a != b;
}

//===----------------------------------------------------------------------===//
// Defaults for bucketings
//===----------------------------------------------------------------------===//

LogicalResult relattn::detail::verifyTableType(EmitError emitError,
                                               RankedTensorType tableType,
                                               int64_t numBuckets,
                                               int64_t heads) {
  int64_t rank = tableType.getRank();
  if (rank != 1 && rank != 2)
    return emitError() << "expected a table [num_buckets, H] or "
                          "[num_buckets], got rank "
                       << rank;
  if (differ(tableType.getDimSize(0), numBuckets))
    return emitError() << "the table has " << tableType.getDimSize(0)
                       << " rows but the bucketing has " << numBuckets
                       << " buckets";
  if (rank == 2 && differ(tableType.getDimSize(1), heads))
    return emitError() << "the table has " << tableType.getDimSize(1)
                       << " heads but H = G x R is " << heads;
  return success();
}

Value relattn::detail::buildConstants(OpBuilder &builder, Location loc,
                                      ArrayRef<int64_t> values) {
  auto type =
      RankedTensorType::get({int64_t(values.size())}, builder.getI64Type());
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, values));
}

/// Unrolled. The starts are filled up to a power of two, so that no step tests
/// a bound.
Value relattn::detail::buildInterval(OpBuilder &builder, Location loc,
                                     const StepFunction &steps, Value offset) {
  Value position = arith::ConstantIndexOp::create(builder, loc, 0);
  if (steps.getStarts().empty())
    return position;
  int64_t numIntervals = llvm::PowerOf2Ceil(steps.getIds().size());
  SmallVector<int64_t> starts(steps.getStarts());
  starts.resize(numIntervals - 1, std::numeric_limits<int64_t>::max());
  Value startsTensor = buildConstants(builder, loc, starts);
  Value wide =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), offset);
  for (int64_t step = numIntervals / 2; step > 0; step /= 2) {
    // starts[position + step - 1] begins the interval `position + step`.
    Value before = arith::AddIOp::create(
        builder, loc, position,
        arith::ConstantIndexOp::create(builder, loc, step - 1));
    Value start = tensor::ExtractOp::create(builder, loc, startsTensor, before);
    Value reached = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::sge, wide, start);
    Value advanced = arith::AddIOp::create(
        builder, loc, position,
        arith::ConstantIndexOp::create(builder, loc, step));
    position =
        arith::SelectOp::create(builder, loc, reached, advanced, position);
  }
  return position;
}

Value relattn::detail::buildStepFunction(OpBuilder &builder, Location loc,
                                         const StepFunction &steps,
                                         Value offset) {
  if (steps.getStarts().empty())
    return arith::ConstantIndexOp::create(builder, loc, steps.getIds().front());
  Value position = buildInterval(builder, loc, steps, offset);
  SmallVector<int64_t> ids(steps.getIds());
  ids.resize(llvm::PowerOf2Ceil(ids.size()), ids.back());
  Value idsTensor = buildConstants(builder, loc, ids);
  Value id = tensor::ExtractOp::create(builder, loc, idsTensor, position);
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), id);
}

/// table[bucket, head], or table[bucket] where the heads share it.
Value relattn::detail::buildTableRead(OpBuilder &builder, Location loc,
                                      Value table, Value bucket, Value head) {
  SmallVector<Value> position{bucket};
  if (cast<RankedTensorType>(table.getType()).getRank() == 2)
    position.push_back(head);
  return tensor::ExtractOp::create(builder, loc, table, position);
}

//===----------------------------------------------------------------------===//
// T5
//===----------------------------------------------------------------------===//

LogicalResult T5Attr::verify(EmitError emitError, int64_t buckets,
                             int64_t maxDistance, bool bidirectional) {
  return report(emitError,
                StepFunction::checkT5(buckets, maxDistance, bidirectional));
}

T5Attr T5Attr::getTextbook(MLIRContext *context, int64_t numBuckets,
                           int64_t maxDistance) {
  return get(context, numBuckets + 1, maxDistance, /*bidirectional=*/false);
}

std::optional<StepFunction> T5Attr::getStepFunction() const {
  return StepFunction::getT5(getBuckets(), getMaxDistance(),
                             getBidirectional());
}

std::optional<int64_t> T5Attr::getNumBuckets() const { return getBuckets(); }

Attribute T5Attr::parse(AsmParser &parser, Type) {
  int64_t buckets, maxDistance;
  bool bidirectional = false;
  if (parser.parseLess() || parser.parseKeyword("buckets") ||
      parser.parseEqual() || parser.parseInteger(buckets) ||
      parser.parseComma() || parser.parseKeyword("max_distance") ||
      parser.parseEqual() || parser.parseInteger(maxDistance))
    return {};
  if (succeeded(parser.parseOptionalComma())) {
    if (parser.parseKeyword("bidirectional"))
      return {};
    bidirectional = true;
  }
  if (parser.parseGreater())
    return {};
  return parser.getChecked<T5Attr>(parser.getContext(), buckets, maxDistance,
                                   bidirectional);
}

void T5Attr::print(AsmPrinter &printer) const {
  printer << "<buckets = " << getBuckets()
          << ", max_distance = " << getMaxDistance()
          << (getBidirectional() ? ", bidirectional>" : ">");
}

//===----------------------------------------------------------------------===//
// Clipping and explicit steps
//===----------------------------------------------------------------------===//

LogicalResult ClipAttr::verify(EmitError emitError, int64_t lo, int64_t hi) {
  return report(emitError, StepFunction::checkClip(lo, hi));
}

std::optional<StepFunction> ClipAttr::getStepFunction() const {
  return StepFunction::getClip(getLo(), getHi());
}

std::optional<int64_t> ClipAttr::getNumBuckets() const {
  return getHi() - getLo() + 1;
}

/// Two comparisons instead of a search over hi - lo intervals.
Value ClipAttr::buildBucket(OpBuilder &builder, Location loc,
                            Value offset) const {
  Value lo = arith::ConstantIndexOp::create(builder, loc, getLo());
  Value hi = arith::ConstantIndexOp::create(builder, loc, getHi());
  Value clipped = arith::MinSIOp::create(
      builder, loc, arith::MaxSIOp::create(builder, loc, offset, lo), hi);
  return arith::SubIOp::create(builder, loc, clipped, lo);
}

LogicalResult StepsAttr::verify(EmitError emitError, int64_t buckets,
                                ArrayRef<int64_t> starts,
                                ArrayRef<int64_t> ids) {
  return report(emitError, StepFunction::checkSteps(buckets, starts, ids));
}

std::optional<StepFunction> StepsAttr::getStepFunction() const {
  return StepFunction::getSteps(getBuckets(), getStarts(), getIds());
}

std::optional<int64_t> StepsAttr::getNumBuckets() const { return getBuckets(); }

//===----------------------------------------------------------------------===//
// ALiBi, strip, dense
//===----------------------------------------------------------------------===//

LogicalResult AlibiAttr::verifyBiasType(EmitError emitError,
                                        RankedTensorType biasType,
                                        int64_t heads) const {
  if (biasType.getRank() != 1)
    return emitError() << "expected slopes [H], got rank "
                       << biasType.getRank();
  if (differ(biasType.getDimSize(0), heads))
    return emitError() << "there are " << biasType.getDimSize(0)
                       << " slopes but H = G x R is " << heads;
  return success();
}

/// In the accumulator type: a distance of 257 has no bf16.
Value AlibiAttr::buildBias(OpBuilder &builder, Location loc, Value bias,
                           Value zero, Value head, Value offset) const {
  Value slope = tensor::ExtractOp::create(builder, loc, bias, head);
  Type accumulator = AttentionOp::getAccumulatorType(slope.getType());
  if (slope.getType() != accumulator)
    slope = arith::ExtFOp::create(builder, loc, accumulator, slope);
  // -slope * |offset| as slope * min(offset, -offset).
  Value none = arith::ConstantIndexOp::create(builder, loc, 0);
  Value opposite = arith::SubIOp::create(builder, loc, none, offset);
  Value negated = arith::MinSIOp::create(builder, loc, offset, opposite);
  Value wide =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), negated);
  Value distance = arith::SIToFPOp::create(builder, loc, accumulator, wide);
  return arith::MulFOp::create(builder, loc, slope, distance);
}

bool StripAttr::needsZero() const { return true; }

LogicalResult StripAttr::verifyBiasType(EmitError emitError,
                                        RankedTensorType biasType,
                                        int64_t heads) const {
  int64_t rank = biasType.getRank();
  if (rank != 1 && rank != 2)
    return emitError() << "expected a strip [H, L] or [L], got rank " << rank;
  if (rank == 2 && differ(biasType.getDimSize(0), heads))
    return emitError() << "the strip has " << biasType.getDimSize(0)
                       << " heads but H = G x R is " << heads;
  if (biasType.getDimSize(rank - 1) == 0)
    return emitError() << "the strip has length 0, expected at least 1";
  return success();
}

Value StripAttr::buildBias(OpBuilder &builder, Location loc, Value bias,
                           Value zero, Value head, Value offset) const {
  int64_t rank = cast<RankedTensorType>(bias.getType()).getRank();
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value none = arith::ConstantIndexOp::create(builder, loc, 0);
  Value length = tensor::DimOp::create(builder, loc, bias, rank - 1);
  Value last = arith::SubIOp::create(builder, loc, length, one);
  Value place = arith::AddIOp::create(builder, loc, zero, offset);
  place = arith::MinSIOp::create(builder, loc, place, last);
  place = arith::MaxSIOp::create(builder, loc, place, none);
  SmallVector<Value> position{place};
  if (rank == 2)
    position.insert(position.begin(), head);
  return tensor::ExtractOp::create(builder, loc, bias, position);
}

LogicalResult DenseAttr::verify(EmitError emitError, AffineMap map) {
  bool depthFree = llvm::all_of(map.getResults(), [](AffineExpr expr) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    return dim && dim.getPosition() <= AttentionOp::N;
  });
  if (!depthFree || !isNameable(map))
    return emitError() << "[C10] the map of a dense bias must be a projected "
                          "permutation of b, g, r, m, n";
  return success();
}

bool DenseAttr::isOffsetFunction() const { return false; }

LogicalResult DenseAttr::verifyBiasType(EmitError emitError,
                                        RankedTensorType biasType,
                                        int64_t heads) const {
  if (biasType.getRank() != int64_t(getMap().getNumResults()))
    return emitError() << "the dense bias has rank " << biasType.getRank()
                       << " but its map has " << getMap().getNumResults()
                       << " results";
  return success();
}
