//===- Scale.cpp - A factor of a whole tensor and where it can go ---------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "Scale.h"
#include "ScoresTrace.h"
#include "UniformScalar.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

bool Scale::isOne() const { return constant && constant->isExactlyValue(1.0); }

bool Scale::isPowerOfTwo() const {
  if (!constant)
    return false;
  int exponent = constant->getExactLog2Abs();
  // f16: 2^-4 to 2^4, f32: 2^-32 to 2^32. Beyond, the scaled operand leaves the
  // type's range where the scaled scores would not.
  int limit = (APFloat::semanticsMaxExponent(constant->getSemantics()) + 1) / 4;
  return exponent != INT_MIN && std::abs(exponent) <= limit;
}

/// Whether multiplying by `number` keeps most of a type's range.
static bool isUsable(const APFloat &number) {
  return number.isFiniteNonZero() && !number.isDenormal();
}

bool Scale::mayMergeWith(const Scale &other) const {
  if (constant && other.constant) {
    APFloat product = *constant;
    product.multiply(*other.constant, APFloat::rmNearestTiesToEven);
    if (!isUsable(product))
      return false;
  }
  return isPowerOfTwo() || other.isPowerOfTwo() ||
         (mayReassociate && other.mayReassociate);
}

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

std::optional<Scale> relattn::matchScale(Operation *op, unsigned scaled,
                                         LinalgOp owner,
                                         bool allowReassociation) {
  bool isDivisor = isa<arith::DivFOp>(op);
  if (!isDivisor && !isa<arith::MulFOp>(op))
    return std::nullopt;
  Value number = op->getOperand(1 - scaled);
  if ((isDivisor && scaled != 0) || !isUniform(number, owner))
    return std::nullopt;
  Scale scale;
  auto flags = cast<arith::ArithFastMathInterface>(op).getFastMathFlagsAttr();
  scale.flags =
      flags.getValue() &
      (arith::FastMathFlags::reassoc | arith::FastMathFlags::contract |
       arith::FastMathFlags::arcp | arith::FastMathFlags::afn);
  scale.mayReassociate =
      allowReassociation ||
      bitEnumContainsAll(scale.flags, arith::FastMathFlags::reassoc);
  scale.constant = getUniformConstant(number, owner);
  if (!scale.constant) {
    scale.value = number;
    scale.owner = owner;
    scale.isDivisor = isDivisor;
    return scale;
  }
  if (!isUsable(*scale.constant))
    return std::nullopt;
  if (isDivisor) {
    APFloat inverse = APFloat::getOne(scale.constant->getSemantics());
    inverse.divide(*scale.constant, APFloat::rmNearestTiesToEven);
    if (!isUsable(inverse))
      return std::nullopt;
    scale.constant = inverse;
  }
  return scale;
}

/// Matches `op` as a linalg op whose body is one multiplication of one operand,
/// read and written at the same place.
static std::optional<ScaleOp> matchLinalgScaleOp(LinalgOp op,
                                                 bool allowReassociation) {
  if (op->getNumResults() != 1 || op.getNumParallelLoops() != op.getNumLoops())
    return std::nullopt;
  auto yield = dyn_cast<linalg::YieldOp>(op.getBlock()->getTerminator());
  Operation *product = yield ? yield.getOperand(0).getDefiningOp() : nullptr;
  AffineMap outMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!product || product->getBlock() != op.getBlock() ||
      product->getNumOperands() != 2 || !outMap.isPermutation())
    return std::nullopt;
  // An assertion in the body is more than a multiplication.
  if (!llvm::all_of(op.getBlock()->without_terminator(), [](Operation &inner) {
        return isMemoryEffectFree(&inner);
      }))
    return std::nullopt;
  for (OpOperand &factor : product->getOpOperands()) {
    auto argument = dyn_cast<BlockArgument>(factor.get());
    if (!argument || argument.getOwner() != op.getBlock() ||
        argument.getArgNumber() >= op.getNumDpsInputs())
      continue;
    OpOperand &source = op->getOpOperand(argument.getArgNumber());
    if (source.get().getType() != op->getResult(0).getType() ||
        op.getMatchingIndexingMap(&source) != outMap)
      continue;
    if (std::optional<Scale> scale = matchScale(
            product, factor.getOperandNumber(), op, allowReassociation))
      return ScaleOp{&source, *scale};
  }
  return std::nullopt;
}

std::optional<ScaleOp> relattn::matchScaleOp(Operation *op,
                                             bool allowReassociation) {
  if (auto linalgOp = dyn_cast_or_null<LinalgOp>(op))
    return matchLinalgScaleOp(linalgOp, allowReassociation);
  if (!isa_and_nonnull<arith::MulFOp, arith::DivFOp>(op) ||
      !isa<RankedTensorType>(op->getResult(0).getType()))
    return std::nullopt;
  for (OpOperand &source : op->getOpOperands())
    if (std::optional<Scale> scale = matchScale(op, source.getOperandNumber(),
                                                nullptr, allowReassociation))
      return ScaleOp{&source, *scale};
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Arithmetic on scales
//===----------------------------------------------------------------------===//

Value relattn::materialize(RewriterBase &rewriter, Location loc, FloatType type,
                           const Scale &scale) {
  if (scale.constant)
    return arith::ConstantOp::create(rewriter, loc,
                                     FloatAttr::get(type, *scale.constant));
  Value number = materializeUniform(rewriter, scale.value, scale.owner);
  if (!scale.isDivisor)
    return number;
  Value one = arith::ConstantOp::create(rewriter, loc,
                                        rewriter.getFloatAttr(type, 1.0));
  return arith::DivFOp::create(rewriter, loc, one, number);
}

Scale relattn::mergeScales(RewriterBase &rewriter, Location loc, FloatType type,
                           const Scale &lhs, const Scale &rhs) {
  Scale merged;
  merged.mayReassociate = lhs.mayReassociate && rhs.mayReassociate;
  merged.flags = lhs.flags & rhs.flags;
  if (lhs.constant && rhs.constant) {
    merged.constant = lhs.constant;
    merged.constant->multiply(*rhs.constant, APFloat::rmNearestTiesToEven);
    return merged;
  }
  Value left = materialize(rewriter, loc, type, lhs);
  Value right = materialize(rewriter, loc, type, rhs);
  merged.value = arith::MulFOp::create(rewriter, loc, left, right);
  return merged;
}

Scale relattn::detach(RewriterBase &rewriter, Location loc, FloatType type,
                      const Scale &scale) {
  if (scale.constant)
    return scale;
  Scale detached = scale;
  detached.value = materialize(rewriter, loc, type, scale);
  detached.owner = nullptr;
  detached.isDivisor = false;
  return detached;
}

//===----------------------------------------------------------------------===//
// Sites
//===----------------------------------------------------------------------===//

std::optional<int64_t> relattn::getStaticSize(Value tensor) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || !type.hasStaticShape())
    return std::nullopt;
  return type.getNumElements();
}

OpOperand *relattn::skipLayoutMoves(OpOperand &use) {
  OpOperand *current = &use;
  while (current->get().hasOneUse()) {
    Operation *op = current->get().getDefiningOp();
    if (!isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
                         tensor::CastOp, linalg::TransposeOp>(op))
      break;
    current = &op->getOpOperand(0);
  }
  return current;
}

/// The operand of `op` that has every element of its result, and only those, if
/// there is one: scaling it scales the result.
static OpOperand *getScaledOperand(Operation *op) {
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp,
          linalg::TransposeOp, linalg::BroadcastOp>(op))
    return &op->getOpOperand(0);
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || generic->getNumResults() != 1 ||
      generic.getNumReductionLoops() != 0)
    return nullptr;
  Value yielded = generic.getBody()->getTerminator()->getOperand(0);
  // A copy, perhaps a broadcasting one.
  if (auto argument = dyn_cast<BlockArgument>(yielded)) {
    if (argument.getOwner() != generic.getBody() ||
        argument.getArgNumber() >= generic.getNumDpsInputs())
      return nullptr;
    OpOperand *operand = generic.getMatchingOpOperand(argument);
    AffineMap map = generic.getMatchingIndexingMap(operand);
    return isa<RankedTensorType>(operand->get().getType()) &&
                   map.isProjectedPermutation(/*allowZeroInResults=*/true)
               ? operand
               : nullptr;
  }
  // A gather from a table that is smaller than what is gathered.
  auto extract = yielded.getDefiningOp<tensor::ExtractOp>();
  if (!extract || extract->getBlock() != generic.getBody())
    return nullptr;
  std::optional<int64_t> table = getStaticSize(extract.getTensor());
  std::optional<int64_t> result = getStaticSize(generic.getResult(0));
  if (!table || (result && *result <= *table))
    return nullptr;
  return &extract.getTensorMutable();
}

/// The operand of a contraction that a constant (weights) feeds and that can
/// take the scale of the product, or null.
static OpOperand *getConstantWeight(LinalgOp contraction, const Scale &scale) {
  if (!scale.constant || !scale.mayMove() || !startsAtZero(contraction))
    return nullptr;
  Type element = getElementTypeOrSelf(contraction->getResult(0).getType());
  for (OpOperand *input : contraction.getDpsInputOperands()) {
    OpOperand *use = skipLayoutMoves(*input);
    DenseElementsAttr values;
    if (getElementTypeOrSelf(use->get().getType()) == element &&
        matchPattern(use->get(), m_Constant(&values)))
      return input;
  }
  return nullptr;
}

ScaleSite relattn::findScaleSite(OpOperand &use, const Scale &scale,
                                 bool allowReassociation) {
  using Kind = ScaleSite::Kind;
  OpOperand *current = &use;
  while (true) {
    Value tensor = current->get();
    Operation *op = tensor.getDefiningOp();
    DenseElementsAttr values;
    if (scale.constant && matchPattern(tensor, m_Constant(&values)))
      return {Kind::Constant, current};
    // The rest changes the op, which nobody else may see. A run-time scale need
    // not exist yet where the op stands.
    if (!op || !tensor.hasOneUse() || !scale.constant)
      return {Kind::NewOp, current};
    if (auto fill = dyn_cast<linalg::FillOp>(op))
      if (fill.value().getType() == getElementTypeOrSelf(tensor))
        return {Kind::Fill, &fill->getOpOperand(0)};
    if (std::optional<ScaleOp> inner = matchScaleOp(op, allowReassociation);
        inner && inner->scale.constant && scale.mayMergeWith(inner->scale))
      return {Kind::Merge, current};
    if (OpOperand *next = getScaledOperand(op)) {
      current = next;
      continue;
    }
    auto linalgOp = dyn_cast<LinalgOp>(op);
    if (!linalgOp)
      return {Kind::NewOp, current};
    if (linalg::isaContractionOpInterface(linalgOp)) {
      OpOperand *weight = getConstantWeight(linalgOp, scale);
      if (!weight)
        return {Kind::NewOp, current};
      current = weight;
      continue;
    }
    bool isElementwise = isa<linalg::GenericOp>(op) &&
                         op->getNumResults() == 1 &&
                         linalgOp.getNumReductionLoops() == 0;
    return {isElementwise ? Kind::Body : Kind::NewOp, current};
  }
}

/// One pass that scales the value of `use`.
static void createScaleOp(RewriterBase &rewriter, OpOperand &use,
                          const Scale &scale) {
  Operation *owner = use.getOwner();
  // A table is read inside a body: scale it outside.
  while (isa<LinalgOp>(owner->getParentOp()))
    owner = owner->getParentOp();
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(owner);
  Location loc = owner->getLoc();
  Value tensor = use.get();
  auto type = cast<RankedTensorType>(tensor.getType());
  Value number =
      materialize(rewriter, loc, cast<FloatType>(type.getElementType()), scale);
  Value empty = tensor::EmptyOp::create(
      rewriter, loc, tensor::getMixedSizes(rewriter, loc, tensor),
      type.getElementType());
  SmallVector<AffineMap> maps(2,
                              rewriter.getMultiDimIdentityMap(type.getRank()));
  SmallVector<utils::IteratorType> iterators(type.getRank(),
                                             utils::IteratorType::parallel);
  Value scaled =
      linalg::GenericOp::create(
          rewriter, loc, empty.getType(), tensor, empty, maps, iterators,
          [&](OpBuilder &b, Location bodyLoc, ValueRange args) {
            auto flags =
                arith::FastMathFlagsAttr::get(b.getContext(), scale.flags);
            Value product =
                arith::MulFOp::create(b, bodyLoc, args[0], number, flags);
            linalg::YieldOp::create(b, bodyLoc, product);
          })
          .getResult(0);
  if (scaled.getType() != type)
    scaled = tensor::CastOp::create(rewriter, loc, type, scaled);
  rewriter.modifyOpInPlace(use.getOwner(), [&]() { use.set(scaled); });
}

/// One multiplication more in the body that computes the value of `use`.
static void scaleBody(RewriterBase &rewriter, OpOperand &use,
                      const Scale &scale) {
  auto generic = use.get().getDefiningOp<linalg::GenericOp>();
  OpOperand &yielded = generic.getBody()->getTerminator()->getOpOperand(0);
  auto type = cast<FloatType>(yielded.get().getType());
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(generic);
  Value number = materialize(rewriter, generic.getLoc(), type, scale);
  rewriter.setInsertionPoint(yielded.getOwner());
  auto flags =
      arith::FastMathFlagsAttr::get(rewriter.getContext(), scale.flags);
  Value product = arith::MulFOp::create(rewriter, generic.getLoc(),
                                        yielded.get(), number, flags);
  rewriter.modifyOpInPlace(yielded.getOwner(), [&]() { yielded.set(product); });
}

/// Replaces the constant of `use` by its multiple.
static void scaleConstant(RewriterBase &rewriter, OpOperand &use,
                          const Scale &scale) {
  DenseElementsAttr values;
  matchPattern(use.get(), m_Constant(&values));
  auto type = cast<FloatType>(values.getElementType());
  DenseElementsAttr scaled = values.mapValues(type, [&](const APFloat &value) {
    APFloat product = value;
    product.multiply(*scale.constant, APFloat::rmNearestTiesToEven);
    return product.bitcastToAPInt();
  });
  Operation *owner = use.getOwner();
  while (isa<LinalgOp>(owner->getParentOp()))
    owner = owner->getParentOp();
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(owner);
  Value constant = arith::ConstantOp::create(rewriter, use.get().getLoc(),
                                             cast<TypedAttr>(scaled));
  if (constant.getType() != use.get().getType())
    constant = tensor::CastOp::create(rewriter, owner->getLoc(),
                                      use.get().getType(), constant);
  rewriter.modifyOpInPlace(use.getOwner(), [&]() { use.set(constant); });
}

void relattn::applyScale(RewriterBase &rewriter, const ScaleSite &site,
                         const Scale &scale, bool allowReassociation) {
  if (scale.isOne())
    return;
  OpOperand &use = *site.use;
  switch (site.kind) {
  case ScaleSite::Kind::Constant:
    return scaleConstant(rewriter, use, scale);
  case ScaleSite::Kind::Body:
    return scaleBody(rewriter, use, scale);
  case ScaleSite::Kind::NewOp:
    return createScaleOp(rewriter, use, scale);
  case ScaleSite::Kind::Fill: {
    // Zeros stay zeros; their sign does not matter to a sum.
    if (matchPattern(use.get(), m_AnyZeroFloat()))
      return;
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPoint(use.getOwner());
    Location loc = use.getOwner()->getLoc();
    Value number =
        materialize(rewriter, loc, cast<FloatType>(use.get().getType()), scale);
    Value product =
        rewriter.createOrFold<arith::MulFOp>(loc, use.get(), number);
    rewriter.modifyOpInPlace(use.getOwner(), [&]() { use.set(product); });
    return;
  }
  case ScaleSite::Kind::Merge: {
    Operation *op = use.get().getDefiningOp();
    ScaleOp inner = *matchScaleOp(op, allowReassociation);
    auto type = cast<FloatType>(getElementTypeOrSelf(use.get().getType()));
    Scale total = mergeScales(rewriter, op->getLoc(), type, scale, inner.scale);
    Value source = inner.source->get();
    rewriter.modifyOpInPlace(use.getOwner(), [&]() { use.set(source); });
    // A reader less, so that what stands before is this op's alone again.
    if (op->use_empty())
      rewriter.eraseOp(op);
    return applyScale(rewriter, findScaleSite(use, total, allowReassociation),
                      total, allowReassociation);
  }
  }
}
