//===- AttentionRuns.cpp - The strip of a few intervals -------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A bucketing of a few intervals gives a strip of as many runs of one number,
// and a band hides the places before and behind it: no place needs its bucket.
// A search for each place and a read of the table for each place and head took
// 11 % of a decode step.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::relattn;

/// Of more intervals, many are of one place: then a place's own bucket, once
/// for all heads, is less work.
static constexpr size_t kMaxRuns = 64;

/// None where the strip is made place by place.
std::optional<StepFunction> AttentionTiler::getRuns() {
  // Threads of a workgroup share places out.
  if (sizes.areWorkgroups)
    return std::nullopt;
  if (!stripSource->scheme)
    return StepFunction::getSteps(/*numBuckets=*/1, {}, {0});
  // Without building a step function of millions of intervals.
  std::optional<int64_t> numBuckets = stripSource->scheme.getNumBuckets();
  std::optional<StepFunction> steps;
  if (numBuckets && *numBuckets <= int64_t(kMaxRuns))
    steps = stripSource->scheme.getStepFunction();
  if (steps && steps->getIds().size() <= kMaxRuns)
    return steps;
  return std::nullopt;
}

namespace {
/// Offsets in order, half open.
struct OffsetRange {
  Value begin, end;
};
} // namespace

/// Fills `row`, as createStripRow.
Value AttentionTiler::createRuns(const StepFunction &steps, Value row,
                                 Value first, Value batch, Value head) {
  Value length = b.createOrFold<tensor::DimOp>(loc, row, 0);
  Value offset = getStripOffset(b, loc, first, batch);
  OffsetRange all =
      isRow() ? OffsetRange{offset, add(offset, length)}
              : OffsetRange{sub(add(offset, one), length), add(offset, one)};
  // The places of some offsets of the row.
  auto fill = [&](Value carried, OffsetRange part, Value number) -> Value {
    Value start = isRow() ? sub(part.begin, all.begin) : sub(all.end, part.end),
          end = isRow() ? sub(part.end, all.begin) : sub(all.end, part.begin);
    auto loop = scf::ForOp::create(
        b, loc, start, end, one, carried,
        [&](OpBuilder &, Location, Value place, ValueRange args) {
          Value next = tensor::InsertOp::create(b, loc, number, args[0], place);
          scf::YieldOp::create(b, loc, next);
        });
    return loop.getResult(0);
  };
  auto getBias = [&](Value interval) {
    Value id = interval;
    if (id)
      id = tensor::ExtractOp::create(
          b, loc, detail::buildConstants(b, loc, steps.getIds()), interval);
    return buildStripElement(b, loc, *stripSource, accumulator, id, head,
                             Value());
  };
  if (stripSource->scheme) {
    // Where the intervals begin, and where the last one ends.
    SmallVector<int64_t> bounds = {std::numeric_limits<int64_t>::min()};
    llvm::append_range(bounds, steps.getStarts());
    bounds.push_back(std::numeric_limits<int64_t>::max());
    Value boundsTensor = detail::buildConstants(b, loc, bounds);
    auto getBound = [&](Value interval) -> Value {
      Value bound = tensor::ExtractOp::create(b, loc, boundsTensor, interval);
      return arith::IndexCastOp::create(b, loc, b.getIndexType(), bound);
    };
    // Starts that fill a search up lie behind the last interval.
    Value lastOfAll = number(steps.getStarts().size());
    auto getInterval = [&](Value offset) {
      return min(detail::buildInterval(b, loc, steps, offset), lastOfAll);
    };
    Value begin = getInterval(all.begin), last = getInterval(sub(all.end, one));
    auto loop = scf::ForOp::create(
        b, loc, begin, add(last, one), one, row,
        [&](OpBuilder &, Location, Value interval, ValueRange args) {
          OffsetRange part = {max(getBound(interval), all.begin),
                              min(getBound(add(interval, one)), all.end)};
          scf::YieldOp::create(b, loc, fill(args[0], part, getBias(interval)));
        });
    row = loop.getResult(0);
  } else {
    row = fill(row, all, getBias(Value()));
  }
  Value hidden = createFloatConstant(b, loc, accumulator,
                                     -std::numeric_limits<double>::infinity());
  if (bandLow)
    row = fill(row, {all.begin, min(number(*bandLow), all.end)}, hidden);
  if (bandHigh)
    row = fill(row, {max(number(*bandHigh + 1), all.begin), all.end}, hidden);
  return row;
}
