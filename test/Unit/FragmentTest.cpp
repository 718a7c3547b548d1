//===- FragmentTest.cpp - Operands of matrix instructions -----------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Against the formulas of the PTX ISA, written down once more.
//
//===----------------------------------------------------------------------===//

#include "relattn/GPU/Fragment.h"
#include "mlir/IR/MLIRContext.h"
#include "gtest/gtest.h"
#include <set>

using namespace mlir;
using namespace mlir::relattn;

namespace {

void expectEachElementOnce(const Fragment &fragment) {
  std::set<std::pair<int64_t, int64_t>> seen;
  for (int64_t lane = 0; lane < Fragment::kNumLanes; ++lane)
    for (int64_t reg = 0; reg < fragment.getNumRegisters(); ++reg) {
      Fragment::Position position = fragment.getPosition(lane, reg);
      EXPECT_TRUE(position.row >= 0 && position.row < fragment.getNumRows());
      EXPECT_TRUE(position.column >= 0 &&
                  position.column < fragment.getNumColumns());
      EXPECT_TRUE(seen.insert({position.row, position.column}).second);
    }
  EXPECT_EQ(int64_t(seen.size()),
            fragment.getNumRows() * fragment.getNumColumns());
}

TEST(Fragment, HoldsEachElementOnce) {
  MLIRContext context;
  expectEachElementOnce(Fragment::getMma16816A(&context));
  expectEachElementOnce(Fragment::getMma16816B(&context));
  expectEachElementOnce(Fragment::getMma16816C(&context));
  for (int64_t peers : {1, 2, 4, 8})
    expectEachElementOnce(Fragment::getRowPerPeers(&context, peers));
}

// "Matrix Fragments for mma.m16n8k16": groupID = lane >> 2 and
// threadID_in_group = lane % 4.
TEST(Fragment, FollowsThePTXISA) {
  MLIRContext context;
  Fragment a = Fragment::getMma16816A(&context),
           b = Fragment::getMma16816B(&context),
           c = Fragment::getMma16816C(&context);
  for (int64_t lane = 0; lane < 32; ++lane) {
    int64_t group = lane >> 2, place = lane % 4;
    for (int64_t i = 0; i < 8; ++i) {
      int64_t row = (i < 2 || (i >= 4 && i < 6)) ? group : group + 8;
      int64_t column = place * 2 + (i & 1) + (i >= 4 ? 8 : 0);
      EXPECT_EQ(a.getPosition(lane, i), (Fragment::Position{row, column}));
    }
    for (int64_t i = 0; i < 4; ++i) {
      int64_t row = place * 2 + (i & 1) + (i >= 2 ? 8 : 0);
      EXPECT_EQ(b.getPosition(lane, i), (Fragment::Position{row, group}));
      EXPECT_EQ(
          c.getPosition(lane, i),
          (Fragment::Position{i < 2 ? group : group + 8, place * 2 + (i & 1)}));
    }
  }
}

TEST(Fragment, KnowsRowsAndPeers) {
  MLIRContext context;
  Fragment c = Fragment::getMma16816C(&context);
  EXPECT_EQ(c.getRowGroups(), (SmallVector<int64_t>{0, 0, 1, 1}));
  EXPECT_EQ(c.getRowPeers(), (SmallVector<int64_t>{1, 2}));
  EXPECT_TRUE(Fragment::getRowPerPeers(&context, 1).getRowPeers().empty());
  EXPECT_EQ(Fragment::getRowPerPeers(&context, 4).getRowPeers(),
            (SmallVector<int64_t>{1, 2}));
}

// Two results of 8 columns are one factor of 16.
TEST(Fragment, ResultsAreFactors) {
  MLIRContext context;
  Fragment a = Fragment::getMma16816A(&context),
           c = Fragment::getMma16816C(&context);
  for (int64_t reg = 0; reg < 8; ++reg)
    EXPECT_EQ(c.find(a, reg, 0, reg < 4 ? 0 : -8), reg % 4);
  EXPECT_EQ(c.find(a, 0, 0, -8), std::nullopt);
}

// ldmatrix: register i of lane l gets elements 2 (l % 4) and the next of row l
// / 4 of matrix i, whose row r lane 8 i + r names.
TEST(Fragment, LdmatrixGivesFragments) {
  MLIRContext context;
  auto getRow = [&](bool rowsFirst, int64_t lane) {
    SmallVector<int64_t> row =
        Fragment::getLdmatrixRows(&context, rowsFirst).compose({lane});
    return Fragment::Position{row[0], row[1]};
  };
  Fragment a = Fragment::getMma16816A(&context),
           b = Fragment::getMma16816B(&context);
  for (int64_t lane = 0; lane < 32; ++lane)
    for (int64_t matrix = 0; matrix < 4; ++matrix)
      for (int64_t half = 0; half < 2; ++half) {
        // The first factor, as it lies.
        Fragment::Position start = getRow(true, 8 * matrix + lane / 4);
        EXPECT_EQ(a.getPosition(lane, 2 * matrix + half),
                  (Fragment::Position{start.row,
                                      start.column + lane % 4 * 2 + half}));
        // Keys [n, d]: the second factor [d, n], of n and of n + 8.
        start = getRow(false, 8 * matrix + lane / 4);
        Fragment::Position own = b.getPosition(lane, matrix % 2 * 2 + half);
        EXPECT_EQ(start.column + lane % 4 * 2 + half, own.row);
        EXPECT_EQ(start.row, own.column + matrix / 2 * 8);
        // Values [n, e], transposed as they are read.
        start = getRow(true, 8 * matrix + lane % 4 * 2 + half);
        EXPECT_EQ(start.row, own.row);
        EXPECT_EQ(start.column + lane / 4, own.column + matrix / 2 * 8);
      }
}

} // namespace
