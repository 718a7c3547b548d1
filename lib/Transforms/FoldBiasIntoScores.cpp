//===- FoldBiasIntoScores.cpp - The bias as initial accumulator -----------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// contraction(Q, K, init = 0) + bias  ->  contraction(Q, K, init = bias)
//
// Cost model. Before: a pass that fills the accumulator, and one that reads
// scores and bias and writes scores. After: one pass that writes the bias (or
// what the body makes of it) where the zeros went, or no pass at all where a
// bias of the same shape was made only for this. One pass over M x N less in
// every case, and never a buffer more.
//
//===----------------------------------------------------------------------===//

#include "ScoresTrace.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "relattn/Transforms/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_FOLDBIASINTOSCORES
#include "relattn/Transforms/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

static constexpr StringLiteral kRewrite = "FoldBiasIntoScores";

//===----------------------------------------------------------------------===//
// Analysis
//===----------------------------------------------------------------------===//

namespace {
/// All that the rewrite needs, found without changing anything.
struct FoldPlan {
  OpOperand *scores;
  ScoresTrace trace;
  AdditionChain chain;
  /// The ops of the body that compute the leaves.
  SmallVector<Operation *> slice;
  /// The shape moves between contraction and op, and the permutation of the
  /// transposes after them (as a map to the operand before the transposes).
  SmallVector<Operation *> reshapes;
  AffineMap biasMap;
  /// Whether there is nothing in the accumulator yet.
  bool startsAtZero = true;
  /// The operand that is the new accumulator as it is, or null.
  OpOperand *direct = nullptr;
};
} // namespace

/// The map with which an elementwise op reads the value before the transposes
/// that end `moves`; the others stay in `reshapes`.
static AffineMap undoTransposes(AffineMap map, ArrayRef<Operation *> moves,
                                SmallVectorImpl<Operation *> &reshapes) {
  while (!moves.empty()) {
    auto transpose = dyn_cast<linalg::TransposeOp>(moves.back());
    if (!transpose)
      break;
    SmallVector<AffineExpr> results(map.getNumResults());
    for (auto [i, dimension] : llvm::enumerate(transpose.getPermutation()))
      results[dimension] = map.getResult(i);
    map = AffineMap::get(map.getNumDims(), 0, results, map.getContext());
    moves = moves.drop_back();
  }
  reshapes.assign(moves.begin(), moves.end());
  return map;
}

/// Whether `value` is memory that only its one reader sees: computed by a
/// linalg op, not a constant, an argument or a part of one. The contraction may
/// then accumulate in it; anything else is copied where the zeros went.
static bool isFreshWithOneUse(Value value) {
  while (value.hasOneUse()) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op))
      value = op->getOperand(0);
    else
      return isa<LinalgOp, tensor::GenerateOp, tensor::SplatOp>(op);
  }
  return false;
}

/// Whether moves other than transposes can be undone on the bias.
static Refusal checkReshapes(ArrayRef<Operation *> reshapes) {
  for (auto [i, move] : llvm::enumerate(reshapes)) {
    if (isa<linalg::TransposeOp>(move))
      return "a transpose stands before a reshape";
    auto collapse = dyn_cast<tensor::CollapseShapeOp>(move);
    if (collapse && i > 0 && !collapse.getSrcType().hasStaticShape())
      return "a reshape of unknown size cannot be undone";
  }
  return {};
}

/// Whether the sizes of the new accumulator can be told: they are static, those
/// of the zeros, or those of the op's output.
static bool hasKnownSizes(LinalgOp op, const FoldPlan &plan) {
  auto type = cast<RankedTensorType>(plan.scores->get().getType());
  if (type.hasStaticShape() || plan.trace.moves.empty())
    return true;
  OpOperand *out = op.getDpsInitOperand(0);
  return out != plan.scores &&
         op.getMatchingIndexingMap(out).isProjectedPermutation() &&
         op.getMatchingIndexingMap(out).getNumResults() == op.getNumLoops();
}

/// Whether the op does nothing but the additions: it can be replaced by the
/// scores, or by a move of them.
static bool isAddAlone(LinalgOp op, const FoldPlan &plan) {
  auto yield = cast<linalg::YieldOp>(op.getBlock()->getTerminator());
  BlockArgument argument = op.getMatchingBlockArgument(plan.scores);
  return op->getNumResults() == 1 &&
         yield.getOperand(0) == plan.chain.getResult(argument) &&
         op.getMatchingIndexingMap(plan.scores) ==
             op.getMatchingIndexingMap(op.getDpsInitOperand(0));
}

/// Whether what is added includes the running value of a reduction: a sum of
/// the scores, not a bias.
static bool addsToReduction(LinalgOp op, const FoldPlan &plan) {
  if (op.getNumReductionLoops() == 0)
    return false;
  auto isRunning = [&](Value value) {
    return llvm::is_contained(op.getRegionOutputArgs(), value);
  };
  return llvm::any_of(plan.chain.leaves, isRunning) ||
         llvm::any_of(plan.slice, [&](Operation *needed) {
           return llvm::any_of(needed->getOperands(), isRunning);
         });
}

/// The guards on the contraction itself.
static Refusal checkContraction(const ScoresTrace &trace, OpOperand &scores) {
  if (Refusal refusal = checkTrace(trace, scores); !refusal.empty())
    return refusal;
  // What stands in an initial accumulator made for this contraction alone is
  // added to the bias, in the pass that the add took.
  LinalgOp contraction = trace.getContraction();
  if (!startsAtZero(contraction) &&
      !isFreshWithOneUse(contraction.getDpsInits()[0]))
    return "the contraction does not start at zero";
  // f16: -65504 plus a negative product is -inf, where the rounded sum of
  // products plus the bias is not.
  Type element = getElementTypeOrSelf(trace.getResult().getType());
  if (isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32)
    return "the accumulator is narrower than f32";
  return {};
}

/// Plans to fold what `op` adds to `scores`, or says why not.
static std::optional<FoldPlan> planFold(LinalgOp op, OpOperand &scores,
                                        Refusal &refusal) {
  std::optional<ScoresTrace> trace = traceScores(scores.get());
  BlockArgument argument = op.getMatchingBlockArgument(&scores);
  if (!trace) {
    if (isConvertedScores(scores.get()) &&
        !followAdditions(argument).additions.empty())
      refusal = "the scores are converted before the add";
    return std::nullopt;
  }
  FoldPlan plan{&scores, *trace, followAdditions(argument), {}, {}, {}};
  if (plan.chain.additions.empty()) {
    // Converted first, then added: the add is in another type.
    if (argument.hasOneUse()) {
      Operation *user = *argument.user_begin();
      if (isa<CastOpInterface>(user) && user->getResult(0).hasOneUse() &&
          isa<arith::AddFOp, arith::AddIOp>(*user->getResult(0).user_begin()))
        refusal = "the scores are converted before the add";
    }
    return std::nullopt;
  }
  // A contraction that accumulates on another one is no bias.
  if (linalg::isaContractionOpInterface(op))
    return std::nullopt;

  plan.startsAtZero = startsAtZero(plan.trace.getContraction());
  if (refusal = checkContraction(plan.trace, scores); !refusal.empty())
    return std::nullopt;
  AffineMap map = op.getMatchingIndexingMap(&scores);
  if (!map.isPermutation()) {
    refusal = "the add broadcasts or repeats the scores";
    return std::nullopt;
  }
  plan.biasMap = undoTransposes(map, plan.trace.moves, plan.reshapes);
  if (refusal = checkReshapes(plan.reshapes); !refusal.empty())
    return std::nullopt;
  if (failed(getBodySlice(plan.chain.leaves, op.getBlock(), plan.slice))) {
    refusal = "the bias is computed with side effects";
    return std::nullopt;
  }
  if (addsToReduction(op, plan)) {
    refusal = "the add accumulates a reduction";
    return std::nullopt;
  }
  // The body of a named op is its name's, not its own: what is left of it
  // needs a generic.
  if (!isa<linalg::GenericOp>(op.getOperation()) && !isAddAlone(op, plan)) {
    refusal = "the named op does more than add";
    return std::nullopt;
  }
  if (!hasKnownSizes(op, plan)) {
    refusal = "the sizes of the scores are not known before the contraction";
    return std::nullopt;
  }

  // The bias as it is.
  auto leaf = dyn_cast<BlockArgument>(plan.chain.leaves.front());
  if (plan.startsAtZero && plan.chain.leaves.size() == 1 && leaf &&
      leaf.getOwner() == op.getBlock()) {
    OpOperand &operand = op->getOpOperand(leaf.getArgNumber());
    if (op.getMatchingIndexingMap(&operand) == plan.biasMap &&
        operand.get().getType() == scores.get().getType() &&
        plan.reshapes.size() == plan.trace.moves.size() &&
        isFreshWithOneUse(operand.get()))
      plan.direct = &operand;
  }
  return plan;
}

/// The first operand of `op` with a plan. Otherwise the first reason against
/// one, if any operand is scores at all.
static std::optional<FoldPlan> planFold(LinalgOp op, Refusal &refusal) {
  for (OpOperand &operand : op->getOpOperands()) {
    Refusal why;
    if (std::optional<FoldPlan> plan = planFold(op, operand, why))
      return plan;
    if (refusal.empty())
      refusal = why;
  }
  return std::nullopt;
}

/// The operand of an addition of tensors that is scores to fold into, or null;
/// then the reason, if an operand is scores at all.
static OpOperand *findTensorScores(Operation *addition, Refusal &refusal) {
  for (OpOperand &operand : addition->getOpOperands()) {
    std::optional<ScoresTrace> trace = traceScores(operand.get());
    if (!trace) {
      if (refusal.empty() && isConvertedScores(operand.get()))
        refusal = "the scores are converted before the add";
      continue;
    }
    Refusal why = checkContraction(*trace, operand);
    if (why.empty())
      return &operand;
    if (refusal.empty())
      refusal = why;
  }
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Rewrite
//===----------------------------------------------------------------------===//

/// What the new accumulator is written to: the destination of the zeros if its
/// shape is right, else a new one of the same size.
static Value createDestination(RewriterBase &rewriter, LinalgOp op,
                               const FoldPlan &plan, RankedTensorType type) {
  Location loc = op.getLoc();
  if (plan.trace.moves.empty()) {
    Value zeros = plan.trace.getContraction().getDpsInits()[0];
    auto fill = zeros.getDefiningOp<linalg::FillOp>();
    if (fill && plan.startsAtZero && fill.output().getType() == type)
      return fill.output();
    return tensor::EmptyOp::create(rewriter, loc,
                                   tensor::getMixedSizes(rewriter, loc, zeros),
                                   type.getElementType());
  }
  // Sizes of the iteration space, read off the output.
  SmallVector<OpFoldResult> sizes;
  OpOperand *out = op.getDpsInitOperand(0);
  AffineMap outMap = op.getMatchingIndexingMap(out);
  for (auto [i, expr] : llvm::enumerate(plan.biasMap.getResults())) {
    if (!type.isDynamicDim(i))
      sizes.push_back(rewriter.getIndexAttr(type.getDimSize(i)));
    else
      sizes.push_back(tensor::getMixedSize(rewriter, loc, out->get(),
                                           *outMap.getResultPosition(expr)));
  }
  return tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
}

/// A generic that computes the sum of the leaves, and of what the accumulator
/// starts from, in the layout of the scores before the transposes.
static Value createBias(RewriterBase &rewriter, LinalgOp op,
                        const FoldPlan &plan) {
  Value before = plan.scores->get();
  for (Operation *move : llvm::reverse(
           ArrayRef(plan.trace.moves).drop_front(plan.reshapes.size())))
    before = move->getOperand(0);
  auto type = cast<RankedTensorType>(before.getType());
  Value destination = createDestination(rewriter, op, plan, type);

  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  SmallVector<BlockArgument> arguments;
  auto isRead = [&](BlockArgument argument) {
    if (llvm::is_contained(plan.chain.leaves, argument))
      return true;
    return llvm::any_of(plan.slice, [&](Operation *user) {
      return llvm::is_contained(user->getOperands(), argument);
    });
  };
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (!isRead(argument))
      continue;
    inputs.push_back(operand.get());
    maps.push_back(op.getMatchingIndexingMap(&operand));
    arguments.push_back(argument);
  }
  if (!plan.startsAtZero) {
    inputs.push_back(replayMoves(rewriter, plan.reshapes,
                                 plan.trace.getContraction().getDpsInits()[0]));
    maps.push_back(plan.biasMap);
  }
  maps.push_back(plan.biasMap);
  SmallVector<utils::IteratorType> iterators(op.getNumLoops(),
                                             utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      rewriter, op.getLoc(), destination.getType(), inputs, destination, maps,
      iterators, [&](OpBuilder &b, Location loc, ValueRange args) {
        IRMapping mapping;
        for (auto [argument, arg] : llvm::zip_first(arguments, args))
          mapping.map(argument, arg);
        for (Operation *needed : plan.slice)
          b.clone(*needed, mapping);
        Value sum = plan.startsAtZero ? Value() : args[inputs.size() - 1];
        for (Value leaf : plan.chain.leaves) {
          Value value = mapping.lookupOrDefault(leaf);
          if (!sum)
            sum = value;
          else if (isa<FloatType>(sum.getType()))
            sum = arith::AddFOp::create(b, loc, sum, value);
          else
            sum = arith::AddIOp::create(b, loc, sum, value);
        }
        linalg::YieldOp::create(b, loc, sum);
      });
  Value bias = generic.getResult(0);
  if (bias.getType() != type)
    bias = tensor::CastOp::create(rewriter, op.getLoc(), type, bias);
  return bias;
}

/// The bias in the contraction's own shape.
static Value undoReshapes(RewriterBase &rewriter, const FoldPlan &plan,
                          Value bias) {
  for (Operation *move : llvm::reverse(plan.reshapes)) {
    Location loc = move->getLoc();
    Type type = move->getOperand(0).getType();
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(move)) {
      bias = tensor::CollapseShapeOp::create(rewriter, loc, type, bias,
                                             expand.getReassociationIndices());
    } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(move)) {
      // Only the first move may have unknown sizes; they are the zeros'.
      SmallVector<OpFoldResult> sizes =
          collapse.getSrcType().hasStaticShape()
              ? getAsIndexOpFoldResult(rewriter.getContext(),
                                       collapse.getSrcType().getShape())
              : tensor::getMixedSizes(
                    rewriter, loc,
                    plan.trace.getContraction().getDpsInits()[0]);
      bias = tensor::ExpandShapeOp::create(
          rewriter, loc, type, bias, collapse.getReassociationIndices(), sizes);
    } else {
      bias = tensor::CastOp::create(rewriter, loc, type, bias);
    }
  }
  return bias;
}

/// The bias now goes through the contraction's own additions. What they assumed
/// of the products alone (no NaN, no infinity, no overflow) need not hold of
/// the bias, unless the additions that go assumed it too.
static void weakenAccumulation(LinalgOp contraction,
                               const AdditionChain &chain) {
  auto generic = dyn_cast<linalg::GenericOp>(contraction.getOperation());
  if (!generic)
    return;
  arith::FastMathFlags assumed = arith::FastMathFlags::fast;
  for (Operation *addition : chain.additions) {
    if (auto add = dyn_cast<arith::AddFOp>(addition))
      assumed = assumed & add.getFastmath();
  }
  constexpr arith::FastMathFlags valueFlags = arith::FastMathFlags::nnan |
                                              arith::FastMathFlags::ninf |
                                              arith::FastMathFlags::nsz;
  // Every addition of the body: casts may stand around the accumulator.
  for (Operation &op : *generic.getBody()) {
    if (auto add = dyn_cast<arith::AddFOp>(op))
      add.setFastmath(add.getFastmath() & (assumed | ~valueFlags));
    else if (auto add = dyn_cast<arith::AddIOp>(op))
      add.setOverflowFlags(arith::IntegerOverflowFlags::none);
  }
}

static void applyFold(RewriterBase &rewriter, LinalgOp op,
                      const FoldPlan &plan) {
  rewriter.setInsertionPoint(op);
  Value bias =
      plan.direct ? plan.direct->get() : createBias(rewriter, op, plan);
  bias = undoReshapes(rewriter, plan, bias);

  // The contraction moves down here, where its new accumulator exists. Its
  // discardable attributes stay; those of the add go with it.
  IRMapping mapping;
  auto contraction =
      cast<LinalgOp>(rewriter.clone(*plan.trace.getContraction(), mapping));
  contraction.getDpsInitsMutable()[0].set(bias);
  weakenAccumulation(contraction, plan.chain);
  Value scores =
      replayMoves(rewriter, plan.trace.moves, contraction->getResult(0));

  // Nothing left to do: the op is gone.
  BlockArgument argument = op.getMatchingBlockArgument(plan.scores);
  if (isAddAlone(op, plan)) {
    if (scores.getType() != op->getResult(0).getType())
      scores = tensor::CastOp::create(rewriter, op.getLoc(),
                                      op->getResult(0).getType(), scores);
    rewriter.replaceOp(op, scores);
    return;
  }
  // The rest of the body goes on from the scores.
  rewriter.modifyOpInPlace(op, [&]() {
    plan.scores->set(scores);
    rewriter.replaceAllUsesWith(plan.chain.getResult(argument), argument);
    for (Operation *addition : llvm::reverse(plan.chain.additions))
      rewriter.eraseOp(addition);
  });
}

namespace {

/// Before:  %s = linalg.batch_matmul ins(%q, %k) outs(%zeros)
///          %r = linalg.generic ins(%s, %bias) { %s + %bias }
/// After:   %i = linalg.generic ins(%bias) outs(%empty) { %bias }
///          %r = linalg.batch_matmul ins(%q, %k) outs(%i)
/// Not applied when a guard of `planFold` refuses; see the pass.
struct FoldAddIntoContraction : public OpInterfaceRewritePattern<LinalgOp> {
  FoldAddIntoContraction(MLIRContext *context, FoldObserver observer)
      : OpInterfaceRewritePattern(context), observer(std::move(observer)) {}

  LogicalResult matchAndRewrite(LinalgOp op,
                                PatternRewriter &rewriter) const override {
    Refusal refusal;
    std::optional<FoldPlan> plan = planFold(op, refusal);
    if (!plan)
      return rewriter.notifyMatchFailure(op, refusal);
    if (observer)
      observer(op);
    applyFold(rewriter, op, *plan);
    return success();
  }

  FoldObserver observer;
};

/// Before:  %r = arith.addf %s, %bias : tensor<8x4x6xf32>
/// After:   %r = linalg.generic ins(%s, %bias) { arith.addf }
/// so that the pattern above sees it.
/// Not applied when neither operand is scores that may be folded into.
template <typename AddOp>
struct GeneralizeTensorAdd : public OpRewritePattern<AddOp> {
  using OpRewritePattern<AddOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op,
                                PatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    Refusal refusal;
    OpOperand *scores = type ? findTensorScores(op, refusal) : nullptr;
    if (!scores)
      return rewriter.notifyMatchFailure(op, refusal);
    // The bias, not the scores, gives the sizes: they must outlive the latter.
    Value sized = op->getOperand(1 - scores->getOperandNumber());
    Value empty = tensor::EmptyOp::create(
        rewriter, op.getLoc(),
        tensor::getMixedSizes(rewriter, op.getLoc(), sized),
        type.getElementType());
    if (empty.getType() != type)
      empty = tensor::CastOp::create(rewriter, op.getLoc(), type, empty);
    SmallVector<AffineMap> maps(
        3, rewriter.getMultiDimIdentityMap(type.getRank()));
    SmallVector<utils::IteratorType> iterators(type.getRank(),
                                               utils::IteratorType::parallel);
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(
        op, type, ValueRange{op.getLhs(), op.getRhs()}, empty, maps, iterators,
        [&](OpBuilder &b, Location loc, ValueRange args) {
          Value sum = AddOp::create(b, loc, args[0], args[1]);
          linalg::YieldOp::create(b, loc, sum);
        });
    return success();
  }
};

} // namespace

void relattn::populateFoldBiasIntoScoresPatterns(RewritePatternSet &patterns,
                                                 FoldObserver observer) {
  patterns.add<FoldAddIntoContraction>(patterns.getContext(),
                                       std::move(observer));
  patterns.add<GeneralizeTensorAdd<arith::AddFOp>,
               GeneralizeTensorAdd<arith::AddIOp>>(patterns.getContext());
  // Inputs that only the folded part of a body read.
  linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
}

namespace {
struct FoldBiasIntoScores
    : public relattn::impl::FoldBiasIntoScoresBase<FoldBiasIntoScores> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateFoldBiasIntoScoresPatterns(patterns, [&](Operation *op) {
      ++numFolded;
      emitPassedRemark(op, kRewrite, "the bias is the initial accumulator");
    });
    // From the top, so that remarks come in the order of the ops.
    GreedyRewriteConfig config;
    config.setUseTopDownTraversal();
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      return signalPassFailure();
    getOperation()->walk([&](Operation *op) {
      Refusal refusal;
      if (auto linalgOp = dyn_cast<LinalgOp>(op))
        (void)planFold(linalgOp, refusal);
      else if (isa<arith::AddFOp, arith::AddIOp>(op) &&
               isa<RankedTensorType>(op->getResult(0).getType()))
        (void)findTensorScores(op, refusal);
      if (refusal.empty())
        return;
      ++numRefused;
      emitMissedRemark(op, kRewrite, refusal);
    });
  }
};
} // namespace
