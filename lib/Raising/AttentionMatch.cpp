//===- AttentionMatch.cpp - Attention in plain linalg ---------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "AttentionMatch.h"
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

namespace {

using Variables = llvm::SmallDenseSet<unsigned>;

Variables getVariables(const Expr *expr) {
  Variables result;
  collectVariables(expr, result);
  return result;
}

/// The scores before the softmax, taken apart.
struct ScoresParts {
  const Expr *product = nullptr;
  double scale = 1.0;
  SmallVector<const Expr *> terms;
  /// Conditions under which a key is visible: the expression, and whether it
  /// must be true.
  SmallVector<std::pair<const Expr *, bool>> conditions;
};

class Matcher {
public:
  Matcher(ExprContext &context, const AttentionMatchOptions &options,
          std::string &refusal)
      : context(context), options(options), refusal(refusal) {}

  std::optional<AttentionMatch> run(Operation *root);

private:
  std::optional<AttentionMatch>
  matchProduct(Operation *root, const ExprContext::Reduction &values,
               unsigned side, const Expr *sum, ArrayRef<const Expr *> output);
  bool isComputable(const AttentionMatch &match);
  bool hidesARow(const AttentionMatch &match);
  bool readOutput(AttentionMatch &match, ArrayRef<const Expr *> output);
  void addParts(const Expr *expr, SmallVector<const Expr *> wrappers,
                ScoresParts &parts);
  bool takeApart(const Expr *expr, unsigned key,
                 SmallVector<const Expr *> wrappers, ScoresParts &parts);
  bool isScores(const Expr *leaf, unsigned key);
  const Expr *wrap(const Expr *expr, ArrayRef<const Expr *> wrappers);
  bool assignRoles(AttentionMatch &match, unsigned key, const Expr *depth);
  bool addTerms(AttentionMatch &match, ScoresParts &parts);
  bool addTerm(AttentionMatch &match, const Expr *term,
               SmallVectorImpl<const Expr *> &rest);
  bool addBiasOp(AttentionMatch &match, const Expr *term);
  bool addCondition(AttentionMatch &match, const Expr *condition, bool isTrue);
  Value matchKeyLengths(const AttentionMatch &match, const Expr *condition,
                        bool isTrue);
  bool setQueryOffset(AttentionMatch &match, const Linear &offset);
  std::optional<BandAttr> matchBand(AttentionMatch &match,
                                    const Expr *condition, bool isTrue);
  std::nullopt_t refuse(const char *reason) {
    refusal = reason;
    return std::nullopt;
  }

  ExprContext &context;
  const AttentionMatchOptions &options;
  std::string &refusal;
  bool hasQueryOffset = false;
};

} // namespace

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

bool Matcher::isScores(const Expr *leaf, unsigned key) {
  if (leaf->kind != Expr::Kind::Element || !leaf->tensor)
    return false;
  auto op = leaf->tensor.getDefiningOp<LinalgOp>();
  return op && isSumOfProducts(op) && getVariables(leaf).contains(key);
}

/// `expr` through the operations of `wrappers` (outermost first), each on one
/// number or alone.
const Expr *Matcher::wrap(const Expr *expr, ArrayRef<const Expr *> wrappers) {
  for (const Expr *wrapper : llvm::reverse(wrappers)) {
    SmallVector<const Expr *> operands;
    bool isPlaced = false;
    for (const Expr *operand : wrapper->operands) {
      bool isNumber = getFloat(operand).has_value();
      operands.push_back(isNumber || isPlaced ? operand : expr);
      isPlaced |= !isNumber;
    }
    expr = context.getApply(wrapper->op, operands);
  }
  return expr;
}

static bool containsScores(const Expr *expr,
                           llvm::function_ref<bool(const Expr *)> isScores) {
  llvm::SetVector<const Expr *> nodes;
  nodes.insert(expr);
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Expr *node = nodes[i];
    if (isScores(node))
      return true;
    if (node->kind == Expr::Kind::Apply)
      nodes.insert(node->operands.begin(), node->operands.end());
  }
  return false;
}

/// Adds what `expr` sums to the terms, each through the operations of
/// `wrappers`: (a + b) * c is a * c and b * c.
void Matcher::addParts(const Expr *expr, SmallVector<const Expr *> wrappers,
                       ScoresParts &parts) {
  if (expr->is("arith.addf") || expr->is("add")) {
    for (const Expr *operand : expr->operands)
      addParts(operand, wrappers, parts);
    return;
  }
  bool isScaled =
      (expr->is("arith.mulf") && (getFloat(expr->operands[0]).has_value() !=
                                  getFloat(expr->operands[1]).has_value())) ||
      (expr->is("arith.divf") && getFloat(expr->operands[1]).has_value());
  if (isScaled || expr->is("arith.extf") || expr->is("arith.truncf")) {
    wrappers.push_back(expr);
    unsigned inner = getFloat(expr->operands[0]).has_value() ? 1 : 0;
    return addParts(expr->operands[inner], wrappers, parts);
  }
  parts.terms.push_back(wrap(expr, wrappers));
}

bool Matcher::takeApart(const Expr *expr, unsigned key,
                        SmallVector<const Expr *> wrappers,
                        ScoresParts &parts) {
  auto hasScores = [&](const Expr *part) {
    return containsScores(
        part, [&](const Expr *leaf) { return isScores(leaf, key); });
  };
  if (isScores(expr, key) && !parts.product) {
    parts.product = expr;
    for (const Expr *wrapper : wrappers) {
      for (const Expr *operand : wrapper->operands) {
        std::optional<double> factor = getFloat(operand);
        if (!factor)
          continue;
        if (wrapper->is("arith.mulf"))
          parts.scale *= *factor;
        else
          parts.scale /= *factor;
      }
    }
    // What the product starts from is a term as well.
    auto reduction = context.openReduction(expr);
    if (!reduction) {
      refusal = "the scores are no product that can be read";
      return false;
    }
    std::optional<double> start = getFloat(reduction->init);
    if (!start || *start != 0.0)
      addParts(reduction->init, wrappers, parts);
    return true;
  }
  if (!hasScores(expr)) {
    addParts(expr, wrappers, parts);
    return true;
  }
  if (expr->is("arith.addf") || expr->is("add")) {
    // The side with the scores first: the others are terms.
    unsigned first = hasScores(expr->operands[0]) ? 0 : 1;
    return takeApart(expr->operands[first], key, wrappers, parts) &&
           takeApart(expr->operands[1 - first], key, wrappers, parts);
  }
  bool isCast = expr->is("arith.extf") || expr->is("arith.truncf");
  if (isCast) {
    wrappers.push_back(expr);
    return takeApart(expr->operands[0], key, wrappers, parts);
  }
  if (expr->is("arith.mulf") || expr->is("arith.divf")) {
    for (unsigned i : {0u, 1u}) {
      if (i == 0 && expr->is("arith.divf"))
        continue;
      if (!getFloat(expr->operands[i]))
        continue;
      wrappers.push_back(expr);
      return takeApart(expr->operands[1 - i], key, wrappers, parts);
    }
  }
  if (expr->is("arith.select")) {
    for (unsigned i : {1u, 2u}) {
      std::optional<double> hidden =
          getFloat(skipFloatCasts(expr->operands[3 - i]));
      if (!hidden || !hasScores(expr->operands[i]))
        continue;
      if (!wrappers.empty() && llvm::any_of(wrappers, [](const Expr *wrapper) {
            return !wrapper->is("arith.extf") && !wrapper->is("arith.truncf");
          }))
        break;
      if (std::isinf(*hidden) && *hidden < 0) {
        parts.conditions.push_back({expr->operands[0], i == 1});
        return takeApart(expr->operands[i], key, wrappers, parts);
      }
      if (*hidden <= -1e30) {
        // The lowest number swallows any score that is added to it.
        const Expr *zero =
            context.getNumber(FloatAttr::get(cast<FloatType>(expr->type), 0.0));
        auto operands = llvm::to_vector(expr->operands);
        operands[i] = zero;
        parts.terms.push_back(
            wrap(context.getApply(expr->op, operands), wrappers));
        return takeApart(expr->operands[i], key, wrappers, parts);
      }
    }
  }
  refusal = "something else than scale, bias and mask stands between the "
            "scores and the softmax";
  return false;
}

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
        refusal = "the values have more than one dimension of their own";
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
    refusal = "there are more dimensions than attention has";
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
        refusal = "an operand has a dimension that attention has not";
        return false;
      }
  auto has = [&](const Variables &used, unsigned role) {
    return match.variables[role] && used.contains(*match.variables[role]);
  };
  if (has(query, Op::N) || has(query, Op::E) || has(keys, Op::M) ||
      has(keys, Op::E) || has(value, Op::M) || has(value, Op::D)) {
    refusal = "an operand has a dimension of another";
    return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Terms
//===----------------------------------------------------------------------===//

/// The number that a choice between 0 and a very low number hides with, and
/// whether the condition must be true for a key to be visible.
static std::optional<std::pair<double, bool>> matchHiding(const Expr *expr) {
  expr = skipFloatCasts(expr);
  if (!expr->is("arith.select"))
    return std::nullopt;
  std::optional<double> yes = getFloat(skipFloatCasts(expr->operands[1]));
  std::optional<double> no = getFloat(skipFloatCasts(expr->operands[2]));
  if (!yes || !no)
    return std::nullopt;
  if (*yes == 0.0 && *no <= -1e4)
    return std::make_pair(*no, true);
  if (*no == 0.0 && *yes <= -1e4)
    return std::make_pair(*yes, false);
  return std::nullopt;
}

bool Matcher::setQueryOffset(AttentionMatch &match, const Linear &offset) {
  if (hasQueryOffset && !(match.queryOffset == offset))
    return false;
  match.queryOffset = offset;
  hasQueryOffset = true;
  return true;
}

std::optional<BandAttr> Matcher::matchBand(AttentionMatch &match,
                                           const Expr *condition, bool isTrue) {
  std::optional<unsigned> m = match.variables[AttentionOp::M];
  unsigned n = *match.variables[AttentionOp::N];
  MLIRContext *mlirContext = match.root->getContext();
  // One query has its position as a constant.
  Linear symbols;
  llvm::DenseMap<const Expr *, const Expr *> replacements;
  unsigned offset = context.addVariable(std::nullopt);
  llvm::SetVector<const Expr *> nodes;
  nodes.insert(condition);
  bool isBand = true, isFirst = true;
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Expr *node = nodes[i];
    nodes.insert(node->operands.begin(), node->operands.end());
    if (node->kind == Expr::Kind::Element)
      return std::nullopt;
    if (node->kind != Expr::Kind::Index)
      continue;
    const Linear &linear = node->linear;
    int64_t a = linear.coefficient(n);
    int64_t b = m ? linear.coefficient(*m) : -a;
    if (a == 0 && b == 0 && linear.isConstant())
      continue;
    if (a != -b || (a != 1 && a != -1))
      isBand = false;
    Linear rest = linear.plus(Linear::var(n), -a);
    if (m)
      rest = rest.plus(Linear::var(*m), -b);
    Linear share = Linear().plus(rest, a);
    share.constant = 0;
    if (!isFirst && !(share == symbols))
      isBand = false;
    symbols = share;
    isFirst = false;
    // linear = a * (n - m + symbols) + constant
    Linear value = Linear().plus(Linear::var(offset), a);
    value.constant = rest.constant;
    replacements[node] = context.getIndex(value, {});
  }
  if (!isBand || isFirst)
    return std::nullopt;
  for (auto [var, coefficient] : symbols.terms)
    if (!context.getVariable(var).symbol)
      return std::nullopt;
  const Expr *over = context.replace(condition, replacements);
  std::optional<Pieces> pieces = findPieces(over, offset, 2, 0, 8);
  if (!pieces)
    return std::nullopt;
  std::optional<int64_t> lo, hi;
  unsigned visible = 0;
  for (auto [k, id] : llvm::enumerate(pieces->ids)) {
    if ((id != 0) != isTrue)
      continue;
    ++visible;
    if (k > 0)
      lo = pieces->starts[k];
    if (k + 1 < pieces->starts.size())
      hi = pieces->starts[k + 1] - 1;
  }
  if (visible != 1)
    return std::nullopt;
  // offset = n - (m + query offset) = n - m + symbols - shift
  Linear queryOffset = Linear().plus(symbols, -1);
  if (hasQueryOffset) {
    Linear difference = queryOffset.plus(match.queryOffset, -1);
    if (!difference.isConstant() || match.queryOffsetTensor)
      return std::nullopt;
    // The band moves to the other offset.
    if (lo)
      *lo += difference.constant;
    if (hi)
      *hi += difference.constant;
  } else {
    match.queryOffset = queryOffset;
    hasQueryOffset = true;
  }
  return BandAttr::get(mlirContext, lo, hi);
}

/// Whether the key's position is compared with a length of its batch entry:
/// key < lengths[b]. Gives the lengths.
Value Matcher::matchKeyLengths(const AttentionMatch &match,
                               const Expr *condition, bool isTrue) {
  using P = arith::CmpIPredicate;
  std::optional<unsigned> b = match.variables[AttentionOp::B];
  if (!b || !condition->is("arith.cmpi"))
    return {};
  P predicate = static_cast<P>(condition->predicate);
  for (unsigned side : {0u, 1u}) {
    const Expr *position = condition->operands[side];
    if (position->kind != Expr::Kind::Index ||
        position->linear.getVar() != match.variables[AttentionOp::N])
      continue;
    // key < length, or length > key; or what hides: key >= length.
    P visible = side == 0 ? P::slt : P::sgt;
    P hidden = side == 0 ? P::sge : P::sle;
    if (predicate != (isTrue ? visible : hidden))
      return {};
    const Expr *length = condition->operands[1 - side];
    while (length->is("arith.index_cast") || length->is("arith.extsi"))
      length = length->operands[0];
    auto type = length->kind == Expr::Kind::Element && length->tensor
                    ? dyn_cast<RankedTensorType>(length->tensor.getType())
                    : RankedTensorType();
    bool isLengths = type && type.getRank() == 1 &&
                     (type.getElementType().isIndex() ||
                      type.getElementType().isInteger(32) ||
                      type.getElementType().isInteger(64)) &&
                     length->operands[0]->kind == Expr::Kind::Index &&
                     length->operands[0]->linear.getVar() == b;
    return isLengths ? length->tensor : Value();
  }
  return {};
}

bool Matcher::addCondition(AttentionMatch &match, const Expr *condition,
                           bool isTrue) {
  if (std::optional<BandAttr> band = matchBand(match, condition, isTrue)) {
    match.band = match.band ? match.band->intersect(*band) : *band;
    return true;
  }
  if (Value lengths = matchKeyLengths(match, condition, isTrue);
      lengths && !match.keyLengths) {
    match.keyLengths = lengths;
    return true;
  }
  if (match.booleanMask) {
    refusal = "there are two boolean masks";
    return false;
  }
  if (!isTrue)
    condition = context.getNot(condition);
  match.booleanMask = condition;
  return true;
}

bool Matcher::addBiasOp(AttentionMatch &match, const Expr *term) {
  if (term->kind != Expr::Kind::Element || !term->tensor)
    return false;
  auto op = term->tensor.getDefiningOp<BiasOp>();
  if (!op || match.biasOp || match.offsetBias || match.denseBias)
    return false;
  unsigned rank = term->operands.size();
  for (const Expr *index : term->operands)
    if (index->kind != Expr::Kind::Index)
      return false;
  Linear query = term->operands[rank - 2]->linear;
  Linear key = term->operands[rank - 1]->linear;
  // Raised without knowing which position is the key's?
  bool isReversed = query.coefficient(*match.variables[AttentionOp::N]) != 0;
  if (isReversed)
    std::swap(query, key);
  if (std::optional<unsigned> m = match.variables[AttentionOp::M])
    query = query.plus(Linear::var(*m), -1);
  key = key.plus(Linear::var(*match.variables[AttentionOp::N]), -1);
  for (const Linear &rest : {query, key})
    for (auto [var, coefficient] : rest.terms)
      if (!context.getVariable(var).symbol)
        return false;
  // The heads in their order: g * R + r.
  Linear head;
  if (auto g = match.variables[AttentionOp::G]) {
    int64_t factor = 1;
    if (auto r = match.variables[AttentionOp::R]) {
      if (!context.getVariable(*r).size)
        return false;
      factor = *context.getVariable(*r).size;
      head = head.plus(Linear::var(*r));
    }
    head = head.plus(Linear::var(*g), factor);
  } else if (auto r = match.variables[AttentionOp::R]) {
    head = head.plus(Linear::var(*r));
  }
  bool isShared =
      cast<RankedTensorType>(op.getBias().getType()).getRank() == 1 &&
      term->operands[rank - 3]->linear == Linear();
  if (!isShared && !(term->operands[rank - 3]->linear == head))
    return false;
  if (rank == 4) {
    auto b = match.variables[AttentionOp::B];
    if (!(term->operands[0]->linear == (b ? Linear::var(*b) : Linear())))
      return false;
  }
  BiasSchemeAttrInterface scheme = op.getScheme();
  if (isReversed) {
    scheme = reverseScheme(scheme);
    if (!scheme)
      return false;
  }
  Linear shift = query.plus(key, -1);
  if (Value own = op.getQueryOffset()) {
    if (isa<ShapedType>(own.getType())) {
      if (!(shift == Linear()) || hasQueryOffset || isReversed)
        return false;
      match.queryOffsetTensor = own;
      hasQueryOffset = true;
      match.biasOp = op;
      match.biasOpScheme = scheme;
      return true;
    }
    const Expr *ownOffset = context.scalar(own);
    if (ownOffset->kind != Expr::Kind::Index)
      return false;
    shift = shift.plus(ownOffset->linear, isReversed ? -1 : 1);
  }
  if (!setQueryOffset(match, shift))
    return false;
  match.biasOp = op;
  match.biasOpScheme = scheme;
  return true;
}

bool Matcher::addTerm(AttentionMatch &match, const Expr *term,
                      SmallVectorImpl<const Expr *> &rest) {
  std::optional<double> number = getFloat(skipFloatCasts(term));
  if (number && *number == 0.0)
    return true;
  if (auto hiding = matchHiding(term)) {
    const Expr *select = skipFloatCasts(term);
    if (std::isinf(hiding->first) || options.assumeBoundedScores)
      return addCondition(match, select->operands[0], hiding->second);
    rest.push_back(term);
    return true;
  }
  if (addBiasOp(match, skipFloatCasts(term)))
    return true;
  unsigned n = *match.variables[AttentionOp::N];
  std::optional<unsigned> m = match.variables[AttentionOp::M];
  bool isFree = !match.offsetBias && !match.biasOp && !match.denseBias;
  Variables used = getVariables(term);
  if (isFree && used.contains(n)) {
    std::string reason;
    std::optional<OffsetBias> bias = analyzeOffsetBias(
        context, match.root->getContext(), skipFloatCasts(term), m, n, reason);
    if (bias) {
      bool headsOnly = llvm::all_of(bias->heads, [&](unsigned var) {
        return var == match.variables[AttentionOp::G] ||
               var == match.variables[AttentionOp::R] ||
               context.getVariable(var).symbol;
      });
      // A lone batch of heads may have been taken for b.
      if (!headsOnly && bias->heads.size() == 1 &&
          bias->heads[0] == match.variables[AttentionOp::B] &&
          !match.variables[AttentionOp::R]) {
        std::swap(match.variables[AttentionOp::B],
                  match.variables[AttentionOp::G]);
        headsOnly = true;
      }
      if (headsOnly && setQueryOffset(match, bias->queryOffset)) {
        match.offsetBias = bias;
        return true;
      }
    }
  }
  rest.push_back(term);
  return true;
}

bool Matcher::addTerms(AttentionMatch &match, ScoresParts &parts) {
  for (const Expr *&term : parts.terms)
    term = context.resolveSplits(term);
  SmallVector<const Expr *> rest;
  // Sums within a term are terms.
  SmallVector<const Expr *> terms;
  SmallVector<const Expr *> worklist(parts.terms.rbegin(), parts.terms.rend());
  while (!worklist.empty()) {
    const Expr *term = worklist.pop_back_val();
    const Expr *sum = skipFloatCasts(term);
    if (sum->is("arith.addf") || sum->is("add")) {
      worklist.push_back(sum->operands[1]);
      worklist.push_back(sum->operands[0]);
      continue;
    }
    // where(mask, bias, lowest): the bias where the mask is true, and a number
    // that swallows it where it is not.
    if (sum->is("arith.select")) {
      for (unsigned i : {1u, 2u}) {
        std::optional<double> hidden =
            getFloat(skipFloatCasts(sum->operands[3 - i]));
        if (!hidden || *hidden > -1e30 || getFloat(sum->operands[i]))
          continue;
        auto operands = llvm::to_vector(sum->operands);
        operands[i] =
            context.getNumber(FloatAttr::get(cast<FloatType>(sum->type), 0.0));
        worklist.push_back(context.getApply(sum->op, operands));
        worklist.push_back(sum->operands[i]);
        sum = nullptr;
        break;
      }
      if (!sum)
        continue;
    }
    terms.push_back(term);
  }
  // Biases before masks: the band takes the bias's query offset.
  for (bool isMask : {false, true})
    for (const Expr *term : terms)
      if (matchHiding(term).has_value() == isMask &&
          !addTerm(match, term, rest))
        return false;
  for (auto [condition, isTrue] : parts.conditions)
    if (!addCondition(match, context.resolveSplits(condition), isTrue))
      return false;
  if (rest.empty())
    return true;
  Type queryType = match.query->type;
  Type accumulator = AttentionOp::getAccumulatorType(queryType);
  auto simplify = [&](const Expr *term) {
    const Expr *inner = skipFloatCasts(term);
    return inner->type == queryType || inner->type == accumulator ? inner
                                                                  : term;
  };
  for (const Expr *&term : rest) {
    term = simplify(term);
    if (term->type != queryType && term->type != accumulator) {
      refusal = "a bias has another element type";
      return false;
    }
  }
  bool isFree = !match.offsetBias && !match.biasOp;
  if (isFree) {
    match.denseBias = rest.front();
    rest.erase(rest.begin());
  }
  if (rest.empty())
    return true;
  if (match.booleanMask) {
    refusal = "there are a boolean and an additive mask";
    return false;
  }
  const Expr *sum = rest.front();
  for (const Expr *term : ArrayRef(rest).drop_front()) {
    if (term->type != sum->type) {
      refusal = "masks of different types";
      return false;
    }
    sum = context.getSum(sum, term);
  }
  match.additiveMask = sum;
  return true;
}

//===----------------------------------------------------------------------===//
// The whole
//===----------------------------------------------------------------------===//

/// Whether nothing but `root` in the end uses what lies between `scores` and
/// it.
static bool isUsedByRootAlone(Operation *scores, Operation *root,
                              const llvm::SetVector<Operation *> &proven) {
  llvm::SetVector<Operation *> between;
  between.insert(scores);
  for (size_t i = 0; i < between.size(); ++i) {
    Operation *op = between[i];
    if (op == root)
      continue;
    for (Operation *user : op->getUsers()) {
      // A size is no value, and can be told otherwise.
      if (isa<tensor::DimOp>(user))
        continue;
      // A use inside of a body is one of the op around it.
      while (user->getBlock() != root->getBlock()) {
        user = user->getParentOp();
        if (!user)
          return false;
      }
      between.insert(user);
    }
  }
  return llvm::all_of(between, [&](Operation *op) {
    return op == root || ((isMemoryEffectFree(op) || proven.contains(op)) &&
                          !op->hasTrait<OpTrait::IsTerminator>());
  });
}

std::optional<AttentionMatch>
Matcher::matchProduct(Operation *root, const ExprContext::Reduction &values,
                      unsigned side, const Expr *sum,
                      ArrayRef<const Expr *> output) {
  if (values.bound.size() != 1)
    return std::nullopt;
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
      return refuse("the probabilities are not divided by their sum");
    if (!isSumOf(context, sum, softmax->exponential, key, refusal))
      return std::nullopt;
  } else if (sum) {
    return refuse("the output is divided by a sum once more");
  }
  std::optional<double> start = getFloat(skipFloatCasts(values.init));
  if (!start || *start != 0.0)
    return refuse("the value product does not start at zero");

  ScoresParts parts;
  const Expr *scores = context.resolveSplits(softmax->scores);
  if (!takeApart(scores, key, {}, parts))
    return std::nullopt;
  if (!parts.product)
    return refuse("there is no product of queries and keys");
  auto product = context.openReduction(parts.product);
  if (!product || !product->factors[0] || product->bound.size() > 1)
    return refuse("the scores are no product that can be read");

  AttentionMatch match;
  match.root = root;
  match.valuesOp = values.op;
  match.scoresOp = product->op;
  match.scale = parts.scale;
  unsigned keySide = getVariables(product->factors[0]).contains(key) ? 0 : 1;
  if (getVariables(product->factors[1 - keySide]).contains(key))
    return refuse("both factors of the scores depend on the key");
  match.key = product->leaves[keySide];
  match.query = product->leaves[1 - keySide];
  match.value = values.leaves[1 - side];
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
    return refuse("a factor of the scores is computed in their own body");
  for (const Expr **operand : {&match.query, &match.key, &match.value})
    *operand = context.resolveSplits(*operand);
  if (!std::isfinite(match.scale))
    return refuse("the scale is not finite");
  Type type = match.query->type;
  Type accumulator;
  if (isa<Float16Type, BFloat16Type, Float32Type, Float64Type>(type))
    accumulator = AttentionOp::getAccumulatorType(type);
  if (!accumulator || match.key->type != type || match.value->type != type)
    return refuse("query, key and value differ in element type");
  const Expr *depth =
      product->bound.empty()
          ? nullptr
          : context.getIndex(Linear::var(product->bound[0]), {});
  if (!readOutput(match, output) || !assignRoles(match, key, depth) ||
      !addTerms(match, parts))
    return std::nullopt;
  if (!isComputable(match))
    return refuse("a bias or mask cannot be an operand of attention");
  if (!softmax->isSafe && hidesARow(match))
    return refuse("a query that sees no key is NaN here, and 0 in attention");
  // Assertions on rows of the table cannot fail.
  if (match.offsetBias && match.offsetBias->isInBounds)
    match.proven = context.getAsserting();
  if (!isUsedByRootAlone(match.scoresOp, root, match.proven))
    return refuse("the scores or probabilities have another user");
  refusal.clear();
  return match;
}

/// Whether every tensor that the op needs can be built from the dimensions of
/// attention and scalars of the program.
bool Matcher::isComputable(const AttentionMatch &match) {
  SmallVector<unsigned> variables;
  for (const auto &variable : match.variables)
    if (variable)
      variables.push_back(*variable);
  for (const Expr *expr : {match.query, match.key, match.value, match.denseBias,
                           match.additiveMask, match.booleanMask})
    if (expr && !canMaterialize(context, expr, variables))
      return false;
  Type queryType = match.query->type;
  auto isReadable = [&](Type type) {
    return type == queryType ||
           type == AttentionOp::getAccumulatorType(queryType);
  };
  if (BiasOp bias = match.biasOp)
    return isReadable(getElementTypeOrSelf(bias.getBias()));
  if (!match.offsetBias)
    return true;
  if (!isReadable(match.offsetBias->operand->type))
    return false;
  if (match.offsetBias->rows)
    variables.push_back(match.offsetBias->row);
  return canMaterialize(context, match.offsetBias->operand, variables);
}

/// Whether the band provably hides every key from a query.
bool Matcher::hidesARow(const AttentionMatch &match) {
  if (!match.band || match.queryOffsetTensor || !match.queryOffset.isConstant())
    return false;
  auto getSize = [&](unsigned role) -> std::optional<int64_t> {
    std::optional<unsigned> var = match.variables[role];
    return var ? context.getVariable(*var).size : std::optional<int64_t>(1);
  };
  std::optional<int64_t> queries = getSize(AttentionOp::M),
                         keys = getSize(AttentionOp::N);
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
      refusal = "the output has a dimension that cannot be read";
      return false;
    }
    match.output.append(digits);
    match.outputDigits.push_back(digits);
  }
  Type element = type.getElementType();
  if (element != match.query->type &&
      element != AttentionOp::getAccumulatorType(match.query->type)) {
    refusal = "the output has another element type";
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
  std::string first;
  for (unsigned side : {0u, 1u}) {
    refusal.clear();
    hasQueryOffset = false;
    if (auto match = matchProduct(root, *values, side, sum, output))
      return match;
    if (first.empty())
      first = refusal;
  }
  refusal = first;
  return std::nullopt;
}

std::optional<AttentionMatch>
relattn::matchAttention(ExprContext &context, Operation *root,
                        const AttentionMatchOptions &options,
                        std::string &refusal) {
  return Matcher(context, options, refusal).run(root);
}
