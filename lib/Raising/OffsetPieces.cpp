//===- OffsetPieces.cpp - What holds over pieces of the offsets -----------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A range of offsets is halved until each half is decided. See OffsetRange.h.
//
//===----------------------------------------------------------------------===//

#include "OffsetRange.h"

using namespace mlir;
using namespace mlir::relattn;

bool relattn::isInside(const Expr *expr, unsigned offset, int64_t low,
                       int64_t high, int64_t limit) {
  SmallVector<std::pair<int64_t, int64_t>> worklist = {{low, high}};
  for (unsigned evaluations = 0; !worklist.empty(); ++evaluations) {
    auto [first, last] = worklist.pop_back_val();
    ValueRange1 range = evaluateRange(expr, offset, first, last);
    if (range.low >= 0 && range.high < limit)
      continue;
    bool isOutside = range.high < 0 || range.low >= limit;
    if (isOutside || first == last || evaluations > 65536)
      return false;
    int64_t middle = first + (last - first) / 2;
    worklist.push_back({middle + 1, last});
    worklist.push_back({first, middle});
  }
  return true;
}

namespace {
class PieceFinder {
public:
  PieceFinder(const Expr *expr, unsigned offset, int64_t limit, int logUlps,
              unsigned maxPieces)
      : expr(expr), offset(offset), limit(limit), logUlps(logUlps),
        maxPieces(maxPieces) {}

  bool run(int64_t low, int64_t high) {
    ValueRange1 range = evaluateRange(expr, offset, low, high, logUlps);
    if (++evaluations > 64u * maxPieces)
      return false;
    bool isUndefined = range.low >= limit || range.high < 0;
    if (range.isSingle() || isUndefined) {
      append(low, isUndefined ? -1 : range.low);
      return pieces.starts.size() <= maxPieces;
    }
    if (low == high) {
      // One offset, and still not one number: no function of the offset.
      return false;
    }
    int64_t middle = low + (high - low) / 2;
    return run(low, middle) && run(middle + 1, high);
  }

  Pieces finish() {
    // What is undefined is what its neighbour says: so that the ends stay
    // constant for ever.
    Pieces result;
    int64_t known = -1;
    for (int64_t id : pieces.ids)
      if (id >= 0) {
        known = id;
        break;
      }
    for (auto [start, id] : llvm::zip(pieces.starts, pieces.ids)) {
      if (id >= 0)
        known = id;
      if (result.ids.empty() || result.ids.back() != known) {
        result.starts.push_back(start);
        result.ids.push_back(known);
      }
    }
    return result;
  }

private:
  void append(int64_t start, int64_t id) {
    if (!pieces.ids.empty() && pieces.ids.back() == id)
      return;
    pieces.starts.push_back(start);
    pieces.ids.push_back(id);
  }

  const Expr *expr;
  unsigned offset;
  int64_t limit;
  int logUlps;
  unsigned maxPieces, evaluations = 0;
  Pieces pieces;
};
} // namespace

std::optional<Pieces> relattn::findPieces(const Expr *expr, unsigned offset,
                                          int64_t limit, int logUlps,
                                          unsigned maxPieces, int64_t low,
                                          int64_t high) {
  PieceFinder finder(expr, offset, limit, logUlps, maxPieces);
  if (!finder.run(low, high))
    return std::nullopt;
  Pieces pieces = finder.finish();
  if (pieces.ids.empty() || pieces.ids[0] < 0)
    return std::nullopt;
  pieces.starts[0] = -kMaxOffset;
  return pieces;
}
