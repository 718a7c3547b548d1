//===- Fragment.cpp - Operands of matrix instructions in registers --------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "relattn/GPU/Fragment.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::relattn;

/// A lane is 4 * group + place.
static std::pair<AffineExpr, AffineExpr> getGroupAndPlace(Builder &b) {
  AffineExpr lane = b.getAffineDimExpr(0);
  return {lane.floorDiv(4), lane % 4};
}

Fragment Fragment::getMma16816A(MLIRContext *context) {
  Builder b(context);
  auto [group, place] = getGroupAndPlace(b);
  AffineExpr reg = b.getAffineSymbolExpr(0);
  return Fragment(AffineMap::get(1, 1,
                                 {group + reg.floorDiv(2) % 2 * 8,
                                  place * 2 + reg % 2 + reg.floorDiv(4) * 8},
                                 context),
                  8, 16, 16);
}

Fragment Fragment::getMma16816B(MLIRContext *context) {
  Builder b(context);
  auto [group, place] = getGroupAndPlace(b);
  AffineExpr reg = b.getAffineSymbolExpr(0);
  return Fragment(
      AffineMap::get(1, 1, {place * 2 + reg % 2 + reg.floorDiv(2) * 8, group},
                     context),
      4, 16, 8);
}

Fragment Fragment::getMma16816C(MLIRContext *context) {
  Builder b(context);
  auto [group, place] = getGroupAndPlace(b);
  AffineExpr reg = b.getAffineSymbolExpr(0);
  return Fragment(
      AffineMap::get(1, 1, {group + reg.floorDiv(2) * 8, place * 2 + reg % 2},
                     context),
      4, 16, 8);
}

Fragment Fragment::getRowPerPeers(MLIRContext *context, int64_t peers) {
  AffineExpr lane = getAffineDimExpr(0, context);
  AffineMap map =
      AffineMap::get(1, 1, {lane.floorDiv(peers), lane % peers}, context);
  return Fragment(map, 1, kNumLanes / peers, peers);
}

Fragment::Position Fragment::getPosition(int64_t lane, int64_t reg) const {
  Builder b(map.getContext());
  SmallVector<Attribute> position;
  [[maybe_unused]] LogicalResult folded =
      map.constantFold({b.getIndexAttr(lane), b.getIndexAttr(reg)}, position);
  assert(succeeded(folded) && "a fragment's map has no other operand");
  return {cast<IntegerAttr>(position[0]).getInt(),
          cast<IntegerAttr>(position[1]).getInt()};
}

SmallVector<int64_t> Fragment::getRowGroups() const {
  SmallVector<int64_t> groups, first;
  auto isSameRow = [&](int64_t a, int64_t b) {
    return llvm::all_of(llvm::seq<int64_t>(0, kNumLanes), [&](int64_t lane) {
      return getPosition(lane, a).row == getPosition(lane, b).row;
    });
  };
  for (int64_t reg = 0; reg < numRegisters; ++reg) {
    const auto *found = llvm::find_if(
        first, [&](int64_t other) { return isSameRow(reg, other); });
    groups.push_back(found - first.begin());
    if (found == first.end())
      first.push_back(reg);
  }
  return groups;
}

SmallVector<int64_t> Fragment::getRowPeers() const {
  SmallVector<int64_t> masks;
  for (int64_t mask = 1; mask < kNumLanes; mask *= 2)
    if (llvm::all_of(llvm::seq<int64_t>(0, kNumLanes), [&](int64_t lane) {
          return getPosition(lane, 0).row == getPosition(lane ^ mask, 0).row;
        }))
      masks.push_back(mask);
  return masks;
}

std::optional<int64_t> Fragment::find(const Fragment &other, int64_t reg,
                                      int64_t rows, int64_t columns) const {
  for (int64_t own = 0; own < numRegisters; ++own)
    if (llvm::all_of(llvm::seq<int64_t>(0, kNumLanes), [&](int64_t lane) {
          Position there = other.getPosition(lane, reg);
          return getPosition(lane, own) ==
                 Position{there.row + rows, there.column + columns};
        }))
      return own;
  return std::nullopt;
}

AffineMap Fragment::getLdmatrixRows(MLIRContext *context, bool rowsFirst) {
  Builder b(context);
  AffineExpr lane = b.getAffineDimExpr(0);
  AffineExpr row = lane % 8, matrix = lane.floorDiv(8);
  AffineExpr fast = matrix % 2 * 8, slow = matrix.floorDiv(2) * 8;
  if (rowsFirst)
    return AffineMap::get(1, 0, {row + fast, slow}, context);
  return AffineMap::get(1, 0, {row + slow, fast}, context);
}
