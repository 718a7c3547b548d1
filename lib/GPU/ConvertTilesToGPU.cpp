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

namespace mlir::relattn {
#define GEN_PASS_DEF_CONVERTTILESTOGPU
#include "relattn/GPU/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

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
    schedule.maxSharedBytes = sharedBytes;
    bool fits = hasMatrixUnits;
    int64_t rows = 0, keys = 0, registers = 0;
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
      rows = result.getDimSize(0);
      if (kind == TileKind::Scores)
        keys = std::max(keys, result.getDimSize(1));
      else
        registers = size * result.getElementTypeBitWidth() / 32;
    });
    if (fits || rows == 0)
      return schedule;
    schedule.kind = Schedule::Simt;
    schedule.rows = rows;
    schedule.rowTiles = 1;
    // What one thread can hold of the output. SPIR-V has no exchange among
    // threads that every driver takes.
    constexpr int64_t kMaxRegisters = 64;
    if (target == GPUTarget::SPIRV || registers <= kMaxRegisters)
      return schedule;
    auto isEnough = [&]() {
      return registers <= kMaxRegisters * schedule.peers &&
             rows * schedule.peers % Fragment::kNumLanes == 0;
    };
    // Peers exchange within whole warps.
    while (!isEnough() && schedule.peers < Fragment::kNumLanes &&
           keys % (2 * schedule.peers) == 0)
      schedule.peers *= 2;
    if (rows * schedule.peers % Fragment::kNumLanes != 0)
      schedule.peers = 1;
    return schedule;
  }

  void runOnOperation() override {
    if (warps < 1 || warps > 32 || rowTiles < 1) {
      getOperation()->emitError(
          "expected 1 to 32 warps and at least 1 row tile");
      return signalPassFailure();
    }
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
