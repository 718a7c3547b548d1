//===- RaiseBias.cpp - From bucket chains to relattn.bias -----------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Raises the largest values that are a function of head and offset.
//
//===----------------------------------------------------------------------===//

#include "../Transforms/ScoresTrace.h"
#include "Materialize.h"
#include "RaisedBias.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "relattn/Raising/Passes.h"

namespace mlir::relattn {
#define GEN_PASS_DEF_RAISEBIAS
#include "relattn/Raising/Passes.h.inc"
} // namespace mlir::relattn

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

static constexpr StringLiteral kRewrite = "RaiseBias";

Value relattn::buildTable(OpBuilder &builder, Location loc,
                          ExprContext &context, const OffsetBias &bias,
                          ArrayRef<unsigned> heads) {
  bool dependsOnHead = llvm::any_of(
      heads, [&](unsigned var) { return llvm::is_contained(bias.heads, var); });
  // A table is [rows, H], a strip [H, rows], slopes [H].
  bool isStrip = isa<StripAttr>(Attribute(bias.scheme));
  SmallVector<unsigned> variables;
  if (bias.rows && !isStrip)
    variables.push_back(bias.row);
  if (dependsOnHead)
    llvm::append_range(variables, heads);
  if (isStrip)
    variables.push_back(bias.row);
  // A table read as it is keeps its own dimension of heads.
  const Expr *operand = bias.operand;
  Value table = materialize(builder, loc, context, operand, variables);
  auto type = cast<RankedTensorType>(table.getType());
  if (!dependsOnHead || heads.size() < 2)
    return table;
  // The heads of groups and those within one are one dimension.
  SmallVector<ReassociationIndices> groups;
  SmallVector<int64_t> shape;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    bool isJoined = variables[dim] == heads[1];
    if (!isJoined) {
      groups.push_back({dim});
      shape.push_back(type.getDimSize(dim));
      continue;
    }
    groups.back().push_back(dim);
    bool isDynamic =
        ShapedType::isDynamic(shape.back()) || type.isDynamicDim(dim);
    shape.back() =
        isDynamic ? ShapedType::kDynamic : shape.back() * type.getDimSize(dim);
  }
  return tensor::CollapseShapeOp::create(
      builder, loc, RankedTensorType::get(shape, type.getElementType()), table,
      groups);
}

void relattn::eraseUnread(const llvm::SetVector<Operation *> &proven) {
  // From the last to the first, each with what only it read.
  SmallVector<Operation *> worklist(proven.begin(), proven.end());
  llvm::SetVector<Operation *> erased;
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val();
    if (erased.contains(op) || !op->use_empty() ||
        (!proven.contains(op) && !isOpTriviallyDead(op)))
      continue;
    llvm::SetVector<Operation *> producers;
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (Operation *producer = operand.getDefiningOp())
          if (!op->isAncestor(producer))
            producers.insert(producer);
    });
    erased.insert(op);
    op->erase();
    llvm::append_range(worklist, producers);
  }
}

namespace {

/// A value that is a bias: its variables, by dimension.
struct BiasValue {
  Value value;
  OffsetBias bias;
  SmallVector<const Expr *> indices;
  unsigned query, key;
  std::optional<unsigned> head;
};

struct RaiseBias : public relattn::impl::RaiseBiasBase<RaiseBias> {
  using RaiseBiasBase::RaiseBiasBase;

  void runOnOperation() override {
    // From the last to the first: the largest expressions, not their parts.
    SmallVector<Operation *> candidates;
    getOperation()->walk([&](Operation *op) {
      if (op->getNumResults() == 1 && !op->getParentOfType<LinalgOp>())
        candidates.push_back(op);
    });
    for (Operation *op : candidates)
      classify(op);
    for (Operation *op : llvm::reverse(candidates))
      if (positional.contains(op) && !computed.contains(op))
        raise(op);
    positional.clear();
    computed.clear();
    eraseUnread(proven);
    dead.clear();
    proven.clear();
  }

  void classify(Operation *op);
  void raise(Operation *op);
  std::optional<BiasValue> match(ExprContext &context, Value value,
                                 Mismatch &refusal);
  void build(OpBuilder &builder, ExprContext &context, BiasValue &found);

  /// Ops whose elements depend on positions, and those that depend on a
  /// reduction (a product of activations, a norm), found in one walk: without
  /// it each value of a residual stream would be followed back to its
  /// beginning.
  llvm::DenseSet<Operation *> positional, computed;
  /// Ops without a live reader.
  llvm::DenseSet<Operation *> dead;
  /// Ops whose assertions are proved, to be erased once nothing reads them.
  llvm::SetVector<Operation *> proven;
};

} // namespace

void RaiseBias::classify(Operation *op) {
  auto linalgOp = dyn_cast<LinalgOp>(op);
  bool isReduction = isa<linalg::SoftmaxOp>(op) ||
                     (linalgOp && linalgOp.getNumReductionLoops() != 0);
  bool mayHoldOneHot = false;
  if (linalgOp)
    for (Operation &inner : *linalgOp.getBlock()) {
      if (isa<linalg::IndexOp>(inner))
        positional.insert(op);
      mayHoldOneHot |= isa<arith::CmpIOp>(inner);
    }
  for (Value operand : op->getOperands()) {
    Attribute constant;
    if (matchPattern(operand, m_Constant(&constant)) &&
        isa<ElementsAttr>(constant) &&
        isa<IntegerType>(getElementTypeOrSelf(operand)))
      positional.insert(op);
    Operation *producer = operand.getDefiningOp();
    if (!producer)
      continue;
    if (positional.contains(producer))
      positional.insert(op);
    if (computed.contains(producer))
      computed.insert(op);
    mayHoldOneHot |= isReduction && positional.contains(producer);
  }
  // A one-hot product reads rows of a table, computed or not.
  if (isReduction) {
    if (linalgOp && isSumOfProducts(linalgOp) && mayHoldOneHot &&
        positional.contains(op))
      computed.erase(op);
    else
      computed.insert(op);
  }
}

/// The two of `variables` that one index subtracts from each other, or that
/// constant ids are read at; in their order.
static std::optional<std::pair<unsigned, unsigned>>
findPositions(const Expr *expr, ArrayRef<unsigned> variables) {
  std::optional<std::pair<unsigned, unsigned>> positions;
  forEachNode(expr, [&](const Expr *node) {
    bool isIndex = node->kind == Expr::Kind::Index;
    bool isIds = node->kind == Expr::Kind::Element && node->tensor &&
                 isa<IntegerType>(node->type);
    if (positions || (!isIndex && !isIds))
      return;
    Variables used = getVariables(node);
    SmallVector<unsigned> own;
    int64_t sum = 0;
    for (unsigned var : variables) {
      if (!used.contains(var))
        continue;
      own.push_back(var);
      sum += isIndex ? node->linear.coefficient(var) : 0;
    }
    if (own.size() == 2 && sum == 0)
      positions = {own[0], own[1]};
  });
  return positions;
}

std::optional<BiasValue> RaiseBias::match(ExprContext &context, Value value,
                                          Mismatch &refusal) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !isa<FloatType>(type.getElementType()) || type.getRank() < 2 ||
      !isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(
          type.getElementType()))
    return std::nullopt;
  BiasValue found;
  found.value = value;
  SmallVector<unsigned> variables;
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    if (size == 1) {
      found.indices.push_back(context.getIndex(Linear::get(0), {}));
      continue;
    }
    variables.push_back(context.addVariable(value, dim));
    found.indices.push_back(
        context.getIndex(Linear::var(variables.back()), {}));
  }
  if (variables.size() < 2)
    return std::nullopt;
  const Expr *expr =
      context.element(value, found.indices, ExprContext::Depth::Full);
  // A read of something, not the value itself.
  if (expr->kind == Expr::Kind::Element && expr->tensor == value)
    return std::nullopt;
  std::optional<std::pair<unsigned, unsigned>> positions =
      findPositions(expr, variables);
  if (!positions)
    return std::nullopt;
  // The last position is the key's, unless T5's buckets say otherwise.
  std::tie(found.query, found.key) = *positions;
  std::optional<OffsetBias> bias = analyzeOffsetBias(
      context, &getContext(), expr, found.query, found.key, refusal);
  if (!bias)
    return std::nullopt;
  if (isa<StepsAttr>(Attribute(bias->scheme))) {
    Mismatch ignored;
    std::optional<OffsetBias> turned = analyzeOffsetBias(
        context, &getContext(), expr, found.key, found.query, ignored);
    if (turned && isa<T5Attr>(Attribute(turned->scheme))) {
      bias = turned;
      std::swap(found.query, found.key);
    }
  }
  if (bias->heads.size() > 1 ||
      (bias->heads.size() == 1 &&
       !llvm::is_contained(variables, bias->heads[0]))) {
    refusal.set("the bias depends on more than the head and the offset",
                bias->operand);
    return std::nullopt;
  }
  if (!bias->heads.empty())
    found.head = bias->heads[0];
  found.bias = *bias;
  return found;
}

void RaiseBias::build(OpBuilder &builder, ExprContext &context,
                      BiasValue &found) {
  Location loc = found.value.getLoc();
  auto type = cast<RankedTensorType>(found.value.getType());
  SmallVector<unsigned> heads;
  if (found.head)
    heads.push_back(*found.head);
  Value table = buildTable(builder, loc, context, found.bias, heads);
  // [H, M, N]
  SmallVector<OpFoldResult> sizes = {builder.getIndexAttr(1)};
  if (found.head)
    sizes[0] = getSize(builder, loc, context, *found.head);
  sizes.push_back(getSize(builder, loc, context, found.query));
  sizes.push_back(getSize(builder, loc, context, found.key));
  Value init =
      tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
  Value offset;
  if (!(found.bias.queryOffset == Linear()))
    offset = materializeIndex(builder, loc, context, found.bias.queryOffset);
  Value zero;
  if (found.bias.zero)
    zero = arith::ConstantIndexOp::create(builder, loc, *found.bias.zero);
  Value dense = BiasOp::create(builder, loc, init.getType(), found.bias.scheme,
                               table, init, zero, offset);
  // Back to the value's own dimensions.
  SmallVector<AffineExpr> results;
  auto getDim = [&](std::optional<unsigned> var) -> AffineExpr {
    for (auto [dim, index] : llvm::enumerate(found.indices))
      if (var && index->linear.getVar() == var)
        return builder.getAffineDimExpr(dim);
    return builder.getAffineConstantExpr(0);
  };
  results = {getDim(found.head), getDim(found.query), getDim(found.key)};
  AffineMap map =
      AffineMap::get(type.getRank(), 0, results, builder.getContext());
  Value result;
  if (map.isIdentity()) {
    result = dense;
  } else {
    SmallVector<OpFoldResult> outSizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      outSizes.push_back(getDimension(builder, loc, found.value, dim));
    Value empty =
        tensor::EmptyOp::create(builder, loc, outSizes, type.getElementType());
    SmallVector<utils::IteratorType> iterators(type.getRank(),
                                               utils::IteratorType::parallel);
    result = linalg::GenericOp::create(
                 builder, loc, empty.getType(), dense, empty,
                 ArrayRef<AffineMap>{
                     map, builder.getMultiDimIdentityMap(type.getRank())},
                 iterators,
                 [](OpBuilder &b, Location bodyLoc, ValueRange args) {
                   linalg::YieldOp::create(b, bodyLoc, args[0]);
                 })
                 .getResult(0);
  }
  if (result.getType() != type)
    result = tensor::CastOp::create(builder, loc, type, result);
  // Sizes of the new ops may be those of the old value.
  found.value.replaceUsesWithIf(result, [](OpOperand &use) {
    return !isa<tensor::DimOp>(use.getOwner());
  });
}

void RaiseBias::raise(Operation *op) {
  // Bottom up, what only raised values read has no live reader any more.
  if (isa<BiasOp>(op) || llvm::all_of(op->getUsers(), [&](Operation *user) {
        return dead.contains(user);
      })) {
    dead.insert(op);
    return;
  }
  ExprContext context;
  Mismatch refusal;
  std::optional<BiasValue> found = match(context, op->getResult(0), refusal);
  if (!found) {
    // A remark where a gather is not a bias: at the gather.
    if (refusal && context.getAsserting().contains(op)) {
      ++numRefused;
      emitMissedRemark(refusal.op ? refusal.op : op, kRewrite, refusal.reason);
    }
    return;
  }
  OpBuilder builder(op->getContext());
  builder.setInsertionPointAfter(op);
  build(builder, context, *found);
  if (found->bias.isInBounds)
    proven.insert(context.getAsserting().begin(), context.getAsserting().end());
  dead.insert(op);
  ++numRaised;
  emitPassedRemark(op, kRewrite, "a function of the offset");
}
