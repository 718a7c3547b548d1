//===- Transforms.h - Tiling of attention as functions ----------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the passes and transform ops of tiling do to one op, for schedules of
// other compilers.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TILING_TRANSFORMS_H
#define RELATTN_TILING_TRANSFORMS_H

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "relattn/IR/RelAttn.h"

namespace mlir::relattn {

/// Threads of a GPU that share a row of a tile without matrix units, at most:
/// they read up to so many columns beyond its end.
constexpr int64_t kMaxRowPeers = 8;

/// The options of relattn-tile-attention, for f32; all are at least 1, `rows`
/// at least 0.
struct AttentionTileOptions {
  /// Queries of a panel, panels that share a block of keys (at most), keys of a
  /// block.
  int64_t lanes = 16, panels = 4, keys = 96;
  /// Up to so many queries (static) become rows; the keys of their blocks; the
  /// threads that want a block of queries or a part of the keys.
  int64_t rows = 8, rowKeys = 512, workers = 1;
  /// A dynamic number of queries is looked at when it is there: code for rows
  /// and for panels. Not if `rows` is 0, nor for workgroups.
  bool dynamicRows = false;
  /// Blocks of `lanes` queries for the workgroups of a GPU.
  bool workgroups = false;
  /// The GPU multiplies matrices of 16-bit factors.
  bool matrixUnits = true;
  /// For a CPU's matrix unit: factors in pairs of bf16 where there are many
  /// queries, weights as sums of so many, 1 to 3 (0: not).
  int64_t weightParts = 0;
  /// `relattn.prefetch` what a worker touches next; not for rows and
  /// workgroups.
  bool prefetch = false;
  /// What a workgroup without them has of shared memory; 0: as much as it
  /// wants.
  int64_t sharedBytes = 0;
};

/// Why an attention cannot be tiled; empty if it can.
StringRef getTilingObstacle(AttentionOp op, bool forWorkgroups = false);

/// Replaces an attention by `online_attention` in loops over workers: one
/// `scf.forall`, or one over parts of the keys and one that merges them, or, by
/// `dynamicRows`, one in each branch of an `scf.if`. Fails, without a change,
/// if there is an obstacle.
FailureOr<SmallVector<scf::ForallOp>>
tileAttention(RewriterBase &rewriter, AttentionOp op,
              const AttentionTileOptions &options);

/// Replaces a step, or a merge, by linalg; a step of a workgroup by what its
/// matrix units compute.
void decomposeAttention(RewriterBase &rewriter, OnlineAttentionOp op,
                        bool forWorkgroup = false);
void decomposeMerge(RewriterBase &rewriter, MergeOp op);

} // namespace mlir::relattn

#endif // RELATTN_TILING_TRANSFORMS_H
