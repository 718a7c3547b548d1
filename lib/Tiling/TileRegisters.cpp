//===- TileRegisters.cpp - Tiles of the register file ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream's tiling, fusion and peeling, and what they leave to be done:
// - Two SSA values for one extent keep peeling from proving that tiles are
//   full: sizes are folded to their origin first.
// - A producer that is fused and kept still computes into its old destination,
//   which costs a copy per tile: its slice is redirected to the tensor that the
//   loop carries.
// - Fusion leaves dead slices, and bounds that are sizes of the fused op.
//
//===----------------------------------------------------------------------===//

#include "TileKind.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "relattn/Tiling/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_TILEREGISTERS
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

/// The ops of a kind below `root`.
static SmallVector<TilingInterface> collect(Operation *root, TileKind kind) {
  SmallVector<TilingInterface> ops;
  root->walk([&](TilingInterface op) {
    if (getTileKind(op) == kind)
      ops.push_back(op);
  });
  return ops;
}

/// The tensor whose size decides that of `value`.
static Value getSizeOrigin(Value value) {
  while (true) {
    if (auto op = value.getDefiningOp<DestinationStyleOpInterface>())
      value = op.getTiedOpOperand(cast<OpResult>(value))->get();
    else if (auto insert = value.getDefiningOp<tensor::InsertSliceOp>())
      value = insert.getDest();
    else
      return value;
  }
}

namespace {

/// How an op is tiled: which producers join it, and which of these keep their
/// whole result.
struct Fusion {
  SmallVector<TileKind> fused, kept;
};

class RegisterTiler {
public:
  RegisterTiler(RewriterBase &rewriter, FunctionOpInterface function)
      : rewriter(rewriter), function(function) {}

  /// Tiles dimension `dim` of the op by the first of `sizes`; what remains by
  /// the next one.
  LogicalResult tileByFallingSizes(TilingInterface op, unsigned dim,
                                   ArrayRef<int64_t> sizes,
                                   const Fusion &fusion = {});
  FailureOr<SmallVector<LoopLikeOpInterface>> tile(TilingInterface op,
                                                   ArrayRef<int64_t> sizes);

private:
  using Loops = FailureOr<SmallVector<LoopLikeOpInterface>>;
  Loops tileAndFuse(TilingInterface op, ArrayRef<int64_t> sizes,
                    const Fusion &fusion);
  void redirectSizes(Value value);
  void keepInPlace(scf::ForOp loop, const Fusion &fusion);
  void foldSizes();
  SmallVector<OpFoldResult> getSizes(ArrayRef<int64_t> sizes) {
    return getAsIndexOpFoldResult(rewriter.getContext(), sizes);
  }

  RewriterBase &rewriter;
  FunctionOpInterface function;
};

} // namespace

RegisterTiler::Loops RegisterTiler::tile(TilingInterface op,
                                         ArrayRef<int64_t> sizes) {
  rewriter.setInsertionPoint(op);
  scf::SCFTilingOptions options;
  options.setTileSizes(getSizes(sizes));
  FailureOr<scf::SCFTilingResult> tiled =
      scf::tileUsingSCF(rewriter, op, options);
  if (failed(tiled))
    return op.emitOpError("cannot be tiled"), failure();
  rewriter.replaceOp(op, tiled->replacements);
  return tiled->loops;
}

/// Sizes of a fused value are those of its destination, which dominates.
void RegisterTiler::redirectSizes(Value value) {
  for (OpOperand &use : llvm::make_early_inc_range(value.getUses()))
    if (isa<tensor::DimOp>(use.getOwner()))
      rewriter.modifyOpInPlace(use.getOwner(),
                               [&] { use.set(getSizeOrigin(value)); });
}

/// Lets a fused op whose result is kept compute in the tensor that the loop
/// carries.
void RegisterTiler::keepInPlace(scf::ForOp loop, const Fusion &fusion) {
  for (Value yielded : loop.getBody()->getTerminator()->getOperands()) {
    auto insert = yielded.getDefiningOp<tensor::InsertSliceOp>();
    Operation *producer = insert ? insert.getSource().getDefiningOp() : nullptr;
    std::optional<TileKind> kind =
        producer ? getTileKind(producer) : std::nullopt;
    if (!kind || !llvm::is_contained(fusion.kept, *kind))
      continue;
    Value origin = getSizeOrigin(insert.getSource());
    auto slice = origin.getDefiningOp<tensor::ExtractSliceOp>();
    if (slice && loop->isAncestor(slice) &&
        slice.getSource().getType() == insert.getDest().getType())
      rewriter.modifyOpInPlace(
          slice, [&] { slice.getSourceMutable().assign(insert.getDest()); });
  }
}

RegisterTiler::Loops RegisterTiler::tileAndFuse(TilingInterface op,
                                                ArrayRef<int64_t> sizes,
                                                const Fusion &fusion) {
  rewriter.setInsertionPoint(op);
  scf::SCFTileAndFuseOptions options;
  scf::SCFTilingOptions tiling;
  tiling.setTileSizes(getSizes(sizes));
  options.setTilingOptions(tiling);
  using Control = scf::SCFTileAndFuseOptions::ControlFnResult;
  options.setFusionControlFn([&](tensor::ExtractSliceOp, OpResult producer,
                                 bool) -> std::optional<Control> {
    std::optional<TileKind> kind = getTileKind(producer.getOwner());
    if (!kind || !llvm::is_contained(fusion.fused, *kind))
      return std::nullopt;
    return Control{llvm::is_contained(fusion.kept, *kind)};
  });
  FailureOr<scf::SCFTileAndFuseResult> tiled =
      scf::tileConsumerAndFuseProducersUsingSCF(rewriter, op, options);
  if (failed(tiled))
    return op.emitOpError("cannot be tiled and fused"), failure();

  for (Operation *producer : tiled->fusedProducers)
    for (Value result : producer->getResults())
      redirectSizes(result);
  for (Value result : op->getResults())
    redirectSizes(result);
  for (auto [from, to] : tiled->replacements) {
    Operation *loop = to.getDefiningOp();
    rewriter.replaceUsesWithIf(from, to, [&](OpOperand &use) {
      return !loop->isAncestor(use.getOwner());
    });
  }
  rewriter.eraseOp(op);
  // The last one first: a producer may be read by another.
  SmallVector<Operation *> dead(tiled->fusedProducers.begin(),
                                tiled->fusedProducers.end());
  for (bool changed = true; changed;) {
    changed = false;
    for (Operation *&producer : dead) {
      if (!producer)
        continue;
      for (Operation *user : llvm::make_early_inc_range(producer->getUsers()))
        if (isa<tensor::ExtractSliceOp>(user) && user->use_empty())
          rewriter.eraseOp(user);
      if (!producer->use_empty())
        continue;
      rewriter.eraseOp(producer);
      producer = nullptr;
      changed = true;
    }
  }
  keepInPlace(cast<scf::ForOp>(tiled->loops.back().getOperation()), fusion);
  return tiled->loops;
}

void RegisterTiler::foldSizes() {
  SmallVector<tensor::DimOp> sizes;
  function->walk([&](tensor::DimOp op) { sizes.push_back(op); });
  for (tensor::DimOp op : sizes) {
    Value origin = getSizeOrigin(op.getSource());
    if (origin != op.getSource())
      rewriter.modifyOpInPlace(op,
                               [&] { op.getSourceMutable().assign(origin); });
    SmallVector<OpFoldResult> folded;
    if (failed(op->fold(folded)) || folded.size() != 1)
      continue;
    rewriter.setInsertionPoint(op);
    rewriter.replaceOp(
        op, getValueOrCreateConstantIndexOp(rewriter, op.getLoc(), folded[0]));
  }
}

LogicalResult RegisterTiler::tileByFallingSizes(TilingInterface op,
                                                unsigned dim,
                                                ArrayRef<int64_t> sizes,
                                                const Fusion &fusion) {
  std::optional<TileKind> kind = getTileKind(op);
  // A static dimension may be smaller than a register tile.
  auto generic = cast<linalg::LinalgOp>(op.getOperation());
  int64_t extent = generic.getStaticLoopRanges()[dim];
  while (ShapedType::isStatic(extent) && sizes.size() > 1 &&
         sizes.front() > extent)
    sizes = sizes.drop_front();
  SmallVector<int64_t> tileSizes(op.getLoopIteratorTypes().size(), 0);
  tileSizes[dim] = sizes.front();
  Loops loops = fusion.fused.empty() ? tile(op, tileSizes)
                                     : tileAndFuse(op, tileSizes, fusion);
  if (failed(loops))
    return failure();
  auto loop = cast<scf::ForOp>(loops->front().getOperation());
  foldSizes();
  scf::ForOp rest;
  if (failed(scf::peelForLoopAndSimplifyBounds(rewriter, loop, rest)))
    return success();
  // A static remainder is one smaller tile once it is canonicalised.
  if (sizes.size() == 1)
    return success();
  for (TilingInterface part : collect(rest, *kind))
    if (failed(tileByFallingSizes(part, dim, sizes.drop_front(), fusion)))
      return failure();
  return success();
}

namespace {
struct TileRegisters : public relattn::impl::TileRegistersBase<TileRegisters> {
  using TileRegistersBase::TileRegistersBase;

  void runOnOperation() override {
    FunctionOpInterface function = getOperation();
    if (rows < 1 || vectorBits < 64) {
      function->emitError("expected at least one row and vectors of 64 bits");
      return signalPassFailure();
    }
    IRRewriter rewriter(&getContext());
    RegisterTiler tiler(rewriter, function);
    if (failed(reduction ? tileReductions(tiler) : tileRows(tiler)))
      signalPassFailure();
  }

  LogicalResult tileReductions(RegisterTiler &tiler) {
    // A row of the strip is contiguous, a tile is not.
    for (TilingInterface op : collect(getOperation(), TileKind::Bias)) {
      if (!isa<linalg::GenericOp>(op.getOperation()))
        continue;
      auto loops = tiler.tile(op, {1, 0});
      if (failed(loops))
        return failure();
      // The rows of a register tile one by one: they are its accumulators.
      auto loop = cast<scf::ForOp>(loops->front().getOperation());
      std::optional<llvm::APInt> count = loop.getStaticTripCount();
      if (count && count->ule(kMaxAccumulatorRows))
        (void)loopUnrollFull(loop);
    }
    auto tileBy = [&](TileKind kind, ArrayRef<int64_t> sizes) {
      return llvm::all_of(
          collect(getOperation(), kind),
          [&](TilingInterface op) { return succeeded(tiler.tile(op, sizes)); });
    };
    for (TilingInterface op : collect(getOperation(), TileKind::Exp)) {
      auto generic = cast<linalg::GenericOp>(op.getOperation());
      if (generic.getStaticLoopRanges()[0] != 1 &&
          failed(tiler.tile(sumApart(generic), {1, 0})))
        return failure();
    }
    for (TilingInterface op : collect(getOperation(), TileKind::Dots)) {
      // As many parts as divide them.
      int64_t all =
          cast<linalg::LinalgOp>(op.getOperation()).getStaticLoopRanges()[1];
      int64_t parts = std::min(all, kMaxParts);
      while (all % parts != 0)
        --parts;
      if (failed(tiler.tile(op, {0, parts})))
        return failure();
    }
    if (!tileBy(TileKind::RowValues, {0, 1}))
      return failure();
    for (TileKind kind : {TileKind::Scores, TileKind::Values})
      for (TilingInterface op : collect(getOperation(), kind))
        if (failed(tiler.tile(op, {0, 0, 1})))
          return failure();
    return success();
  }

  /// The weights of a few rows are summed from zero, and this sum joins the
  /// running one: the error grows with their number and that of the sums, not
  /// with the number of keys.
  static TilingInterface sumApart(linalg::GenericOp op) {
    IRRewriter rewriter(op);
    Location loc = op.getLoc();
    Value running = op.getDpsInits()[1];
    auto type = cast<RankedTensorType>(running.getType());
    Value zero = arith::ConstantOp::create(
        rewriter, loc, rewriter.getFloatAttr(type.getElementType(), 0.0));
    Value empty = tensor::EmptyOp::create(rewriter, loc, type.getShape(),
                                          type.getElementType());
    auto fill = linalg::FillOp::create(rewriter, loc, zero, empty);
    setTileKind(fill, TileKind::Row);
    auto part = cast<linalg::GenericOp>(rewriter.clone(*op));
    part.getDpsInitsMutable()[1].assign(fill.getResult(0));
    AffineMap row = rewriter.getMultiDimIdentityMap(1);
    auto sum = linalg::GenericOp::create(
        rewriter, loc, type, part.getResult(1), running,
        ArrayRef<AffineMap>{row, row}, utils::IteratorType::parallel,
        [&](OpBuilder &b, Location bodyLoc, ValueRange args) {
          Value sum = arith::AddFOp::create(b, bodyLoc, args[1], args[0]);
          linalg::YieldOp::create(b, bodyLoc, sum);
        });
    setTileKind(sum, TileKind::Row);
    rewriter.replaceOp(op, {part.getResult(0), sum.getResult(0)});
    return cast<TilingInterface>(part.getOperation());
  }

  LogicalResult tileRows(RegisterTiler &tiler) {
    Operation *root = getOperation();
    SmallVector<int64_t> sizes = {rows};
    for (int64_t size : {2, 1})
      if (size < sizes.back())
        sizes.push_back(size);
    auto forEach = [&](ArrayRef<TileKind> kinds, auto tileOne) {
      for (TileKind kind : kinds)
        for (TilingInterface op : collect(root, kind))
          if (failed(tileOne(op)))
            return failure();
      return success();
    };
    using Kind = TileKind;
    auto byRow = [&](TilingInterface op) -> LogicalResult {
      SmallVector<int64_t> one(op.getLoopIteratorTypes().size(), 0);
      one[0] = 1;
      return success(succeeded(tiler.tile(op, one)));
    };
    for (TilingInterface op : collect(root, Kind::Maximum)) {
      Operation *scores = op->getOperand(0).getDefiningOp();
      if (scores && getTileKind(scores) == Kind::Scores) {
        // The last keys of part of a panel, which one block of queries meets,
        // are not worth a function for two of them.
        SmallVector<int64_t> own = sizes;
        if (isPartOfPanel(cast<linalg::LinalgOp>(op.getOperation()), rows))
          own = {rows, 1};
        if (failed(tiler.tileByFallingSizes(
                op, 0, own, {{Kind::Scores, Kind::Bias}, {Kind::Scores}})))
          return failure();
        continue;
      }
      // Where a mask stands between, without the maximum. There peeling cannot
      // prove the tiles of a third size full.
      if (auto product = findScores(op->getOperand(0));
          product && failed(tiler.tileByFallingSizes(product, 0, {rows, 1},
                                                     {{Kind::Bias}, {}})))
        return failure();
      if (failed(byRow(op)))
        return failure();
    }
    // Key after key, so that memory is read in its order. Eight keys at a time
    // LLVM interleaves, and prefetching loses its way between their rows: a
    // third of the speed of memory (Zen 4, N = 8192).
    if (failed(forEach({Kind::DotsSum},
                       [&](TilingInterface op) {
                         return tiler.tileByFallingSizes(
                             op, 0, {1}, {{Kind::Dots, Kind::DotsZero}, {}});
                       })) ||
        failed(forEach(
            {Kind::Rescale},
            [&](TilingInterface op) {
              Fusion fusion{{Kind::Values, Kind::RowValues, Kind::Zero}, {}};
              if (op.getLoopIteratorTypes().size() == 2)
                return tiler.tileByFallingSizes(op, 0, {rows}, fusion);
              Type type = getElementTypeOrSelf(op->getResult(0));
              return tiler.tileByFallingSizes(
                  op, 0,
                  getHalves(kRowRegisters * vectorBits /
                            type.getIntOrFloatBitWidth()),
                  fusion);
            })) ||
        failed(forEach({Kind::Exp},
                       [&](TilingInterface op) {
                         return tiler.tileByFallingSizes(op, 0, {kSumRows, 1});
                       })) ||
        failed(forEach({Kind::Fill, Kind::Copy, Kind::Split, Kind::ExpSplit},
                       byRow)) ||
        failed(forEach({Kind::FillPanels}, [&](TilingInterface op) {
          return success(succeeded(tiler.tile(op, {1, 1, 0})));
        })))
      return failure();
    // Both dimensions may be dynamic: one chain each.
    for (unsigned dim : {1u, 0u})
      if (failed(forEach({Kind::Mask, Kind::Pack}, [&](TilingInterface op) {
            return tiler.tileByFallingSizes(op, dim, {8, 1});
          })))
        return failure();
    return success();
  }

  /// No register tile has more; a bias that nobody tiled stays a loop.
  static constexpr uint64_t kMaxAccumulatorRows = 16;

  /// Parts of d in one register tile of a single query's products.
  static constexpr int64_t kMaxParts = 8;

  /// Rows of weights that are summed before they join the running sum.
  static constexpr int64_t kSumRows = 8;

  /// Accumulators of a single query's product with the values.
  static constexpr int64_t kRowRegisters = 8;

  /// size, size / 2, ..., 1.
  static SmallVector<int64_t> getHalves(int64_t size) {
    SmallVector<int64_t> sizes;
    for (; size >= 1; size /= 2)
      sizes.push_back(size);
    return sizes;
  }

  /// Whether a maximum of at least `rows` keys is over fewer lanes than another
  /// branch of an `scf.if` among its workers.
  static bool isPartOfPanel(linalg::LinalgOp op, int64_t rows) {
    auto branch = op->getParentOfType<scf::IfOp>();
    SmallVector<int64_t> extents = op.getStaticLoopRanges();
    if (!branch || extents.size() != 2 ||
        branch->getParentOfType<scf::ForallOp>() !=
            op->getParentOfType<scf::ForallOp>() ||
        (ShapedType::isStatic(extents[0]) && extents[0] < rows))
      return false;
    WalkResult whole = branch.walk([&](linalg::LinalgOp other) {
      return getTileKind(other) == TileKind::Maximum &&
                     other.getStaticLoopRanges().size() == 2 &&
                     other.getStaticLoopRanges()[1] > extents[1]
                 ? WalkResult::interrupt()
                 : WalkResult::advance();
    });
    return whole.wasInterrupted();
  }

  /// The product of scores behind masks.
  static TilingInterface findScores(Value scores) {
    while (Operation *op = scores.getDefiningOp()) {
      std::optional<TileKind> kind = getTileKind(op);
      if (kind == TileKind::Scores)
        return cast<TilingInterface>(op);
      if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
        scores = insert.getDest();
      else if (kind == TileKind::Mask)
        scores = cast<linalg::LinalgOp>(op).getDpsInits().front();
      else
        return {};
    }
    return {};
  }
};
} // namespace
