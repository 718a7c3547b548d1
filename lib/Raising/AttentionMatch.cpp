//===- AttentionMatch.cpp - Attention in plain linalg ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "AttentionMatch.h"
#include "AttentionMatcher.h"
#include "Materialize.h"
#include "SoftmaxMatch.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include <cmath>

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

bool Matcher::assignRoles(AttentionMatch &match, unsigned key,
                          const Expr *depth) {
  using Op = AttentionOp;
  Variables query = getVariables(match.query), keys = getVariables(match.key),
            value = getVariables(match.value);
  std::optional<unsigned> depthVar;
  if (depth)
    depthVar = depth->linear.getVar();
  match.variables[Op::N] = key;
  match.variables[Op::D] = depthVar;
  Variables output(match.output.begin(), match.output.end());
  // What only the values bring.
  for (unsigned var : match.output)
    if (value.contains(var) && !query.contains(var) && !keys.contains(var)) {
      if (match.variables[Op::E]) {
        refusal.set("the values have more than one dimension of their own",
                    match.valuesOp);
        return false;
      }
      match.variables[Op::E] = var;
    }
  // What only the queries bring: the position, and the heads of a group.
  SmallVector<unsigned> own, batch;
  for (unsigned var : match.output) {
    if (match.variables[Op::E] == var)
      continue;
    if (!keys.contains(var) && !value.contains(var))
      own.push_back(var);
    else
      batch.push_back(var);
  }
  if (own.size() > 2 || batch.size() > 2) {
    refusal.set("there are more dimensions than attention has", match.valuesOp);
    return false;
  }
  if (own.size() == 2) {
    // The group shares a dimension with the key's heads, or stands before the
    // position.
    auto isGroup = [&](unsigned var) {
      for (const Expr *index : match.query->operands)
        if (index->kind == Expr::Kind::Index &&
            index->linear.coefficient(var) != 0 &&
            index->linear.terms.size() > 1)
          return true;
      return false;
    };
    if (isGroup(own[1]))
      std::swap(own[0], own[1]);
    match.variables[Op::R] = own[0];
    match.variables[Op::M] = own[1];
  } else if (own.size() == 1) {
    match.variables[Op::M] = own[0];
  }
  if (batch.size() == 2) {
    match.variables[Op::B] = batch[0];
    match.variables[Op::G] = batch[1];
  } else if (batch.size() == 1) {
    match.variables[Op::G] = batch[0];
  }
  // Every variable has a role.
  Variables known;
  for (const auto &var : match.variables)
    if (var)
      known.insert(*var);
  for (const Variables &used : {query, keys, value, output})
    for (unsigned var : used)
      if (!known.contains(var) && !context.getVariable(var).symbol) {
        refusal.set("an operand has a dimension that attention has not",
                    match.scoresOp);
        return false;
      }
  auto has = [&](const Variables &used, unsigned role) {
    return match.variables[role] && used.contains(*match.variables[role]);
  };
  if (has(query, Op::N) || has(query, Op::E) || has(keys, Op::M) ||
      has(keys, Op::E) || has(value, Op::M) || has(value, Op::D)) {
    refusal.set("an operand has a dimension of another", match.scoresOp);
    return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

std::optional<AttentionMatch>
Matcher::matchProduct(Operation *root, const ExprContext::Reduction &values,
                      unsigned side, const Expr *sum,
                      ArrayRef<const Expr *> output) {
  if (values.bound.size() != 1)
    return std::nullopt;
  Operation *valuesOp = LinalgOp(values.op);
  unsigned key = values.bound[0];
  const Expr *probabilities = values.factors[side];
  if (!values.leaves[1 - side])
    return std::nullopt;
  std::optional<SoftmaxMatch> softmax =
      matchSoftmax(context, probabilities, key, refusal);
  if (!softmax)
    return std::nullopt;
  if (softmax->isUnnormalised) {
    if (!sum)
      return refuse("the probabilities are not divided by their sum", valuesOp);
    if (!isSumOf(context, sum, softmax->exponential, key, refusal))
      return std::nullopt;
  } else if (sum) {
    return refuse("the output is divided by a sum once more", root);
  }
  std::optional<double> start = getFloat(skipFloatCasts(values.init));
  if (!start || *start != 0.0)
    return refuse("the value product does not start at zero", valuesOp);

  const Expr *scores = context.resolveSplits(softmax->scores);
  Mismatch first;
  for (const Expr *product : findProducts(scores, key)) {
    hasQueryOffset = false;
    AttentionMatch match;
    match.root = root;
    match.valuesOp = values.op;
    match.value = values.leaves[1 - side];
    if (matchScores(match, scores, product, key, output, softmax->isSafe))
      return match;
    if (!first)
      first = refusal;
  }
  if (!first)
    return refuse("there is no product of queries and keys", scores);
  refusal = first;
  return std::nullopt;
}

/// Matches the attention whose scores, before the softmax, are computed from
/// the product at the leaf `leaf`.
bool Matcher::matchScores(AttentionMatch &match, const Expr *scores,
                          const Expr *leaf, unsigned key,
                          ArrayRef<const Expr *> output, bool isSafe) {
  ScoresParts parts;
  if (!takeApart(scores, leaf, {}, parts))
    return false;
  auto product = context.openReduction(leaf);
  if (!product || !product->factors[0] || product->bound.size() > 1)
    return fail("the scores are no product that can be read", leaf);

  match.scoresOp = product->op;
  match.scale = parts.scale;
  unsigned keySide = getVariables(product->factors[0]).contains(key) ? 0 : 1;
  if (getVariables(product->factors[1 - keySide]).contains(key))
    return fail("both factors of the scores depend on the key", leaf);
  match.key = product->leaves[keySide];
  match.query = product->leaves[1 - keySide];
  // A scale on either operand joins the scores' own.
  for (unsigned i : {keySide, 1 - keySide}) {
    const Expr **operand = i == keySide ? &match.key : &match.query;
    const Expr *whole = skipFloatCasts(product->factors[i]);
    // Through computation that changes nothing, a factor of 1 for one.
    if (*operand && whole->kind == Expr::Kind::Element && whole->tensor &&
        whole->type == (*operand)->type)
      *operand = whole;
    std::optional<double> factor;
    const Expr *source = nullptr;
    if (whole->is("arith.mulf") || whole->is("arith.divf")) {
      for (unsigned j : {0u, 1u}) {
        if (j == 0 && whole->is("arith.divf"))
          continue;
        factor = getFloat(whole->operands[j]);
        source = whole->operands[1 - j];
        if (factor)
          break;
      }
    }
    if (!factor || *factor == 0.0 || source->kind != Expr::Kind::Element ||
        !source->tensor)
      continue;
    match.scale =
        whole->is("arith.mulf") ? match.scale * *factor : match.scale / *factor;
    *operand = source;
  }
  if (!match.query || !match.key)
    return fail("a factor of the scores is computed in their own body", leaf);
  for (const Expr **operand : {&match.query, &match.key, &match.value})
    *operand = context.resolveSplits(*operand);
  if (!std::isfinite(match.scale))
    return fail("the scale is not finite", leaf);
  Type type = match.query->type;
  Type accumulator;
  if (isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type))
    accumulator = AttentionOp::getAccumulatorType(type);
  if (!accumulator || match.key->type != type || match.value->type != type)
    return fail("query, key and value differ in element type",
                match.valuesOp.getOperation());
  const Expr *depth =
      product->bound.empty()
          ? nullptr
          : context.getIndex(Linear::var(product->bound[0]), {});
  if (!readOutput(match, output) || !assignRoles(match, key, depth) ||
      !addTerms(match, parts))
    return false;
  if (!isComputable(match))
    return false;
  if (!isSafe && hidesARow(match))
    return fail("a query that sees no key is NaN here, and 0 in attention",
                scores);
  // Assertions on rows of the table cannot fail.
  if (match.offsetBias && match.offsetBias->isInBounds)
    match.proven = context.getAsserting();
  if (!readUsers(match, leaf, scores))
    return false;
  refusal = {};
  return true;
}

/// Whether every tensor that the op needs can be built from the dimensions of
/// attention and scalars of the program.
bool Matcher::isComputable(const AttentionMatch &match) {
  SmallVector<unsigned> variables;
  for (const auto &variable : match.variables)
    if (variable)
      variables.push_back(*variable);
  auto fail = [&](auto *culprit) {
    refusal.set("a bias or mask cannot be an operand of attention", culprit);
    return false;
  };
  for (const Expr *expr : {match.query, match.key, match.value, match.denseBias,
                           match.additiveMask, match.booleanMask})
    if (expr && !canMaterialize(context, expr, variables))
      return fail(expr);
  Type queryType = match.query->type;
  auto isReadable = [&](Type type) {
    return type == queryType ||
           type == AttentionOp::getAccumulatorType(queryType);
  };
  BiasOp bias = match.biasOp;
  if (bias && !isReadable(getElementTypeOrSelf(bias.getBias())))
    return fail(bias.getOperation());
  if (!match.offsetBias)
    return true;
  const Expr *operand = match.offsetBias->operand;
  if (match.offsetBias->rows)
    variables.push_back(match.offsetBias->row);
  return (isReadable(operand->type) &&
          canMaterialize(context, operand, variables)) ||
         fail(operand);
}

/// The size of a dimension, if it is known.
std::optional<int64_t> Matcher::getSize(const AttentionMatch &match,
                                        unsigned role) {
  std::optional<unsigned> var = match.variables[role];
  return var ? context.getVariable(*var).size : std::optional<int64_t>(1);
}

/// Whether the band provably leaves a key to every query.
bool Matcher::everyRowSeesAKey(const AttentionMatch &match) {
  if (!match.band)
    return true;
  if (match.queryOffsetTensor || !match.queryOffset.isConstant())
    return false;
  int64_t first = match.queryOffset.constant;
  std::optional<int64_t> lo = match.band->getLo(), hi = match.band->getHi();
  if ((hi && first + *hi < 0) || (lo && hi && *lo > *hi))
    return false;
  std::optional<int64_t> queries = getSize(match, AttentionOp::M),
                         keys = getSize(match, AttentionOp::N);
  return !lo || (queries && keys && first + *queries - 1 + *lo < *keys);
}

/// Whether the band provably hides every key from a query.
bool Matcher::hidesARow(const AttentionMatch &match) {
  if (!match.band || match.queryOffsetTensor || !match.queryOffset.isConstant())
    return false;
  std::optional<int64_t> queries = getSize(match, AttentionOp::M),
                         keys = getSize(match, AttentionOp::N);
  // Of an unknown number of queries there is the first.
  for (int64_t i : {int64_t(0), queries.value_or(1) - 1}) {
    int64_t position = i + match.queryOffset.constant;
    std::optional<int64_t> lo = match.band->getLo(), hi = match.band->getHi();
    int64_t first = lo ? std::max<int64_t>(0, position + *lo) : 0;
    int64_t last = keys ? *keys - 1 : kMaxOffset;
    if (hi)
      last = std::min(last, position + *hi);
    if (first > last)
      return true;
  }
  return false;
}

bool Matcher::readOutput(AttentionMatch &match, ArrayRef<const Expr *> output) {
  auto type = dyn_cast<RankedTensorType>(match.root->getResult(0).getType());
  if (!type)
    return false;
  for (auto [index, size] : llvm::zip(output, type.getShape())) {
    const Expr *resolved = context.resolveSplits(index);
    SmallVector<unsigned> digits;
    if (resolved->kind != Expr::Kind::Index ||
        !readDigits(context, resolved->linear, size, digits)) {
      refusal.set("the output has a dimension that cannot be read", match.root);
      return false;
    }
    match.output.append(digits);
    match.outputDigits.push_back(digits);
  }
  Type element = type.getElementType();
  if (element != match.query->type &&
      element != AttentionOp::getAccumulatorType(match.query->type)) {
    refusal.set("the output has another element type", match.root);
    return false;
  }
  return true;
}

/// Whether an exponential stands a few elementwise ops before `value`. Cheap:
/// almost every product in a program ends here.
static bool isNearExponential(Value value) {
  llvm::SetVector<Operation *> ops;
  if (Operation *op = value.getDefiningOp())
    ops.insert(op);
  for (size_t i = 0; i < ops.size() && i < 24; ++i) {
    Operation *op = ops[i];
    if (isa<linalg::SoftmaxOp, math::ExpOp, math::Exp2Op>(op))
      return true;
    auto linalgOp = dyn_cast<LinalgOp>(op);
    if (linalgOp && linalgOp.getNumReductionLoops() != 0)
      continue;
    // Floats alone: sizes have producers of their own.
    auto follow = [&](Operation *reader) {
      for (Value operand : reader->getOperands())
        if (isa<ShapedType>(operand.getType()) &&
            isa<FloatType>(getElementTypeOrSelf(operand)))
          if (Operation *producer = operand.getDefiningOp())
            ops.insert(producer);
    };
    follow(op);
    if (!linalgOp)
      continue;
    for (Operation &inner : *linalgOp.getBlock()) {
      if (isa<math::ExpOp, math::Exp2Op>(inner))
        return true;
      follow(&inner);
    }
  }
  return false;
}

/// Whether `root` can be a value product, or the division of one: told without
/// opening anything.
static bool isCandidate(Operation *root) {
  auto linalgOp = dyn_cast<LinalgOp>(root);
  if (linalgOp && isSumOfProducts(linalgOp)) {
    for (Operation &inner : *linalgOp.getBlock())
      if (isa<math::ExpOp, math::Exp2Op>(inner))
        return true;
    return llvm::any_of(linalgOp.getDpsInputs(), isNearExponential);
  }
  for (Value operand : root->getOperands()) {
    Operation *op = operand.getDefiningOp();
    while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
                           tensor::CastOp, linalg::TransposeOp>(op) ||
           (isa_and_nonnull<linalg::GenericOp>(op) &&
            cast<LinalgOp>(op).getNumDpsInputs() == 1 &&
            cast<LinalgOp>(op).getNumReductionLoops() == 0))
      op = op->getOperand(0).getDefiningOp();
    auto product = dyn_cast_or_null<LinalgOp>(op);
    if (product && isSumOfProducts(product) && isCandidate(product))
      return true;
  }
  return false;
}

std::optional<AttentionMatch> Matcher::run(Operation *root) {
  auto type = dyn_cast<RankedTensorType>(root->getResult(0).getType());
  if (!type || !isa<FloatType>(type.getElementType()) || !isCandidate(root))
    return std::nullopt;
  auto linalgOp = dyn_cast<LinalgOp>(root);
  std::optional<ExprContext::Reduction> values;
  const Expr *sum = nullptr;
  SmallVector<const Expr *> output;
  if (linalgOp && isSumOfProducts(linalgOp)) {
    SmallVector<const Expr *> loops = context.makeLoops(linalgOp);
    values = context.openReduction(linalgOp, 0, loops);
    AffineMap map =
        linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0));
    for (AffineExpr expr : map.getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      if (!dim)
        return std::nullopt;
      output.push_back(loops[dim.getPosition()]);
    }
  } else {
    // A division of the value product by the sum of its weights.
    if (linalgOp && linalgOp.getNumReductionLoops() != 0)
      return std::nullopt;
    if (!linalgOp && !isa<arith::DivFOp, arith::MulFOp>(root))
      return std::nullopt;
    for (auto [dim, size] : llvm::enumerate(type.getShape())) {
      if (size == 1) {
        output.push_back(context.getIndex(Linear::get(0), {}));
        continue;
      }
      Value sized = linalgOp ? linalgOp.getDpsInits()[0] : root->getOperand(0);
      output.push_back(
          context.getIndex(Linear::var(context.addVariable(sized, dim)), {}));
    }
    const Expr *expr =
        context.element(root->getResult(0), output, ExprContext::Depth::Full);
    auto quotient = matchQuotient(expr);
    if (!quotient)
      return std::nullopt;
    auto product =
        quotient->first->kind == Expr::Kind::Element && quotient->first->tensor
            ? quotient->first->tensor.getDefiningOp<LinalgOp>()
            : LinalgOp();
    if (!product || !isSumOfProducts(product))
      return std::nullopt;
    values = context.openReduction(quotient->first);
    sum = quotient->second;
  }
  if (!values || !values->factors[0])
    return std::nullopt;
  Mismatch first;
  for (unsigned side : {0u, 1u}) {
    refusal = {};
    hasQueryOffset = false;
    if (auto match = matchProduct(root, *values, side, sum, output))
      return match;
    if (!first)
      first = refusal;
  }
  refusal = first;
  return std::nullopt;
}

std::optional<AttentionMatch>
relattn::matchAttention(ExprContext &context, Operation *root,
                        const AttentionMatchOptions &options,
                        Mismatch &refusal) {
  return Matcher(context, options, refusal).run(root);
}
