//===- OffsetScheme.cpp - Schemes of step functions -----------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which scheme says a step function of the offset best.
//
//===----------------------------------------------------------------------===//

#include "OffsetScheme.h"
#include <cmath>

using namespace mlir;
using namespace mlir::relattn;

/// Whether `steps` agrees with `pieces` where these are defined.
static bool agrees(const StepFunction &steps, const Pieces &pieces, int64_t low,
                   int64_t high) {
  for (auto [k, id] : llvm::enumerate(pieces.ids)) {
    int64_t first = std::max(pieces.starts[k], low);
    int64_t last =
        k + 1 < pieces.starts.size() ? pieces.starts[k + 1] - 1 : kMaxOffset;
    last = std::min(last, high);
    if (first > last)
      continue;
    // Steps inside the piece would be another bucket.
    if (steps.evaluate(first) != id || steps.evaluate(last) != id)
      return false;
    for (int64_t start : steps.getStarts())
      if (start > first && start <= last)
        return false;
  }
  return true;
}

/// The T5 attribute that agrees with the pieces over [low, high], if one does.
static BiasSchemeAttrInterface findT5(MLIRContext *context,
                                      const Pieces &pieces, int64_t rows,
                                      int64_t low, int64_t high) {
  for (bool bidirectional : {true, false}) {
    if (rows < (bidirectional ? 4 : 2) || rows > 4096 ||
        (bidirectional && rows % 2 != 0))
      continue;
    int64_t buckets = bidirectional ? rows / 2 : rows;
    int64_t exact = buckets / 2;
    // Where the last bucket of the earlier keys starts gives the distance.
    std::optional<int64_t> last;
    for (auto [k, id] : llvm::enumerate(pieces.ids))
      if (id == buckets - 1 && k + 1 < pieces.starts.size())
        last = -(pieces.starts[k + 1] - 1);
    SmallVector<int64_t> candidates = {128, 64, 32, 256, 20, exact + 1};
    if (last && *last > 0 && buckets - 1 > exact) {
      auto distance = [&](double n) {
        return exact * std::pow(n / exact, double(buckets - exact) /
                                               double(buckets - 1 - exact));
      };
      int64_t from = static_cast<int64_t>(distance(double(*last) - 1)) - 1;
      int64_t to = static_cast<int64_t>(distance(double(*last) + 1)) + 1;
      if (to - from < 100000)
        for (int64_t d = from; d <= to; ++d)
          candidates.push_back(d);
    }
    // Many distances may agree: the roundest one is meant.
    auto rank = [](int64_t d) {
      return std::make_pair(d == 128                      ? 0
                            : d > 0 && (d & (d - 1)) == 0 ? 1
                            : d % 10 == 0                 ? 2
                                                          : 3,
                            d);
    };
    llvm::sort(candidates,
               [&](int64_t a, int64_t b) { return rank(a) < rank(b); });
    for (int64_t d : candidates) {
      if (d <= exact || d >= StepFunction::kMaxT5Distance)
        continue;
      if (llvm::Error error = StepFunction::checkT5(rows, d, bidirectional)) {
        llvm::consumeError(std::move(error));
        continue;
      }
      if (agrees(StepFunction::getT5(rows, d, bidirectional), pieces, low,
                 high))
        return cast<BiasSchemeAttrInterface>(
            Attribute(T5Attr::get(context, rows, d, bidirectional)));
    }
  }
  return {};
}

/// One row for each offset between two ends, if the pieces say that.
static BiasSchemeAttrInterface findClip(MLIRContext *context,
                                        const Pieces &pieces, int64_t rows) {
  if (rows < 2 || int64_t(pieces.ids.size()) != rows)
    return {};
  for (auto [k, id] : llvm::enumerate(pieces.ids))
    if (id != int64_t(k) ||
        (k >= 2 && pieces.starts[k] != pieces.starts[k - 1] + 1))
      return {};
  int64_t lo = pieces.starts[1] - 1;
  return cast<BiasSchemeAttrInterface>(
      Attribute(ClipAttr::get(context, lo, lo + rows - 1)));
}

BiasSchemeAttrInterface relattn::findScheme(MLIRContext *context,
                                            const Pieces &pieces, int64_t rows,
                                            int64_t low, int64_t high) {
  if (BiasSchemeAttrInterface clip = findClip(context, pieces, rows))
    return clip;
  if (BiasSchemeAttrInterface t5 = findT5(context, pieces, rows, low, high))
    return t5;
  return cast<BiasSchemeAttrInterface>(Attribute(StepsAttr::get(
      context, rows, ArrayRef(pieces.starts).drop_front(), pieces.ids)));
}

BiasSchemeAttrInterface relattn::reverseScheme(BiasSchemeAttrInterface scheme) {
  if (isa<AlibiAttr>(Attribute(scheme)))
    return scheme;
  std::optional<StepFunction> steps = scheme.getStepFunction();
  if (!steps)
    return {};
  // [a, b) becomes (-b, -a].
  Pieces pieces;
  for (size_t k = steps->getIds().size(); k-- > 0;) {
    pieces.starts.push_back(k < steps->getStarts().size()
                                ? 1 - steps->getStarts()[k]
                                : -kMaxOffset);
    pieces.ids.push_back(steps->getIds()[k]);
  }
  return findScheme(scheme.getContext(), pieces, steps->getNumBuckets(),
                    -kMaxOffset, kMaxOffset);
}
