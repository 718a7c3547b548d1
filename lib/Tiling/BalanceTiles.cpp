//===- BalanceTiles.cpp - Tiles to threads one by one ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the pass. Counters of its own, since LLVM's run-time library takes 5 us
// for a loop of `schedule(dynamic)`, two threads and 16 iterations, and 0.5 us
// for the rest of a parallel region: a decode step takes 35 us.
//
// A range for each thread instead of one for all (two threads, Granite Rapids):
// 512 queries 1.04 times as fast, causal 1.06, 2048 1.01; with copies of keys
// and values, which a thread makes of the heads that it will read, 1.10 and
// 1.03, and in pairs for a matrix unit 1.3 and 1.09.
//
//===----------------------------------------------------------------------===//

#include "OutlineTiles.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "relattn/Tiling/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_BALANCETILES
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;

/// Whether a function of tiles is called.
static bool reachesTile(Operation *op) {
  return op
      ->walk([](func::CallOp call) {
        return call.getCallee().starts_with(relattn::kOutlinedTile)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

/// The loop that is all of a parallel region, as upstream's conversion of
/// scf.parallel makes it, whose clauses say nothing; else null.
static omp::LoopNestOp getOnlyLoop(omp::ParallelOp parallel) {
  if (!parallel.getRegion().hasOneBlock())
    return {};
  auto worksharing =
      dyn_cast<omp::WsloopOp>(parallel.getRegion().front().front());
  if (!worksharing || !isa<omp::TerminatorOp>(worksharing->getNextNode()) ||
      worksharing->getNumOperands() != 0 || worksharing.getScheduleKind() ||
      worksharing.getOrdered())
    return {};
  auto loop =
      dyn_cast<omp::LoopNestOp>(worksharing.getRegion().front().front());
  if (!loop || loop.getLoopInclusive() || !loop.getRegion().hasOneBlock() ||
      loop.getCollapseNumLoops() != loop.getNumLoops() || loop.getTileSizes() ||
      !llvm::all_of(loop->getOperandTypes(), llvm::IsaPred<IndexType>))
    return {};
  return loop;
}

/// The region at whose beginning the buffers of a thread around `op` stand;
/// null if there may be several threads in it.
static Region *getOwnScope(Operation *op) {
  while (Operation *parent = op->getParentOp()) {
    if (isa<FunctionOpInterface, omp::OutlineableOpenMPOpInterface>(parent))
      return op->getParentRegion();
    if (parent->hasTrait<OpTrait::HasParallelRegion>())
      return nullptr;
    op = parent;
  }
  return nullptr;
}

namespace {
/// What OpenMP's run-time library says of the thread that asks.
struct ThreadFunctions {
  func::FuncOp threadNum, numThreads;
};

/// A parallel region whose threads take the next iteration when they are done
/// with one: of their own range of them, which keeps a head's keys in the
/// caches of one thread, as long as it has some, then of the next one's.
class Balancer {
public:
  Balancer(omp::ParallelOp parallel, omp::LoopNestOp loop,
           const ThreadFunctions &runtime, IRRewriter &rewriter)
      : parallel(parallel), loop(loop), runtime(runtime), b(rewriter),
        loc(loop.getLoc()) {}

  /// By branches: the scope of a body's buffers becomes several blocks before
  /// loops do.
  void balance() {
    createCounters();
    Operation *worksharing = loop->getParentOp();
    Block *entry = worksharing->getBlock();
    Block *exit = b.splitBlock(entry, std::next(worksharing->getIterator()));
    Type index = b.getIndexType();
    Block *range = b.createBlock(exit, index, loc), *next = b.createBlock(exit),
          *take = b.createBlock(exit), *iteration = b.createBlock(exit);
    b.setInsertionPointToEnd(entry);
    Value first, numRanges;
    std::tie(first, numRanges) = createRanges();
    cf::BranchOp::create(b, loc, range, zero);

    // The next range, or the end.
    b.setInsertionPointToEnd(range);
    Value turn = range->getArgument(0);
    Value isRange = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                          turn, numRanges);
    cf::CondBranchOp::create(b, loc, isRange, next, exit);
    b.setInsertionPointToEnd(next);
    Value own = arith::RemSIOp::create(
        b, loc, arith::AddIOp::create(b, loc, first, turn), numRanges);
    auto getBegin = [&](Value number) -> Value {
      Value begin = arith::MulIOp::create(b, loc, count, number);
      return arith::DivSIOp::create(b, loc, begin, numRanges);
    };
    Value begin = getBegin(own),
          end = getBegin(arith::AddIOp::create(b, loc, own, one));
    Value place = arith::MulIOp::create(b, loc, own, number(kCacheLine / 8));
    cf::BranchOp::create(b, loc, take);

    b.setInsertionPointToEnd(take);
    Value step = arith::ConstantIntOp::create(b, loc, 1, 64);
    Value taken = memref::AtomicRMWOp::create(
        b, loc, arith::AtomicRMWKind::addi, step, counters, place);
    taken = arith::IndexCastOp::create(b, loc, index, taken);
    taken = arith::AddIOp::create(b, loc, begin, taken);
    Value isThere =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, taken, end);
    Value nextTurn = arith::AddIOp::create(b, loc, turn, one);
    cf::CondBranchOp::create(b, loc, isThere, iteration, ValueRange(), range,
                             nextTurn);

    b.setInsertionPointToEnd(iteration);
    SmallVector<Value> ivs = getIVs(taken);
    auto back = cf::BranchOp::create(b, loc, take);
    Block *body = &loop.getRegion().front();
    b.eraseOp(body->getTerminator());
    b.inlineBlockBefore(body, back, ivs);
    b.eraseOp(worksharing);
  }

private:
  static constexpr int64_t kCacheLine = 64;
  /// Ranges at most: each thread looks at all of them once.
  static constexpr int64_t kMaxRanges = 8;

  Value number(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }

  /// Before the region: the number of iterations, and how many are taken of
  /// each range, on cache lines of their own. A loop around has them for all
  /// turns; each thread of a region around has its own.
  void createCounters() {
    b.setInsertionPointToStart(&getOwnScope(parallel)->front());
    auto lines = MemRefType::get({kMaxRanges * kCacheLine / 8}, b.getI64Type());
    counters = memref::AllocaOp::create(b, loc, lines,
                                        b.getI64IntegerAttr(kCacheLine));

    b.setInsertionPoint(parallel);
    zero = number(0);
    one = number(1);
    Value none = arith::ConstantIntOp::create(b, loc, 0, 64);
    for (int64_t range = 0; range < kMaxRanges; ++range)
      memref::StoreOp::create(b, loc, none, counters,
                              number(range * kCacheLine / 8));
    count = one;
    for (auto [lower, upper, step] :
         llvm::zip(loop.getLoopLowerBounds(), loop.getLoopUpperBounds(),
                   loop.getLoopSteps())) {
      Value length = b.createOrFold<arith::SubIOp>(loc, upper, lower);
      Value extent = b.createOrFold<arith::CeilDivSIOp>(loc, length, step);
      extents.push_back(b.createOrFold<arith::MaxSIOp>(loc, extent, zero));
      count = b.createOrFold<arith::MulIOp>(loc, count, extents.back());
    }
  }

  /// The range that the thread begins with, and their number: one for each
  /// thread, or for some that are neighbours.
  std::pair<Value, Value> createRanges() {
    auto ask = [&](func::FuncOp function) -> Value {
      auto call = func::CallOp::create(b, loc, function);
      return arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                        call.getResult(0));
    };
    Value thread = ask(runtime.threadNum), threads = ask(runtime.numThreads);
    Value ranges = arith::MinSIOp::create(b, loc, threads, number(kMaxRanges));
    Value first = arith::MulIOp::create(b, loc, thread, ranges);
    return {arith::DivSIOp::create(b, loc, first, threads), ranges};
  }

  /// Of one iteration, the last loop fastest.
  SmallVector<Value> getIVs(Value rest) {
    SmallVector<Value> ivs(extents.size());
    for (size_t i = extents.size(); i-- > 0;) {
      Value number = rest;
      if (i > 0) {
        number = b.createOrFold<arith::RemSIOp>(loc, rest, extents[i]);
        rest = b.createOrFold<arith::DivSIOp>(loc, rest, extents[i]);
      }
      Value distance =
          b.createOrFold<arith::MulIOp>(loc, number, loop.getLoopSteps()[i]);
      ivs[i] = b.createOrFold<arith::AddIOp>(loc, loop.getLoopLowerBounds()[i],
                                             distance);
    }
    return ivs;
  }

  omp::ParallelOp parallel;
  omp::LoopNestOp loop;
  ThreadFunctions runtime;
  IRRewriter &b;
  Location loc;
  Value counters, count, zero, one;
  SmallVector<Value> extents;
};

struct BalanceTiles : public relattn::impl::BalanceTilesBase<BalanceTiles> {
  using BalanceTilesBase::BalanceTilesBase;

  void runOnOperation() override {
    SmallVector<std::pair<omp::ParallelOp, omp::LoopNestOp>> found;
    getOperation()->walk([&](omp::ParallelOp parallel) {
      if (!reachesTile(parallel) || !getOwnScope(parallel) ||
          SymbolTable::getNearestSymbolTable(parallel) != getOperation())
        return;
      if (omp::LoopNestOp loop = getOnlyLoop(parallel))
        found.push_back({parallel, loop});
    });
    if (found.empty())
      return;
    constexpr StringLiteral kThreadNum = "omp_get_thread_num",
                            kNumThreads = "omp_get_num_threads";
    if (!mayDeclare(kThreadNum) || !mayDeclare(kNumThreads))
      return;
    ThreadFunctions runtime = {declare(kThreadNum), declare(kNumThreads)};
    IRRewriter rewriter(&getContext());
    for (auto [parallel, loop] : found)
      Balancer(parallel, loop, runtime, rewriter).balance();
  }

  FunctionType getType() {
    return FunctionType::get(&getContext(), {},
                             IntegerType::get(&getContext(), 32));
  }

  /// Whether the program has nothing else of that name.
  bool mayDeclare(StringRef name) {
    Operation *known = SymbolTable::lookupSymbolIn(getOperation(), name);
    auto function = dyn_cast_if_present<func::FuncOp>(known);
    return !known || (function && function.isExternal() &&
                      function.getFunctionType() == getType());
  }

  /// The function of that name, i32().
  func::FuncOp declare(StringRef name) {
    if (auto known = getOperation().lookupSymbol<func::FuncOp>(name))
      return known;
    OpBuilder b(&getContext());
    b.setInsertionPointToStart(getOperation().getBody());
    auto function =
        func::FuncOp::create(b, getOperation().getLoc(), name, getType());
    function.setPrivate();
    return function;
  }
};
} // namespace
