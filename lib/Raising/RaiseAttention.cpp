//===- RaiseAttention.cpp - From linalg to relattn.attention --------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds the op from what AttentionMatch.h found.
//
//===----------------------------------------------------------------------===//

#include "../Transforms/ScoresTrace.h"
#include "AttentionMatch.h"
#include "Materialize.h"
#include "RaisedBias.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "relattn/Raising/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_RAISEATTENTION
#include "relattn/Raising/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

static constexpr StringLiteral kRewrite = "RaiseAttention";

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

namespace {
/// A tensor, and which dimension of the attention each of its dimensions is.
struct MappedValue {
  Value tensor;
  SmallVector<unsigned> dimensions;
};

class AttentionBuilder {
public:
  AttentionBuilder(OpBuilder &builder, ExprContext &context,
                   const AttentionMatch &match)
      : builder(builder), context(context), match(match),
        loc(match.root->getLoc()) {}

  /// Builds the op and replaces the uses of what it computes.
  void build();

private:
  std::optional<unsigned> getDimension(unsigned variable) const {
    for (unsigned i = 0; i < AttentionOp::kNumDimensions; ++i)
      if (match.variables[i] == variable)
        return i;
    return std::nullopt;
  }
  MappedValue getOperand(const Expr *leaf, ArrayRef<unsigned> required);
  MappedValue getMasklike(const Expr *expr);
  void addUnits(MappedValue &value, ArrayRef<unsigned> required);
  AffineMap getMap(const MappedValue &value) {
    return AttentionOp::getMap(builder.getContext(), value.dimensions);
  }
  Value restore(Value result, Type type, ArrayRef<SmallVector<unsigned>> digits,
                unsigned units);
  Value permute(Value tensor, ArrayRef<unsigned> from,
                ArrayRef<SmallVector<unsigned>> to, unsigned units);
  void replaceLogSumExp(const LogSumExpUse &use, Value lse,
                        ArrayRef<unsigned> variables, unsigned units);

  OpBuilder &builder;
  ExprContext &context;
  const AttentionMatch &match;
  Location loc;
};
} // namespace

/// Dimensions of size 1 that the op asks for are added at the end.
void AttentionBuilder::addUnits(MappedValue &value,
                                ArrayRef<unsigned> required) {
  SmallVector<unsigned> missing;
  for (unsigned dimension : required)
    if (!llvm::is_contained(value.dimensions, dimension))
      missing.push_back(dimension);
  if (missing.empty())
    return;
  auto type = cast<RankedTensorType>(value.tensor.getType());
  SmallVector<int64_t> shape(type.getShape());
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < type.getRank(); ++i)
    groups.push_back({i});
  for (unsigned dimension : missing) {
    if (!groups.empty())
      groups.back().push_back(shape.size());
    shape.push_back(1);
    value.dimensions.push_back(dimension);
  }
  value.tensor = tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()),
      value.tensor, groups);
}

MappedValue AttentionBuilder::getOperand(const Expr *leaf,
                                         ArrayRef<unsigned> required) {
  MappedValue value;
  SmallVector<unsigned> order;
  value.tensor = reshapeLeaf(builder, loc, context, leaf, order);
  if (!value.tensor) {
    // A part of a tensor, or a diagonal: copied.
    Variables used = getVariables(leaf);
    order.clear();
    for (const auto &variable : match.variables)
      if (variable && used.contains(*variable))
        order.push_back(*variable);
    value.tensor = materialize(builder, loc, context, leaf, order);
  }
  for (unsigned variable : order)
    value.dimensions.push_back(*getDimension(variable));
  addUnits(value, required);
  return value;
}

/// A mask or dense bias, over the dimensions that it depends on.
MappedValue AttentionBuilder::getMasklike(const Expr *expr) {
  MappedValue value;
  SmallVector<unsigned> order;
  if (expr->kind == Expr::Kind::Element && expr->tensor)
    value.tensor = reshapeLeaf(builder, loc, context, expr, order);
  if (!value.tensor) {
    Variables used = getVariables(expr);
    order.clear();
    for (const auto &variable : match.variables)
      if (variable && used.contains(*variable))
        order.push_back(*variable);
    value.tensor = materialize(builder, loc, context, expr, order);
  }
  for (unsigned variable : order)
    value.dimensions.push_back(*getDimension(variable));
  return value;
}

/// A result in the shape of what it replaces: `units` dimensions at the end go,
/// digits of one dimension join, dimensions of size 1 return.
Value AttentionBuilder::restore(Value output, Type targetType,
                                ArrayRef<SmallVector<unsigned>> digitsOfDims,
                                unsigned units) {
  auto type = cast<RankedTensorType>(output.getType());
  auto target = cast<RankedTensorType>(targetType);
  SmallVector<ReassociationIndices> groups;
  SmallVector<int64_t> shape;
  int64_t next = 0;
  for (auto [dim, digits] : llvm::enumerate(digitsOfDims)) {
    if (digits.empty())
      continue;
    ReassociationIndices group;
    for (size_t i = 0; i < digits.size(); ++i)
      group.push_back(next++);
    groups.push_back(group);
    shape.push_back(target.getDimSize(dim));
  }
  for (unsigned i = 0; i < units; ++i) {
    if (!groups.empty())
      groups.back().push_back(next);
    ++next;
  }
  if (static_cast<int64_t>(shape.size()) != type.getRank())
    output = tensor::CollapseShapeOp::create(
        builder, loc, RankedTensorType::get(shape, type.getElementType()),
        output, groups);
  if (output.getType() == target)
    return output;
  SmallVector<ReassociationIndices> parts;
  ReassociationIndices part;
  for (int64_t dim = 0; dim < target.getRank(); ++dim) {
    part.push_back(dim);
    if (digitsOfDims[dim].empty())
      continue;
    parts.push_back(part);
    part.clear();
  }
  if (!part.empty() && !parts.empty())
    parts.back().append(part.begin(), part.end());
  return tensor::ExpandShapeOp::create(builder, loc, target, output, parts);
}

/// The dimensions of `tensor`, which are `from` and then `units` of size 1, in
/// the order of the digits.
Value AttentionBuilder::permute(Value tensor, ArrayRef<unsigned> from,
                                ArrayRef<SmallVector<unsigned>> to,
                                unsigned units) {
  SmallVector<int64_t> order;
  for (ArrayRef<unsigned> digits : to)
    for (unsigned var : digits)
      order.push_back(std::distance(from.begin(), llvm::find(from, var)));
  for (unsigned i = 0; i < units; ++i)
    order.push_back(from.size() + i);
  if (isIdentityPermutation(order))
    return tensor;
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim : order)
    sizes.push_back(relattn::getDimension(builder, loc, tensor, dim));
  Value init = tensor::EmptyOp::create(builder, loc, sizes,
                                       getElementTypeOrSelf(tensor));
  return linalg::TransposeOp::create(builder, loc, tensor, init, order)
      ->getResult(0);
}

/// Replaces a log-sum-exp. What reads it stands behind the attention then.
void AttentionBuilder::replaceLogSumExp(const LogSumExpUse &use, Value lse,
                                        ArrayRef<unsigned> variables,
                                        unsigned units) {
  Value old = use.op->getResult(0);
  Type element = getElementTypeOrSelf(old);
  if (getElementTypeOrSelf(lse) != element)
    lse = arith::TruncFOp::create(
        builder, loc, cast<RankedTensorType>(lse.getType()).clone(element),
        lse);
  lse = restore(permute(lse, variables, use.digits, units), old.getType(),
                use.digits, units);
  llvm::SetVector<Operation *> readers;
  getForwardSlice(use.op, &readers);
  SmallVector<Operation *> early;
  for (Operation *reader : readers)
    if (reader->getBlock() == match.root->getBlock() &&
        reader->isBeforeInBlock(match.root))
      early.push_back(reader);
  llvm::sort(early,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  for (Operation *reader : early)
    reader->moveBefore(match.root);
  old.replaceAllUsesWith(lse);
}

void AttentionBuilder::build() {
  using Op = AttentionOp;
  MappedValue query = getOperand(match.query, {Op::M, Op::D});
  MappedValue key = getOperand(match.key, {Op::N, Op::D});
  MappedValue value = getOperand(match.value, {Op::N, Op::E});

  // The destination.
  SmallVector<OpFoldResult> sizes;
  SmallVector<unsigned> dimensions;
  for (unsigned variable : match.output) {
    sizes.push_back(getSize(builder, loc, context, variable));
    dimensions.push_back(*getDimension(variable));
  }
  unsigned units = 0;
  for (unsigned dimension : {unsigned(Op::M), unsigned(Op::E)}) {
    if (match.variables[dimension])
      continue;
    sizes.push_back(builder.getIndexAttr(1));
    dimensions.push_back(dimension);
    ++units;
  }
  Value result = match.root->getResult(0);
  SmallVector<Value> inits = {tensor::EmptyOp::create(
      builder, loc, sizes, getElementTypeOrSelf(result))};
  SmallVector<unsigned> lseVariables;
  if (!match.logSumExps.empty()) {
    SmallVector<OpFoldResult> lseSizes;
    for (unsigned dimension : {Op::B, Op::G, Op::R, Op::M}) {
      const auto *found = llvm::find(dimensions, dimension);
      if (found == dimensions.end())
        continue;
      lseSizes.push_back(sizes[found - dimensions.begin()]);
      if (auto variable = match.variables[dimension])
        lseVariables.push_back(*variable);
    }
    inits.push_back(tensor::EmptyOp::create(
        builder, loc, lseSizes, Op::getAccumulatorType(match.query->type)));
  }

  MLIRContext *mlirContext = builder.getContext();
  OperationState state(loc, Op::getOperationName());
  SmallVector<Value> bias, zero, mask, offset;
  BiasSchemeAttrInterface scheme;
  if (BiasOp raised = match.biasOp) {
    scheme = match.biasOpScheme;
    bias.push_back(raised.getBias());
    if (Value own = raised.getZero())
      zero.push_back(own);
  } else if (match.offsetBias) {
    SmallVector<unsigned> heads;
    for (unsigned dimension : {unsigned(Op::G), unsigned(Op::R)})
      if (match.variables[dimension])
        heads.push_back(*match.variables[dimension]);
    scheme = match.offsetBias->scheme;
    bias.push_back(buildTable(builder, loc, context, *match.offsetBias, heads));
    if (match.offsetBias->zero)
      zero.push_back(arith::ConstantIndexOp::create(builder, loc,
                                                    *match.offsetBias->zero));
  } else if (match.denseBias) {
    MappedValue dense = getMasklike(match.denseBias);
    bias.push_back(dense.tensor);
    scheme = cast<BiasSchemeAttrInterface>(
        Attribute(DenseAttr::get(mlirContext, getMap(dense))));
  }
  AffineMap maskMap;
  if (const Expr *expr =
          match.additiveMask ? match.additiveMask : match.booleanMask) {
    MappedValue masklike = getMasklike(expr);
    mask.push_back(masklike.tensor);
    maskMap = getMap(masklike);
  }
  if (match.queryOffsetTensor)
    offset.push_back(match.queryOffsetTensor);
  else if (!(match.queryOffset == Linear()))
    offset.push_back(
        materializeIndex(builder, loc, context, match.queryOffset));

  MappedValue output{inits[0], dimensions};
  SmallVector<AffineMap> maps = {getMap(query), getMap(key), getMap(value),
                                 getMap(output)};
  auto op = Op::create(
      builder, loc, inits[0].getType(),
      inits.size() > 1 ? inits[1].getType() : Type(), query.tensor, key.tensor,
      value.tensor, bias.empty() ? Value() : bias[0],
      zero.empty() ? Value() : zero[0], mask.empty() ? Value() : mask[0],
      offset.empty() ? Value() : offset[0], match.keyLengths, inits,
      builder.getAffineMapArrayAttr(maps), builder.getF64FloatAttr(match.scale),
      scheme, match.band ? *match.band : BandAttr(),
      maskMap ? AffineMapAttr::get(maskMap) : AffineMapAttr());
  unsigned lseUnits = match.variables[Op::M] ? 0 : 1;
  for (const LogSumExpUse &use : match.logSumExps)
    replaceLogSumExp(use, op.getLse(), lseVariables, lseUnits);
  result.replaceAllUsesWith(
      restore(op.getOutput(), result.getType(), match.outputDigits, units));
}

//===----------------------------------------------------------------------===//
// Pass
//===----------------------------------------------------------------------===//

namespace {
struct RaiseAttention
    : public relattn::impl::RaiseAttentionBase<RaiseAttention> {
  using RaiseAttentionBase::RaiseAttentionBase;

  void runOnOperation() override {
    SmallVector<Operation *> candidates;
    getOperation()->walk([&](Operation *op) {
      if (op->getNumResults() == 1 && !op->getParentOfType<LinalgOp>())
        candidates.push_back(op);
    });
    AttentionMatchOptions options;
    options.assumeBoundedScores = assumeBoundedScores;
    for (Operation *op : candidates)
      raise(op, options);
  }

  void raise(Operation *op, const AttentionMatchOptions &options) {
    ExprContext context;
    Mismatch refusal;
    std::optional<AttentionMatch> match =
        matchAttention(context, op, options, refusal);
    if (!match) {
      if (refusal) {
        ++numRefused;
        emitMissedRemark(refusal.op ? refusal.op : op, kRewrite,
                         refusal.reason);
      }
      return;
    }
    OpBuilder builder(op);
    AttentionBuilder(builder, context, *match).build();
    ++numRaised;
    emitPassedRemark(op, kRewrite, "attention");
    // From the output back: what is pure goes by itself, what asserts only what
    // is proved has to be told.
    if (!match->proven.empty()) {
      llvm::SetVector<Operation *> unread = match->proven;
      unread.insert(op);
      eraseUnread(unread);
    }
  }
};
} // namespace
