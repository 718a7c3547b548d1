//===- VectorizeTiles.cpp - Register tiles as vectors ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Upstream's vectoriser and pattern sets, in the order that leaves one
// vector.contract per register tile with its accumulators carried around the
// loop, and three repairs:
// - The broadcast operand of a product is read by scalars: a vector of 6
//   numbers splits in 4 + 2 and spills (1.86 times slower).
// - A running maximum is a comparison and a choice, which is one instruction
//   and says what happens to NaN; arith.maximumf without nnan is three.
// - The strip's rows are the first accumulators of a tile. Through the scores'
//   buffer and then the stack, as arguments of the outlined tile, the bias cost
//   5 % of the kernel, now 0 to 1 % (1 to 3 on Intel's AVX-512). (Read from one
//   aligned place, as a tile inside one interval of offsets could be, it cost
//   as much: loads that cross cache lines are not what is to be saved.)
//
//===----------------------------------------------------------------------===//

#include "../Transforms/ScoresTrace.h"
#include "OpaqueIndices.h"
#include "OutlineTiles.h"
#include "TileKind.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/LoopInvariantCodeMotionUtils.h"
#include "relattn/Tiling/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_VECTORIZETILES
#include "relattn/Tiling/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;

namespace {

/// The running maximum of a tile as comparisons and choices, a > b ? a : b.
/// Only there: the same done to a maximum of the program's would drop a NaN.
/// Here the NaN reaches its row by the exponential.
void expandMaximum(RewriterBase &rewriter, Value vectorised) {
  auto write = vectorised.getDefiningOp<vector::TransferWriteOp>();
  auto reduction =
      write ? write.getVector().getDefiningOp<vector::MultiDimReductionOp>()
            : vector::MultiDimReductionOp();
  if (!reduction || reduction.getKind() != vector::CombiningKind::MAXIMUMF ||
      reduction.getSourceVectorType().getRank() != 2 ||
      reduction.getReductionDims() != ArrayRef<int64_t>{0})
    return;
  rewriter.setInsertionPoint(reduction);
  Location loc = reduction.getLoc();
  Value maximum = reduction.getAcc();
  for (int64_t row = 0; row < reduction.getSourceVectorType().getDimSize(0);
       ++row) {
    Value scores =
        vector::ExtractOp::create(rewriter, loc, reduction.getSource(), row);
    Value greater = arith::CmpFOp::create(
        rewriter, loc, arith::CmpFPredicate::OGT, scores, maximum);
    maximum = arith::SelectOp::create(rewriter, loc, greater, scores, maximum);
  }
  rewriter.replaceOp(reduction, maximum);
}

/// The reduction that a vectorised tile writes, if it is one of sums along
/// `dim`.
vector::MultiDimReductionOp getSum(Value vectorised, int64_t dim) {
  auto write = vectorised.getDefiningOp<vector::TransferWriteOp>();
  auto reduction =
      write ? write.getVector().getDefiningOp<vector::MultiDimReductionOp>()
            : vector::MultiDimReductionOp();
  if (!reduction || reduction.getKind() != vector::CombiningKind::ADD ||
      reduction.getReductionDims() != ArrayRef<int64_t>{dim})
    return {};
  return reduction;
}

/// Partial sums of the products of one key, [1, parts of d, lanes]: no
/// contraction, whose lanes would be lanes of both operands and be unrolled.
void expandDots(RewriterBase &rewriter, Value vectorised) {
  vector::MultiDimReductionOp reduction = getSum(vectorised, 1);
  auto product = reduction
                     ? reduction.getSource().getDefiningOp<arith::MulFOp>()
                     : arith::MulFOp();
  auto type =
      reduction ? dyn_cast<VectorType>(reduction.getType()) : VectorType();
  if (!product || !type || type.getRank() != 2 || type.getDimSize(0) != 1)
    return;
  rewriter.setInsertionPoint(reduction);
  Location loc = reduction.getLoc();
  auto extract = [&](Value vector, ArrayRef<int64_t> place) -> Value {
    return vector::ExtractOp::create(rewriter, loc, vector, place);
  };
  Value sum = extract(reduction.getAcc(), {0});
  for (int64_t part : llvm::seq(reduction.getSourceVectorType().getDimSize(1)))
    sum = vector::FMAOp::create(rewriter, loc,
                                extract(product.getLhs(), {0, part}),
                                extract(product.getRhs(), {0, part}), sum);
  rewriter.replaceOpWithNewOp<vector::BroadcastOp>(reduction, type, sum);
}

/// The sum across the lanes of one key, as a tree.
void expandDotsSum(RewriterBase &rewriter, Value vectorised) {
  vector::MultiDimReductionOp reduction = getSum(vectorised, 1);
  auto type =
      reduction ? dyn_cast<VectorType>(reduction.getType()) : VectorType();
  if (!type || type.getRank() != 1 || type.getDimSize(0) != 1)
    return;
  rewriter.setInsertionPoint(reduction);
  Location loc = reduction.getLoc();
  Value lanes = vector::ExtractOp::create(rewriter, loc, reduction.getSource(),
                                          ArrayRef<int64_t>{0});
  Value sum =
      vector::ReductionOp::create(rewriter, loc, vector::CombiningKind::ADD,
                                  lanes, arith::FastMathFlags::reassoc);
  sum = vector::BroadcastOp::create(rewriter, loc, type, sum);
  rewriter.replaceOpWithNewOp<arith::AddFOp>(reduction, reduction.getAcc(),
                                             sum);
}

struct VectorizeTiles
    : public relattn::impl::VectorizeTilesBase<VectorizeTiles> {
  using VectorizeTilesBase::VectorizeTilesBase;

  void runOnOperation() override {
    bool hasTiles = false;
    getOperation()->walk(
        [&](linalg::LinalgOp op) { hasTiles |= getTileKind(op).has_value(); });
    if (!hasTiles)
      return;
    IRRewriter rewriter(&getContext());
    vectorize(rewriter);
    if (failed(simplify()))
      return signalPassFailure();
    transposeWide(rewriter);
    readByScalars(rewriter);
    getOperation()->walk(
        [&](LoopLikeOpInterface loop) { moveLoopInvariantCode(loop); });
    hideIndices(getOperation());
    carryAccumulators(rewriter);
    showIndices(getOperation());
    forwardRows(rewriter);
    unrollReductions();
    RewritePatternSet patterns(&getContext());
    // insert_slice(transfer_write) shows only after the accumulators moved.
    tensor::populateFoldTensorSubsetIntoVectorTransferPatterns(patterns);
    if (failed(rewrite(std::move(patterns))))
      signalPassFailure();
  }

  /// There are no blocks to merge.
  LogicalResult rewrite(RewritePatternSet patterns) {
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    return applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }

  /// Products in pairs and what they start from.
  static bool isMatrixUnits(TileKind kind) {
    return kind == TileKind::PairBias || kind == TileKind::PairScores ||
           kind == TileKind::PairValues;
  }

  void vectorize(RewriterBase &rewriter) {
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (std::optional<TileKind> kind = getTileKind(op);
          kind && !isMatrixUnits(*kind))
        ops.push_back(op);
    });
    for (linalg::LinalgOp op : ops) {
      rewriter.setInsertionPoint(op);
      FailureOr<linalg::VectorizationResult> result =
          linalg::vectorize(rewriter, op, /*inputVectorSizes=*/{},
                            /*inputScalableVecDims=*/{},
                            /*vectorizeNDExtract=*/true);
      if (failed(result)) {
        emitMissedRemark(op, "VectorizeTiles", "a tile stays a loop");
        continue;
      }
      Value first = result->replacements.front();
      switch (*getTileKind(op)) {
      case TileKind::Maximum:
        expandMaximum(rewriter, first);
        break;
      case TileKind::Dots:
        expandDots(rewriter, first);
        break;
      case TileKind::DotsSum:
        expandDotsSum(rewriter, first);
        break;
      default:
        break;
      }
      rewriter.replaceOp(op, result->replacements);
    }
  }

  LogicalResult simplify() {
    MLIRContext *context = &getContext();
    auto apply = [&](auto populate) {
      RewritePatternSet patterns(context);
      populate(patterns);
      return rewrite(std::move(patterns));
    };
    if (failed(apply([&](RewritePatternSet &patterns) {
          vector::populateVectorTransferPermutationMapLoweringPatterns(
              patterns);
          vector::populateVectorReductionToContractPatterns(patterns);
          vector::populateSinkVectorOpsPatterns(patterns);
          vector::TransferReadOp::getCanonicalizationPatterns(patterns,
                                                              context);
          vector::TransferWriteOp::getCanonicalizationPatterns(patterns,
                                                               context);
        })))
      return failure();
    if (failed(apply([&](RewritePatternSet &patterns) {
          vector::populateCastAwayVectorLeadingOneDimPatterns(patterns);
          tensor::populateFoldTensorSubsetIntoVectorTransferPatterns(patterns);
          for (Dialect *dialect : context->getLoadedDialects())
            dialect->getCanonicalizationPatterns(patterns);
          for (RegisteredOperationName op : context->getRegisteredOperations())
            op.getCanonicalizationPatterns(patterns, context);
        })))
      return failure();
    return apply([&](RewritePatternSet &patterns) {
      vector::populateVectorMultiReductionLoweringPatterns(
          patterns, vector::VectorMultiReductionLowering::InnerParallel);
    });
  }

  /// What becomes narrow is transposed before, not after it, to where
  /// simplify() has sunk the transposition: as shuffles of 16 bits it takes
  /// twice the instructions with AVX2.
  void transposeWide(RewriterBase &rewriter) {
    SmallVector<vector::TransposeOp> transposes;
    getOperation()->walk(
        [&](vector::TransposeOp op) { transposes.push_back(op); });
    for (vector::TransposeOp op : transposes) {
      auto narrow = op.getVector().getDefiningOp<arith::TruncFOp>();
      if (!narrow || !narrow->hasOneUse() ||
          op.getResultVectorType().getElementTypeBitWidth() != 16)
        continue;
      rewriter.setInsertionPoint(op);
      Value wide = vector::TransposeOp::create(
          rewriter, op.getLoc(), narrow.getIn(), op.getPermutation());
      auto result = cast<arith::TruncFOp>(rewriter.clone(*narrow));
      result.getInMutable().assign(wide);
      result.getOut().setType(op.getType());
      rewriter.replaceOp(op, result);
      rewriter.eraseOp(narrow);
    }
  }

  /// The left operand of each product as scalars.
  void readByScalars(RewriterBase &rewriter) {
    SmallVector<vector::ContractionOp> products;
    getOperation()->walk(
        [&](vector::ContractionOp op) { products.push_back(op); });
    for (vector::ContractionOp product : products) {
      Value operand = product.getLhs();
      while (auto broadcast = operand.getDefiningOp<vector::BroadcastOp>())
        operand = broadcast.getSource();
      auto read = operand.getDefiningOp<vector::TransferReadOp>();
      if (!read || read.getMask() || !read->hasOneUse() ||
          read.hasOutOfBoundsDim() ||
          !isa<RankedTensorType>(read.getShapedType()))
        continue;
      // A row or a column.
      VectorType type = read.getVectorType();
      unsigned longest = std::distance(type.getShape().begin(),
                                       llvm::max_element(type.getShape()));
      auto dim =
          dyn_cast<AffineDimExpr>(read.getPermutationMap().getResult(longest));
      if (!dim || type.getDimSize(longest) != type.getNumElements())
        continue;
      rewriter.setInsertionPoint(read);
      Location loc = read.getLoc();
      SmallVector<Value> elements;
      for (int64_t k = 0; k < type.getNumElements(); ++k) {
        SmallVector<Value> indices(read.getIndices());
        if (k != 0)
          indices[dim.getPosition()] = arith::AddIOp::create(
              rewriter, loc, indices[dim.getPosition()],
              arith::ConstantIndexOp::create(rewriter, loc, k));
        elements.push_back(
            tensor::ExtractOp::create(rewriter, loc, read.getBase(), indices));
      }
      rewriter.replaceOpWithNewOp<vector::FromElementsOp>(read, type, elements);
    }
  }

  /// A register tile that is written row by row and read as one becomes a
  /// vector of these rows: otherwise the accumulators would go through memory
  /// before the product, and through the stack into its outlined function.
  void forwardRows(RewriterBase &rewriter) {
    SmallVector<vector::TransferReadOp> reads;
    getOperation()->walk([&](vector::TransferReadOp op) {
      if (getRowWrites(op))
        reads.push_back(op);
    });
    for (vector::TransferReadOp read : reads) {
      rewriter.setInsertionPoint(read);
      Location loc = read.getLoc();
      SmallVector<vector::TransferWriteOp> rows = *getRowWrites(read);
      // Not from nothing: of a chain of insertions that leaves no element out
      // canonicalisation makes a list of single elements.
      Value tile = vector::BroadcastOp::create(
          rewriter, loc, read.getVectorType(), rows.front().getVector());
      for (int64_t row : llvm::seq<int64_t>(1, rows.size()))
        tile = vector::InsertOp::create(rewriter, loc, rows[row].getVector(),
                                        tile, row);
      Value written = read.getBase();
      rewriter.replaceOp(read, tile);
      // What is overwritten as a whole needs nothing of what was written.
      if (!written.hasOneUse())
        continue;
      OpOperand &use = *written.use_begin();
      auto write = dyn_cast<vector::TransferWriteOp>(use.getOwner());
      if (!write || !isWhole(write))
        continue;
      Value before = rows.front().getBase();
      rewriter.modifyOpInPlace(write, [&] { use.set(before); });
      for (vector::TransferWriteOp row : llvm::reverse(rows))
        if (row->use_empty())
          rewriter.eraseOp(row);
    }
  }

  /// Whether all of a static tensor is read or written, in its own order.
  static bool isWhole(VectorTransferOpInterface op) {
    return !op.getMask() && !op.hasOutOfBoundsDim() &&
           op.getPermutationMap().isIdentity() &&
           op.getShapedType().getShape() == op.getVectorType().getShape() &&
           llvm::all_of(op.getIndices(), [](Value index) {
             return getConstantIntValue(index) == 0;
           });
  }

  /// The writes of the rows 0, 1, ... that together are all that `read` reads.
  static std::optional<SmallVector<vector::TransferWriteOp>>
  getRowWrites(vector::TransferReadOp read) {
    VectorType type = read.getVectorType();
    if (type.getRank() != 2 || !isWhole(read))
      return std::nullopt;
    SmallVector<vector::TransferWriteOp> rows(type.getDimSize(0));
    Value tensor = read.getBase();
    for (int64_t row : llvm::reverse(llvm::seq(type.getDimSize(0)))) {
      auto write = tensor.getDefiningOp<vector::TransferWriteOp>();
      if (!write || write.getMask() || write.hasOutOfBoundsDim() ||
          !write.getPermutationMap().isMinorIdentity() ||
          write.getVectorType().getShape() != type.getShape().drop_front() ||
          getConstantIntValue(write.getIndices()[0]) != row ||
          getConstantIntValue(write.getIndices()[1]) != 0)
        return std::nullopt;
      rows[row] = write;
      tensor = write.getBase();
    }
    return rows;
  }

  /// Innermost loops, and loops over exponentials around them. Around the rows
  /// of a product a vector (the running maximum) would be two more live
  /// registers beside the accumulators.
  void carryAccumulators(RewriterBase &rewriter) {
    SmallVector<LoopLikeOpInterface> loops; // inner ones first
    getOperation()->walk([&](scf::ForOp loop) {
      unsigned numLoops = 0;
      bool hasProduct = false, hasExp = false;
      loop.getBody()->walk([&](Operation *op) {
        numLoops += isa<LoopLikeOpInterface>(op);
        hasProduct |= isa<vector::ContractionOp>(op);
        hasExp |= isa<math::ExpOp>(op);
      });
      if (numLoops == 0 || (numLoops == 1 && hasExp && !hasProduct))
        loops.push_back(loop);
    });
    for (LoopLikeOpInterface loop : loops)
      (void)hoistLoopInvariantSubsets(rewriter, loop);
  }

  /// Whole iterations of a reduction follow each other without a branch, and
  /// the addresses of rows are shared. Time is spent in the largest tiles of an
  /// attention; of the others a number of keys that is not static would be code
  /// to compile (and for a single query memory decides).
  void unrollReductions() {
    llvm::MapVector<scf::ForOp, int64_t> loops;
    llvm::DenseMap<Operation *, int64_t> most;
    auto getWorkers = [](scf::ForOp loop) -> Operation * {
      return loop->getParentOfType<scf::ForallOp>();
    };
    getOperation()->walk([&](vector::ContractionOp product) {
      scf::ForOp loop = getReduction(product);
      if (!loop)
        return;
      auto type = dyn_cast<VectorType>(product.getResultType());
      int64_t size = type && type.getRank() == 2 ? type.getNumElements() : 0;
      loops[loop] = std::max(loops[loop], size);
      int64_t &largest = most[getWorkers(loop)];
      largest = std::max({largest, size, int64_t(1)});
    });
    for (auto [loop, size] : loops) {
      bool isStatic = getConstantIntValue(loop.getUpperBound()).has_value();
      int64_t factor = isStatic ? unroll : keyUnroll;
      if (size < most[getWorkers(loop)])
        factor = isStatic ? std::min<int64_t>(factor, 2) : 1;
      if (factor > 1)
        (void)loopUnrollByFactor(loop, factor);
    }
  }
};

} // namespace
