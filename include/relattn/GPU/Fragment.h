//===- Fragment.h - Operands of matrix instructions in registers -*- C++
//-*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the elements of a matrix that one warp multiplies live: an affine map
// (lane)[register] -> (row, column), as data. What code has to know about an
// instruction follows from it: indices of elements, which lanes share a row,
// which registers of a result are which of the next operand.
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16" and "ldmatrix".
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_GPU_FRAGMENT_H
#define RELATTN_GPU_FRAGMENT_H

#include "mlir/IR/AffineMap.h"
#include "llvm/ADT/SmallVector.h"

namespace mlir::relattn {

class Fragment {
public:
  /// Of mma.m16n8k16 with 16-bit factors: A is [16, 16], B [k = 16, n = 8], and
  /// C, of 32 bits, [16, 8].
  static Fragment getMma16816A(MLIRContext *context);
  static Fragment getMma16816B(MLIRContext *context);
  static Fragment getMma16816C(MLIRContext *context);

  /// One element in each lane, a row in `peers` lanes (a power of two) that
  /// stand side by side: what threads without a matrix unit have.
  static Fragment getRowPerPeers(MLIRContext *context, int64_t peers);

  /// (lane)[register] -> (row, column).
  AffineMap getMap() const { return map; }
  int64_t getNumRegisters() const { return numRegisters; }
  int64_t getNumRows() const { return numRows; }
  int64_t getNumColumns() const { return numColumns; }
  static constexpr int64_t kNumLanes = 32;

  struct Position {
    int64_t row, column;
    bool operator==(const Position &other) const {
      return row == other.row && column == other.column;
    }
  };
  Position getPosition(int64_t lane, int64_t reg) const;

  /// Registers grouped by the row that they hold in every lane, in the order of
  /// their first register: for each register the number of its group.
  SmallVector<int64_t> getRowGroups() const;

  /// Masks m such that lanes l and l ^ m hold the same rows: exchanges over all
  /// of them reach every lane of a row.
  SmallVector<int64_t> getRowPeers() const;

  /// The register of this fragment that holds, in every lane, what `reg` of
  /// `other` holds `rows` and `columns` further on; none if there is none.
  std::optional<int64_t> find(const Fragment &other, int64_t reg, int64_t rows,
                              int64_t columns) const;

  /// The row of 8 elements, each 16 bits, that a lane names to ldmatrix for two
  /// by two matrices of 8 x 8: (lane) -> (row, column). Down the rows first, or
  /// along the columns first.
  static AffineMap getLdmatrixRows(MLIRContext *context, bool rowsFirst);

private:
  Fragment(AffineMap map, int64_t numRegisters, int64_t numRows,
           int64_t numColumns)
      : map(map), numRegisters(numRegisters), numRows(numRows),
        numColumns(numColumns) {}

  AffineMap map;
  int64_t numRegisters, numRows, numColumns;
};

} // namespace mlir::relattn

#endif // RELATTN_GPU_FRAGMENT_H
