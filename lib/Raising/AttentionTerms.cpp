//===- AttentionTerms.cpp - Biases and masks of the scores ----------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which operand of relattn.attention each term and condition becomes.
//
//===----------------------------------------------------------------------===//

#include "AttentionMatcher.h"
#include "OffsetScheme.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::relattn;

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
  bool isBand = true, isFirst = true;
  forEachNode(condition, [&](const Expr *node) {
    if (node->kind == Expr::Kind::Element)
      isBand = false;
    if (node->kind != Expr::Kind::Index)
      return;
    const Linear &linear = node->linear;
    int64_t a = linear.coefficient(n);
    int64_t b = m ? linear.coefficient(*m) : -a;
    if (a == 0 && b == 0 && linear.isConstant())
      return;
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
  });
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
  if (!isTrue)
    condition = context.getNot(condition);
  match.booleanMask = match.booleanMask
                          ? context.getAnd(match.booleanMask, condition)
                          : condition;
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
  bool isShared = op.getScheme().isSharedByHeads(
                      cast<RankedTensorType>(op.getBias().getType())) &&
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
    if (std::isinf(hiding->first))
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
    Mismatch reason;
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

/// Takes finite numbers that hide by position as part of the band. To a query
/// that sees no key they are a bias like any other, so each must provably keep
/// one, whatever else is added; and scores must not reach them, which the
/// caller vouches for.
void Matcher::addFiniteBands(AttentionMatch &match,
                             SmallVectorImpl<const Expr *> &rest) {
  if (match.booleanMask || match.keyLengths)
    return;
  auto saved = std::make_tuple(match.band, match.queryOffset, hasQueryOffset);
  bool isBand = llvm::all_of(rest, [&](const Expr *term) {
    auto hiding = matchHiding(term);
    if (!hiding)
      return false;
    std::optional<BandAttr> band =
        matchBand(match, skipFloatCasts(term)->operands[0], hiding->second);
    if (band)
      match.band = match.band ? match.band->intersect(*band) : *band;
    return band.has_value();
  });
  if (isBand && everyRowSeesAKey(match))
    rest.clear();
  else
    std::tie(match.band, match.queryOffset, hasQueryOffset) = saved;
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
  if (options.assumeBoundedScores)
    addFiniteBands(match, rest);
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
      refusal.set("a bias has another element type", term);
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
  const Expr *sum = rest.front();
  for (const Expr *term : ArrayRef(rest).drop_front()) {
    if (term->type != sum->type) {
      refusal.set("masks of different types", term);
      return false;
    }
    sum = context.getSum(sum, term);
  }
  if (match.booleanMask) {
    // The op has one mask: what the condition hides, -inf hides as well.
    const auto &semantics = cast<FloatType>(sum->type).getFloatSemantics();
    sum = context.getNamed(
        "select", sum->type, 0,
        {match.booleanMask, sum,
         context.getNumber(FloatAttr::get(
             sum->type, APFloat::getInf(semantics, /*Negative=*/true)))});
    match.booleanMask = nullptr;
  }
  match.additiveMask = sum;
  return true;
}
