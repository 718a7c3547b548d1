//===- RemoveScaling.cpp - No scale on the scores -------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// contraction(Q, K) * c  ->  contraction(Q * c, K)
//
// Cost model. A multiplication of each of the M x N scores goes; one of each
// element of the smaller operand comes, or none where a constant, another
// scale or a table takes the factor.
//
//===----------------------------------------------------------------------===//

#include "Scale.h"
#include "ScoresTrace.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "relattn/Transforms/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_REMOVESCALING
#include "relattn/Transforms/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

static constexpr StringLiteral kRewrite = "RemoveScaling";

//===----------------------------------------------------------------------===//
// The operands of a contraction
//===----------------------------------------------------------------------===//

namespace {
/// Products of a contraction's static extents; those of unknown size are null.
struct Extents {
  std::optional<int64_t> m, n, k;
};
} // namespace

static Extents getExtents(LinalgOp contraction) {
  FailureOr<linalg::ContractionDimensions> dims =
      linalg::inferContractionDims(contraction);
  if (failed(dims))
    return {};
  SmallVector<int64_t> sizes = contraction.getStaticLoopRanges();
  auto product = [&](ArrayRef<unsigned> loops) -> std::optional<int64_t> {
    int64_t result = 1;
    for (unsigned loop : loops) {
      if (ShapedType::isDynamic(sizes[loop]))
        return std::nullopt;
      result *= sizes[loop];
    }
    return result;
  };
  return {product(dims->m), product(dims->n), product(dims->k)};
}

/// Whether operand 0 (of M x K) rather than 1 (of N x K) is to be multiplied.
/// Where neither size is known, the first one: the query, by custom.
static bool isFirstSmaller(const Extents &extents) {
  if (extents.m && extents.n)
    return *extents.m <= *extents.n;
  return extents.m.has_value() || !extents.n;
}

/// The best place to scale `contraction`'s product by scaling an operand.
static std::optional<ScaleSite> chooseSite(LinalgOp contraction,
                                           const Scale &scale,
                                           bool allowReassociation,
                                           Refusal &refusal) {
  Type element = getElementTypeOrSelf(contraction->getResult(0).getType());
  Extents extents = getExtents(contraction);
  SmallVector<unsigned> order = {0, 1};
  if (!isFirstSmaller(extents))
    std::swap(order[0], order[1]);
  std::optional<ScaleSite> best;
  StringRef isUsed, isLarge;
  for (unsigned i : order) {
    OpOperand &operand = *contraction.getDpsInputOperand(i);
    if (getElementTypeOrSelf(operand.get().getType()) != element)
      continue;
    ScaleSite site = findScaleSite(operand, scale, allowReassociation);
    if (!site.isFree()) {
      // K multiplications for each row are to replace N of them.
      std::optional<int64_t> replaced = i == 0 ? extents.n : extents.m;
      std::optional<int64_t> added = getStaticSize(site.use->get());
      std::optional<int64_t> scores = getStaticSize(contraction->getResult(0));
      bool isSmaller = !(extents.k && replaced && *extents.k >= *replaced) ||
                       (added && scores && *added < *scores);
      if (!isSmaller) {
        isLarge = "no operand is smaller than the scores";
        continue;
      }
      if (!operand.get().hasOneUse()) {
        isUsed = "the smaller operand has another user";
        continue;
      }
    }
    bool isBetter = !best || (site.isFree() && !best->isFree()) ||
                    (site.kind == ScaleSite::Kind::Body &&
                     best->kind == ScaleSite::Kind::NewOp);
    if (isBetter)
      best = site;
  }
  if (!best)
    refusal = !isUsed.empty()    ? isUsed
              : !isLarge.empty() ? isLarge
                                 : "the operands are narrower than the scores";
  return best;
}

static StringRef describe(const ScaleSite &site, const Scale &scale) {
  if (scale.isOne())
    return "a scale of 1 is gone";
  switch (site.kind) {
  case ScaleSite::Kind::Constant:
  case ScaleSite::Kind::Fill:
    return "the scale is folded into a constant";
  case ScaleSite::Kind::Merge:
    return "the scale is folded into another one";
  case ScaleSite::Kind::Body:
    return "the scale is in the op that computes an operand";
  case ScaleSite::Kind::NewOp:
    return "the scale is on an operand";
  }
}

//===----------------------------------------------------------------------===//
// A scale of the scores
//===----------------------------------------------------------------------===//

namespace {
/// All that the rewrite of one scaled product needs, found without changes.
struct ScoresPlan {
  OpOperand *scores;
  ScoresTrace trace;
  AdditionChain chain;
  /// The multiplication: in the body of the op, or the op itself.
  Operation *product;
  Scale scale;
  /// Where the product, and its initial accumulator, are scaled instead.
  std::optional<ScaleSite> site, init;
};
} // namespace

/// The multiplication that is the one use of `value`, and the scale it applies.
static std::optional<std::pair<Operation *, Scale>>
matchProduct(Value value, LinalgOp owner, bool allowReassociation) {
  if (!value.hasOneUse() || !isa<FloatType>(value.getType()))
    return std::nullopt;
  OpOperand &use = *value.getUses().begin();
  std::optional<Scale> scale = matchScale(
      use.getOwner(), use.getOperandNumber(), owner, allowReassociation);
  if (!scale)
    return std::nullopt;
  return std::make_pair(use.getOwner(), *scale);
}

/// Whether `op` does nothing but multiply the scores.
static bool isScaleAlone(Operation *op, const ScoresPlan &plan) {
  auto linalgOp = dyn_cast<LinalgOp>(op);
  if (!linalgOp)
    return true;
  auto yield = cast<linalg::YieldOp>(linalgOp.getBlock()->getTerminator());
  return op->getNumResults() == 1 && plan.chain.additions.empty() &&
         yield.getOperand(0) == plan.product->getResult(0) &&
         plan.scores->get().getType() == op->getResult(0).getType() &&
         linalgOp.getMatchingIndexingMap(plan.scores) ==
             linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0)) &&
         llvm::all_of(
             linalgOp.getBlock()->without_terminator(),
             [](Operation &inner) { return isMemoryEffectFree(&inner); });
}

/// Whether `op` multiplies `operand` by one number first.
static bool scalesOperand(Operation *op, OpOperand &operand) {
  auto linalgOp = dyn_cast<LinalgOp>(op);
  if (!linalgOp)
    return matchScale(op, operand.getOperandNumber(), nullptr, false)
        .has_value();
  BlockArgument argument = linalgOp.getMatchingBlockArgument(&operand);
  return matchProduct(followAdditions(argument).getResult(argument), linalgOp,
                      false)
      .has_value();
}

static std::optional<ScoresPlan> planScores(Operation *op, OpOperand &scores,
                                            bool allowReassociation,
                                            Refusal &refusal) {
  std::optional<ScoresTrace> trace = traceScores(scores.get());
  if (!trace) {
    if (isConvertedScores(scores.get()) && scalesOperand(op, scores))
      refusal = "the scores are converted before the scale";
    return std::nullopt;
  }
  ScoresPlan plan{&scores, *trace, {}, op, {}, {}, {}};
  auto linalgOp = dyn_cast<LinalgOp>(op);
  if (linalgOp) {
    // A scaled product that another contraction multiplies is its operand.
    if (linalg::isaContractionOpInterface(linalgOp))
      return std::nullopt;
    BlockArgument argument = linalgOp.getMatchingBlockArgument(&scores);
    plan.chain = followAdditions(argument);
    auto product = matchProduct(plan.chain.getResult(argument), linalgOp,
                                allowReassociation);
    if (!product) {
      // Converted first, then scaled: the scale is in another type.
      if (argument.hasOneUse()) {
        Operation *cast = *argument.user_begin();
        if (isa<CastOpInterface>(cast) &&
            matchProduct(cast->getResult(0), linalgOp, allowReassociation))
          refusal = "the scores are converted before the scale";
      }
      return std::nullopt;
    }
    std::tie(plan.product, plan.scale) = *product;
  } else {
    std::optional<Scale> scale =
        matchScale(op, scores.getOperandNumber(), nullptr, allowReassociation);
    if (!scale)
      return std::nullopt;
    plan.scale = *scale;
  }

  bool isAlone = isScaleAlone(op, plan);
  // The body of a named op is its name's, not its own.
  if (!isAlone && !isa<linalg::GenericOp>(op)) {
    refusal = "the named op does more than scale";
    return std::nullopt;
  }
  // Nothing else changes where the factor is 1.
  if (plan.scale.isOne())
    return plan;
  // A run-time scale need not exist where the contraction stands, which
  // therefore moves down to it; into a loop it would run many times.
  bool staysInBlock = plan.scale.constant.has_value();
  if (refusal = checkTrace(*trace, scores, staysInBlock); !refusal.empty())
    return std::nullopt;
  if (!plan.scale.mayMove()) {
    refusal = "the scale is not a power of two, and reassociation is not "
              "allowed";
    return std::nullopt;
  }
  LinalgOp contraction = trace->contraction;
  plan.site = chooseSite(contraction, plan.scale, allowReassociation, refusal);
  if (!plan.site)
    return std::nullopt;
  if (!startsAtZero(contraction)) {
    OpOperand &init = contraction.getDpsInitsMutable()[0];
    plan.init = findScaleSite(init, plan.scale, allowReassociation);
    std::optional<int64_t> added = getStaticSize(plan.init->use->get());
    std::optional<int64_t> size = getStaticSize(init.get());
    if (plan.init->kind == ScaleSite::Kind::NewOp &&
        !(added && size && *added < *size)) {
      refusal = "scaling the initial accumulator would take a pass of its own";
      return std::nullopt;
    }
  }
  return plan;
}

static std::optional<ScoresPlan>
planScores(Operation *op, bool allowReassociation, Refusal &refusal) {
  if (!isa<LinalgOp, arith::MulFOp, arith::DivFOp>(op))
    return std::nullopt;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    Refusal why;
    if (std::optional<ScoresPlan> plan =
            planScores(op, operand, allowReassociation, why))
      return plan;
    if (refusal.empty())
      refusal = why;
  }
  return std::nullopt;
}

/// Scales the operand that feeds the leaf `argument`, if that costs less than a
/// multiplication in the body.
static bool scaleLeafOperand(RewriterBase &rewriter, LinalgOp op, Value leaf,
                             const ScoresPlan &plan, bool allowReassociation) {
  auto argument = dyn_cast<BlockArgument>(leaf);
  if (!argument || argument.getOwner() != op.getBlock() ||
      argument.getArgNumber() >= op.getNumDpsInputs() || !leaf.hasOneUse() ||
      !plan.scale.constant)
    return false;
  OpOperand &operand = op->getOpOperand(argument.getArgNumber());
  if (!isa<RankedTensorType>(operand.get().getType()))
    return false;
  ScaleSite site = findScaleSite(operand, plan.scale, allowReassociation);
  std::optional<int64_t> added = getStaticSize(site.use->get());
  std::optional<int64_t> scores = getStaticSize(plan.scores->get());
  if (site.kind == ScaleSite::Kind::NewOp &&
      !(added && scores && *added < *scores))
    return false;
  applyScale(rewriter, site, plan.scale, allowReassociation);
  return true;
}

/// Takes the multiplication out of the body: (s + b) * c becomes s + b * c.
static void rewriteBody(RewriterBase &rewriter, LinalgOp op,
                        const ScoresPlan &plan, bool allowReassociation) {
  BlockArgument argument = op.getMatchingBlockArgument(plan.scores);
  SmallVector<bool> isScaled;
  for (Value leaf : plan.chain.leaves)
    isScaled.push_back(
        !plan.scale.isOne() &&
        scaleLeafOperand(rewriter, op, leaf, plan, allowReassociation));
  rewriter.modifyOpInPlace(op, [&]() {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPoint(plan.product);
    Value scaledArgument = plan.chain.getResult(argument);
    Value sum = argument;
    for (auto [addition, leaf, done] :
         llvm::zip(plan.chain.additions, plan.chain.leaves, isScaled)) {
      Value term = leaf;
      if (!done && !plan.scale.isOne()) {
        IRMapping mapping;
        mapping.map(scaledArgument, leaf);
        Operation *product = rewriter.clone(*plan.product, mapping);
        cast<arith::ArithFastMathInterface>(product)->setAttr(
            "fastmath", arith::FastMathFlagsAttr::get(rewriter.getContext(),
                                                      plan.scale.flags));
        term = product->getResult(0);
      }
      sum = arith::AddFOp::create(
          rewriter, addition->getLoc(), sum, term,
          cast<arith::AddFOp>(addition).getFastmathAttr());
    }
    rewriter.replaceOp(plan.product, sum);
    for (Operation *addition : llvm::reverse(plan.chain.additions))
      rewriter.eraseOp(addition);
  });
}

static void applyScores(RewriterBase &rewriter, Operation *op,
                        const ScoresPlan &plan, bool allowReassociation) {
  if (plan.site) {
    Scale scale = plan.scale;
    if (!scale.constant) {
      rewriter.moveOpBefore(plan.trace.getContraction(), op);
      for (Operation *move : plan.trace.moves)
        rewriter.moveOpBefore(move, op);
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPoint(plan.trace.getContraction());
      auto type =
          cast<FloatType>(getElementTypeOrSelf(plan.scores->get().getType()));
      scale = detach(rewriter, op->getLoc(), type, scale);
    }
    applyScale(rewriter, *plan.site, scale, allowReassociation);
    if (plan.init)
      applyScale(rewriter, *plan.init, scale, allowReassociation);
  }
  if (isScaleAlone(op, plan))
    rewriter.replaceOp(op, plan.scores->get());
  else
    rewriteBody(rewriter, cast<LinalgOp>(op), plan, allowReassociation);
}

//===----------------------------------------------------------------------===//
// Scales of the operands
//===----------------------------------------------------------------------===//

namespace {
/// A scale op behind an operand of a contraction, through layout moves.
struct OperandScale {
  /// The one use of the scaled tensor.
  OpOperand *use;
  ScaleOp op;
};

/// What to do with the scales of a contraction's operands.
struct OperandsPlan {
  SmallVector<OperandScale, 2> dropped;
  /// The operand that is scaled by all of them; null if they are 1.
  OpOperand *target = nullptr;
  StringRef remark;
};
} // namespace

static std::optional<OperandScale> findOperandScale(OpOperand &operand,
                                                    bool allowReassociation) {
  OpOperand *use = skipLayoutMoves(operand);
  Operation *op = use->get().getDefiningOp();
  if (!op || !use->get().hasOneUse())
    return std::nullopt;
  std::optional<ScaleOp> scaleOp = matchScaleOp(op, allowReassociation);
  if (!scaleOp)
    return std::nullopt;
  return OperandScale{use, *scaleOp};
}

static std::optional<OperandsPlan>
planOperands(LinalgOp contraction, bool allowReassociation, Refusal &refusal) {
  if (!isFloatContraction(contraction) || contraction.getNumDpsInputs() != 2)
    return std::nullopt;
  OpOperand *operands[] = {contraction.getDpsInputOperand(0),
                           contraction.getDpsInputOperand(1)};
  std::optional<OperandScale> scales[] = {
      findOperandScale(*operands[0], allowReassociation),
      findOperandScale(*operands[1], allowReassociation)};
  for (auto &scale : scales)
    if (scale && scale->op.scale.isOne())
      return OperandsPlan{{*scale}, nullptr, "a scale of 1 is gone"};

  bool haveOneType = getElementTypeOrSelf(operands[0]->get().getType()) ==
                     getElementTypeOrSelf(operands[1]->get().getType());
  unsigned smaller = isFirstSmaller(getExtents(contraction)) ? 0 : 1;
  if (scales[0] && scales[1]) {
    if (!haveOneType) {
      refusal = "the operands differ in type";
      return std::nullopt;
    }
    if (!scales[0]->op.scale.mayMergeWith(scales[1]->op.scale)) {
      refusal = "neither scale is a power of two, and reassociation is not "
                "allowed";
      return std::nullopt;
    }
    return OperandsPlan{{*scales[0], *scales[1]},
                        operands[smaller],
                        "the scales of both operands are one"};
  }

  for (unsigned i : {0u, 1u}) {
    if (!scales[i])
      continue;
    const Scale &scale = scales[i]->op.scale;
    OperandScale dropped = *scales[i];
    // Into what is scaled: a constant rounds just as its multiple did.
    if (findScaleSite(*dropped.op.source, scale, allowReassociation).isFree())
      return OperandsPlan{
          {dropped}, operands[i], "the scale is folded into a constant"};
    if (!haveOneType || !scale.mayMove())
      continue;
    OpOperand &other = *operands[1 - i];
    if (findScaleSite(other, scale, allowReassociation).isFree())
      return OperandsPlan{
          {dropped}, &other, "the scale is folded into a constant"};
    Extents extents = getExtents(contraction);
    if (extents.m && extents.n && *extents.m != *extents.n && smaller != i &&
        other.get().hasOneUse())
      return OperandsPlan{
          {dropped}, &other, "the scale is on the smaller operand"};
  }
  return std::nullopt;
}

static void applyOperands(RewriterBase &rewriter, LinalgOp contraction,
                          const OperandsPlan &plan, bool allowReassociation) {
  rewriter.setInsertionPoint(contraction);
  Location loc = contraction.getLoc();
  auto type = cast<FloatType>(
      getElementTypeOrSelf(plan.dropped[0].use->get().getType()));
  Scale total = detach(rewriter, loc, type, plan.dropped[0].op.scale);
  if (plan.dropped.size() == 2)
    total = mergeScales(rewriter, loc, type, total, plan.dropped[1].op.scale);
  for (const OperandScale &dropped : plan.dropped) {
    Operation *scaleOp = dropped.use->get().getDefiningOp();
    Value source = dropped.op.source->get();
    rewriter.modifyOpInPlace(dropped.use->getOwner(),
                             [&]() { dropped.use->set(source); });
    rewriter.eraseOp(scaleOp);
  }
  if (plan.target)
    applyScale(rewriter, findScaleSite(*plan.target, total, allowReassociation),
               total, allowReassociation);
}

//===----------------------------------------------------------------------===//
// Patterns
//===----------------------------------------------------------------------===//

namespace {

/// Before:  %s = linalg.batch_matmul ins(%q, %k)
///          %r = linalg.generic ins(%s) { %s * 0.125 }
/// After:   %p = linalg.generic ins(%q) { %q * 0.125 }
///          %r = linalg.batch_matmul ins(%p, %k)
/// Not applied when a guard of `planScores` refuses; see the pass.
struct MoveScaleOffScores : public RewritePattern {
  MoveScaleOffScores(MLIRContext *context, bool allowReassociation,
                     ScalingObserver observer)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context),
        allowReassociation(allowReassociation), observer(std::move(observer)) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    Refusal refusal;
    std::optional<ScoresPlan> plan =
        planScores(op, allowReassociation, refusal);
    if (!plan)
      return rewriter.notifyMatchFailure(op, refusal);
    if (observer)
      observer(op, plan->site ? describe(*plan->site, plan->scale)
                              : "a scale of 1 is gone");
    applyScores(rewriter, op, *plan, allowReassociation);
    return success();
  }

  bool allowReassociation;
  ScalingObserver observer;
};

/// Before:  %p = linalg.generic ins(%q) { %q * 0.5 }
///          %t = linalg.generic ins(%k) { %k * 0.25 }
///          %s = linalg.batch_matmul ins(%p, %t)
/// After:   %p = linalg.generic ins(%q) { %q * 0.125 }
///          %s = linalg.batch_matmul ins(%p, %k)
/// Also one scale into a constant, or to the smaller operand. Not applied when
/// a guard of `planOperands` refuses.
struct MergeOperandScales : public OpInterfaceRewritePattern<LinalgOp> {
  MergeOperandScales(MLIRContext *context, bool allowReassociation,
                     ScalingObserver observer)
      : OpInterfaceRewritePattern(context),
        allowReassociation(allowReassociation), observer(std::move(observer)) {}

  LogicalResult matchAndRewrite(LinalgOp op,
                                PatternRewriter &rewriter) const override {
    Refusal refusal;
    std::optional<OperandsPlan> plan =
        planOperands(op, allowReassociation, refusal);
    if (!plan)
      return rewriter.notifyMatchFailure(op, refusal);
    if (observer)
      observer(op, plan->remark);
    applyOperands(rewriter, op, *plan, allowReassociation);
    return success();
  }

  bool allowReassociation;
  ScalingObserver observer;
};

} // namespace

void relattn::populateRemoveScalingPatterns(RewritePatternSet &patterns,
                                            bool allowReassociation,
                                            ScalingObserver observer) {
  patterns.add<MoveScaleOffScores, MergeOperandScales>(
      patterns.getContext(), allowReassociation, observer);
  // Inputs that only the removed part of a body read.
  linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
}

namespace {
struct RemoveScaling : public relattn::impl::RemoveScalingBase<RemoveScaling> {
  using RemoveScalingBase::RemoveScalingBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateRemoveScalingPatterns(patterns, allowReassociation,
                                  [&](Operation *op, StringRef what) {
                                    ++numRemoved;
                                    emitPassedRemark(op, kRewrite, what);
                                  });
    // From the top, so that remarks come in the order of the ops.
    GreedyRewriteConfig config;
    config.setUseTopDownTraversal();
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      return signalPassFailure();
    getOperation()->walk([&](Operation *op) {
      Refusal refusal;
      if (planScores(op, allowReassociation, refusal))
        return;
      if (auto contraction = dyn_cast<LinalgOp>(op);
          contraction && refusal.empty())
        (void)planOperands(contraction, allowReassociation, refusal);
      if (refusal.empty())
        return;
      ++numRefused;
      emitMissedRemark(op, kRewrite, refusal);
    });
  }
};
} // namespace
