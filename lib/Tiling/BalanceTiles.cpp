//===- BalanceTiles.cpp - Dynamic schedules of tile loops -----------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the pass.
//
//===----------------------------------------------------------------------===//

#include "OutlineTiles.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "relattn/Tiling/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_BALANCETILES
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;

namespace {
struct BalanceTiles : public relattn::impl::BalanceTilesBase<BalanceTiles> {
  using BalanceTilesBase::BalanceTilesBase;

  void runOnOperation() override {
    getOperation()->walk([&](omp::WsloopOp loop) {
      WalkResult found = loop->walk([&](func::CallOp call) {
        return call.getCallee().starts_with(relattn::kOutlinedTile)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      });
      if (found.wasInterrupted())
        loop.setScheduleKind(omp::ClauseScheduleKind::Dynamic);
    });
  }
};
} // namespace
