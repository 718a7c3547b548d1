//===- ConvertTilesToGPU.cpp - Loops over workgroups to kernels -----------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TileEmitter.h.
//
//===----------------------------------------------------------------------===//

#include "../Tiling/ExpandExp.h"
#include "TileEmitter.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"
#include "relattn/GPU/Passes.h"
#include "relattn/Tiling/Transforms.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_CONVERTTILESTOGPU
#include "relattn/GPU/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

namespace {
/// What the threads of the simt schedule share: rows and keys of a tile, d and
/// e, and registers of 32 bits for an element.
struct SimtTile {
  int64_t rows = 0, keys = 0, depth = 0, width = 0, words = 1;
};
} // namespace

/// Rows of a thread and threads of a row, such that output and scores lie in
/// registers and the least is read of shared memory: it gives the threads of a
/// multiprocessor one element, or four of one row, where they take four
/// multiply-adds.
static void shareRows(Schedule &schedule, const SimtTile &tile,
                      int64_t maxPeers) {
  constexpr int64_t kMaxRegisters = 144, kMaxRows = 4;
  maxPeers = std::min(maxPeers, kMaxRowPeers);
  int64_t minThreads = std::min<int64_t>(64, tile.rows);
  schedule.rows = tile.rows;
  std::optional<std::pair<int64_t, int64_t>> least;
  for (int64_t peers = 1; peers <= maxPeers && tile.keys % peers == 0;
       peers *= 2)
    for (int64_t rows = 1; rows <= kMaxRows; rows *= 2) {
      // Peers exchange within whole warps.
      bool isWhole = tile.rows % (Fragment::kNumLanes / peers * rows) == 0;
      if ((!isWhole && peers * rows > 1) ||
          tile.rows * peers / rows < minThreads)
        continue;
      // Of a thread, for a tile.
      int64_t keys = tile.keys / peers,
              width = llvm::divideCeil(tile.width, peers);
      int64_t registers = rows * (width + keys) * tile.words;
      int64_t reads = tile.depth * (rows + keys) + tile.keys * (rows + width);
      std::pair cost = {std::max<int64_t>(registers - kMaxRegisters, 0),
                        reads * peers * kMaxRows / rows};
      if (least && cost >= *least)
        continue;
      least = cost;
      schedule.peers = peers;
      schedule.rowTiles = rows;
    }
}

namespace {
struct ConvertTilesToGPU
    : public relattn::impl::ConvertTilesToGPUBase<ConvertTilesToGPU> {
  using ConvertTilesToGPUBase::ConvertTilesToGPUBase;

  /// By the types and sizes of the products, as relattn-tile-attention has made
  /// them.
  Schedule getSchedule(scf::ForallOp loop) {
    Schedule schedule;
    schedule.warps = warps;
    schedule.rowTiles = rowTiles;
    schedule.target = target;
    schedule.hasAsyncCopies = hasMatrixUnits && target == GPUTarget::NVVM;
    schedule.maxSharedBytes = sharedBytes;
    bool fits = schedule.hasAsyncCopies; // NVIDIA's matrix units
    SimtTile tile;
    loop->walk([&](linalg::GenericOp op) {
      std::optional<TileKind> kind = getTileKind(op);
      if (kind != TileKind::Scores && kind != TileKind::Values)
        return;
      auto factor = cast<MemRefType>(op.getDpsInputs()[1].getType());
      // d of the products over (m, n, d), e of those over (m, e, n).
      unsigned column = kind == TileKind::Scores ? 2 : 1;
      AffineMap map = op.getIndexingMapsArray()[1];
      auto place =
          map.getResultPosition(getAffineDimExpr(column, op.getContext()));
      int64_t size =
          place && !factor.isDynamicDim(*place) ? factor.getDimSize(*place) : 0;
      fits &= factor.getElementTypeBitWidth() == 16 && size % 16 == 0 &&
              size <= Schedule::kMaxMmaColumns;
      auto result = cast<MemRefType>(op.getDpsInits()[0].getType());
      tile.rows = result.getDimSize(0);
      tile.words = result.getElementTypeBitWidth() / 32;
      if (kind == TileKind::Scores) {
        tile.keys = std::max(tile.keys, result.getDimSize(1));
        tile.depth = size;
      } else {
        tile.width = size;
      }
    });
    if (fits || tile.rows == 0)
      return schedule;
    schedule.kind = Schedule::Simt;
    // SPIR-V has no exchange among threads that every driver takes.
    int64_t maxPeers = target == GPUTarget::SPIRV ? 1 : Fragment::kNumLanes;
    shareRows(schedule, tile, maxPeers);
    return schedule;
  }

  void runOnOperation() override {
    if (warps < 1 || warps > 32 || rowTiles < 1) {
      getOperation()->emitError(
          "expected 1 to 32 warps and at least 1 row tile");
      return signalPassFailure();
    }
    // A hint that nobody takes here.
    getOperation()->walk([](PrefetchOp op) { op.erase(); });
    SmallVector<scf::ForallOp> loops;
    getOperation()->walk<WalkOrder::PreOrder>([&](scf::ForallOp loop) {
      loops.push_back(loop);
      return WalkResult::skip();
    });
    for (scf::ForallOp loop : loops) {
      OpBuilder builder(loop);
      Schedule schedule = getSchedule(loop);
      TileEmitter emitter(loop, builder, schedule);
      if (std::optional<EmitFailure> failure = emitter.emit()) {
        failure->op->emitError("the ")
            << schedule.getName() << " schedule cannot take "
            << failure->reason;
        return signalPassFailure();
      }
      loop.erase();
    }
    RewritePatternSet patterns(&getContext());
    bool isSPIRV = target == GPUTarget::SPIRV;
    populateExpandExpPatterns(patterns, /*hasFMA=*/!isSPIRV,
                              /*selectsLast=*/isSPIRV);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
