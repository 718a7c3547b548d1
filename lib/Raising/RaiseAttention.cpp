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
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
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

  Value build();

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
  Value restore(Value output, unsigned units);

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
    llvm::SmallDenseSet<unsigned> used;
    collectVariables(leaf, used);
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
    llvm::SmallDenseSet<unsigned> used;
    collectVariables(expr, used);
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

/// The output in the shape of the root's result: `units` dimensions at the end
/// go, digits of one dimension join, dimensions of size 1 return.
Value AttentionBuilder::restore(Value output, unsigned units) {
  auto type = cast<RankedTensorType>(output.getType());
  auto target = cast<RankedTensorType>(match.root->getResult(0).getType());
  SmallVector<ReassociationIndices> groups;
  SmallVector<int64_t> shape;
  int64_t next = 0;
  for (auto [dim, digits] : llvm::enumerate(match.outputDigits)) {
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
    if (match.outputDigits[dim].empty())
      continue;
    parts.push_back(part);
    part.clear();
  }
  if (!part.empty() && !parts.empty())
    parts.back().append(part.begin(), part.end());
  return tensor::ExpandShapeOp::create(builder, loc, target, output, parts);
}

Value AttentionBuilder::build() {
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
  Type element = getElementTypeOrSelf(match.root->getResult(0).getType());
  Value init = tensor::EmptyOp::create(builder, loc, sizes, element);

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

  MappedValue output{init, dimensions};
  SmallVector<AffineMap> maps = {getMap(query), getMap(key), getMap(value),
                                 getMap(output)};
  auto op = Op::create(
      builder, loc, init.getType(), /*lse=*/Type(), query.tensor, key.tensor,
      value.tensor, bias.empty() ? Value() : bias[0],
      zero.empty() ? Value() : zero[0], mask.empty() ? Value() : mask[0],
      offset.empty() ? Value() : offset[0], match.keyLengths, ValueRange(init),
      builder.getAffineMapArrayAttr(maps), builder.getF64FloatAttr(match.scale),
      scheme, match.band ? *match.band : BandAttr(),
      maskMap ? AffineMapAttr::get(maskMap) : AffineMapAttr());
  return restore(op.getOutput(), units);
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
    std::string refusal;
    std::optional<AttentionMatch> match =
        matchAttention(context, op, options, refusal);
    if (!match) {
      if (!refusal.empty()) {
        ++numRefused;
        emitMissedRemark(op, kRewrite, refusal);
      }
      return;
    }
    OpBuilder builder(op);
    Value output = AttentionBuilder(builder, context, *match).build();
    op->getResult(0).replaceAllUsesWith(output);
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
