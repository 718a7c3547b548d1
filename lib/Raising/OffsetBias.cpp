//===- OffsetBias.cpp - A bias that is a function of the offset -----------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bias is rewritten over the offset, evaluated over ranges of it, and what
// comes out is said by a scheme: rows of a table, slopes, or a strip.
//
//===----------------------------------------------------------------------===//

#include "OffsetBias.h"
#include "ConstantIds.h"
#include "OffsetScheme.h"

using namespace mlir;
using namespace mlir::relattn;

/// Tables of more rows are strips.
static constexpr unsigned kMaxPieces = 65536;

namespace {

/// An expression over the offset t = key - query + symbols + shift.
struct OverOffset {
  const Expr *expr;
  Linear symbols;
};

/// First and last of a range of offsets.
struct Offsets {
  int64_t low, high;
};

class OffsetAnalysis {
public:
  OffsetAnalysis(ExprContext &context, MLIRContext *mlirContext,
                 const Expr *expr, std::optional<unsigned> query, unsigned key,
                 Mismatch &refusal)
      : context(context), mlirContext(mlirContext), refusal(refusal),
        expr(expr), query(query), key(key),
        offset(context.addVariable(std::nullopt)),
        queries(query ? context.getVariable(*query).size
                      : std::optional<int64_t>(1)),
        keys(context.getVariable(key).size) {}

  std::optional<OffsetBias> run();

private:
  enum class Outcome { Refused, Found, Next };

  void readConstantIds();
  void collectShifts();
  std::optional<OverOffset> toOffset(int64_t shift);
  Offsets getRange(const OverOffset &over, int64_t shift);
  const Expr *prune(const Expr *expr, Offsets range);
  const Expr *openOneHots(const Expr *expr, Offsets range);
  Outcome tryShift(int64_t shift);
  std::optional<OffsetBias> findAlibi(const Expr *expr);
  bool isOffsetInTheRowAlone(const Expr *expr, const Expr *leaf);
  std::optional<unsigned> findRow(const Expr *leaf);
  Offsets getDefinedRange(const Expr *row, int64_t rows);
  Outcome findRowScheme(OffsetBias bias, const Expr *row, int64_t shift,
                        Offsets range);
  bool readsPosition();
  std::optional<OffsetBias> makeStrip(const OverOffset &over);

  ExprContext &context;
  MLIRContext *mlirContext;
  Mismatch &refusal;
  const Expr *expr;
  std::optional<unsigned> query;
  unsigned key, offset;
  std::optional<int64_t> queries, keys;

  /// Where offset 0 may lie, the best scheme so far, and whether only a strip
  /// would do.
  SmallVector<int64_t> shifts = {0};
  std::optional<OffsetBias> best;
  bool needsStrip = false;
};

} // namespace

//===----------------------------------------------------------------------===//
// From two positions to the offset
//===----------------------------------------------------------------------===//

/// Constant ids become vectors over the offset.
void OffsetAnalysis::readConstantIds() {
  llvm::DenseMap<const Expr *, const Expr *> vectors;
  forEachNode(expr, [&](const Expr *node) {
    if (node->kind != Expr::Kind::Element || !node->tensor ||
        !isa<IntegerType>(node->type))
      return;
    if (const Expr *vector =
            readDiagonals(context, mlirContext, node, query, key))
      vectors[node] = vector;
  });
  if (!vectors.empty())
    expr = context.replace(expr, vectors);
}

/// The program's own distances between query and key.
void OffsetAnalysis::collectShifts() {
  forEachNode(expr, [&](const Expr *node) {
    if (node->kind == Expr::Kind::Index && node->linear.coefficient(key) != 0)
      shifts.push_back(node->linear.coefficient(key) < 0
                           ? -node->linear.constant
                           : node->linear.constant);
  });
}

/// The bias over the variable `offset`, or says why that is wrong.
std::optional<OverOffset> OffsetAnalysis::toOffset(int64_t shift) {
  llvm::DenseMap<const Expr *, const Expr *> replacements;
  std::optional<Linear> symbols;
  bool isOffset = true;
  forEachNode(expr, [&](const Expr *node) {
    if (node->kind != Expr::Kind::Index)
      return;
    int64_t a = node->linear.coefficient(key);
    int64_t b = query ? node->linear.coefficient(*query) : -a;
    if (a == 0 && b == 0)
      return;
    Linear rest = node->linear.plus(Linear::var(key), -a);
    if (query)
      rest = rest.plus(Linear::var(*query), -b);
    // The symbols' share of the offset must be the same everywhere.
    Linear share;
    bool isDivisible = true;
    for (auto [var, coefficient] : rest.terms) {
      isDivisible &= a != 0 && coefficient % a == 0;
      if (isDivisible)
        share.terms.push_back({var, coefficient / a});
    }
    if (a != -b || !isDivisible || (symbols && !(*symbols == share))) {
      isOffset = false;
      return;
    }
    symbols = share;
    Linear value = Linear().plus(Linear::var(offset), a);
    value.constant = rest.constant - a * shift;
    replacements[node] = context.getIndex(value, {});
  });
  if (!isOffset || !symbols) {
    refusal.set("the bias is no function of the offset", expr);
    return std::nullopt;
  }
  return OverOffset{context.replace(expr, replacements), *symbols};
}

/// The offsets that can occur.
Offsets OffsetAnalysis::getRange(const OverOffset &over, int64_t shift) {
  if (queries && keys && over.symbols.isConstant())
    return {shift - (*queries - 1), shift + *keys - 1};
  return {-kMaxOffset, kMaxOffset};
}

/// Takes the branches that selects between values take at every offset that can
/// occur. Selects between rows stay: they say what holds beyond.
const Expr *OffsetAnalysis::prune(const Expr *expr, Offsets range) {
  llvm::DenseMap<const Expr *, const Expr *> replacements;
  forEachNode(expr, [&](const Expr *node) {
    if (!node->is("arith.select") || !isa<FloatType>(node->type))
      return;
    ValueRange1 condition =
        evaluateRange(node->operands[0], offset, range.low, range.high);
    if (condition.isSingle())
      replacements[node] = node->operands[condition.low ? 1 : 2];
  });
  if (replacements.empty())
    return expr;
  // One at a time: what is chosen may hold another choice.
  const Expr *result = expr;
  for (int i = 0; i < 16; ++i) {
    const Expr *next = context.replace(result, replacements);
    if (next == result)
      break;
    result = next;
  }
  return result;
}

/// Takes one-hot products as reads of their row where that is in the table at
/// every offset that can occur.
const Expr *OffsetAnalysis::openOneHots(const Expr *expr, Offsets range) {
  llvm::DenseMap<const Expr *, const Expr *> replacements;
  forEachNode(expr, [&](const Expr *node) {
    if (!node->is("rowOrZero"))
      return;
    const Expr *id = node->operands[0];
    if (!isInside(id, offset, range.low, range.high, node->predicate))
      return;
    llvm::DenseMap<const Expr *, const Expr *> rows;
    forEachNode(node->operands[1], [&](const Expr *inner) {
      if (inner->is("clamp") && inner->operands[0] == id)
        rows[inner] = id;
    });
    replacements[node] = context.replace(node->operands[1], rows);
  });
  return replacements.empty() ? expr : context.replace(expr, replacements);
}

//===----------------------------------------------------------------------===//
// What the offset gives
//===----------------------------------------------------------------------===//

/// slope[h] * -|t|, in any order: the slopes.
std::optional<OffsetBias> OffsetAnalysis::findAlibi(const Expr *expr) {
  // The one factor that depends on the offset.
  const Expr *distance = expr;
  while (true) {
    if (distance->is("arith.negf") || distance->is("arith.extf") ||
        distance->is("arith.truncf")) {
      distance = distance->operands[0];
      continue;
    }
    if (!distance->is("arith.mulf"))
      break;
    Variables used[2];
    used[0] = getVariables(distance->operands[0]);
    used[1] = getVariables(distance->operands[1]);
    if (used[0].contains(offset) == used[1].contains(offset))
      return std::nullopt;
    distance = distance->operands[used[0].contains(offset) ? 0 : 1];
  }
  if (!distance->is("arith.sitofp"))
    return std::nullopt;
  const Expr *absolute = distance->operands[0];
  while (absolute->is("arith.index_cast") || absolute->is("arith.extsi"))
    absolute = absolute->operands[0];
  auto isOffset = [&](const Expr *x) {
    return x->kind == Expr::Kind::Index && x->linear.constant == 0 &&
           x->linear.terms.size() == 1 && x->linear.terms[0].first == offset &&
           std::abs(x->linear.terms[0].second) == 1;
  };
  bool isDistance =
      absolute->is("math.absi") && isOffset(absolute->operands[0]);
  if (absolute->is("arith.maxsi"))
    isDistance = isOffset(absolute->operands[0]) &&
                 isOffset(absolute->operands[1]) &&
                 absolute->operands[0]->linear.terms[0].second ==
                     -absolute->operands[1]->linear.terms[0].second;
  if (!isDistance)
    return std::nullopt;
  // What multiplies it, with the other sign.
  const Expr *one =
      context.getNumber(FloatAttr::get(cast<FloatType>(distance->type), 1.0));
  OffsetBias bias;
  bias.scheme =
      cast<BiasSchemeAttrInterface>(Attribute(AlibiAttr::get(mlirContext)));
  bias.operand = context.getNegation(context.replace(expr, {{distance, one}}));
  Variables used = getVariables(bias.operand);
  for (unsigned var : used)
    if (!context.getVariable(var).symbol)
      bias.heads.push_back(var);
  // One slope for all heads has no place in the op; it is a strip.
  if (bias.heads.empty())
    return std::nullopt;
  llvm::sort(bias.heads);
  return bias;
}

/// Whether nothing but the tensor's indices has the offset.
bool OffsetAnalysis::isOffsetInTheRowAlone(const Expr *expr, const Expr *leaf) {
  unsigned marker = context.addVariable(std::nullopt);
  const Expr *without = context.replace(
      expr, {{leaf, context.getIndex(Linear::var(marker), {})}});
  return !getVariables(without).contains(offset);
}

/// The dimension of the table that the offset chooses, if it is one alone.
std::optional<unsigned> OffsetAnalysis::findRow(const Expr *leaf) {
  std::optional<unsigned> rowDim;
  for (auto [dim, index] : llvm::enumerate(leaf->operands)) {
    Variables used = getVariables(index);
    if (!used.contains(offset))
      continue;
    if (used.size() > 1 || rowDim) {
      refusal.set("the bias is no single row of a table", index);
      return std::nullopt;
    }
    rowDim = dim;
  }
  auto type = dyn_cast<RankedTensorType>(leaf->tensor.getType());
  if (rowDim && type && !type.isDynamicDim(*rowDim))
    return rowDim;
  refusal.set("the number of rows of the table is not known", leaf);
  return std::nullopt;
}

/// The offsets at which `row` is in [0, rows): from the first to the last piece
/// that is defined.
Offsets OffsetAnalysis::getDefinedRange(const Expr *row, int64_t rows) {
  int64_t low = -kMaxOffset, high = kMaxOffset;
  auto isOutside = [&](int64_t first, int64_t last) {
    ValueRange1 range = evaluateRange(row, offset, first, last);
    return range.high < 0 || range.low >= rows;
  };
  // Bisect for the longest undefined ends.
  int64_t first = low, last = high;
  if (isOutside(low, low)) {
    int64_t in = high;
    while (first < in) {
      int64_t middle = first + (in - first) / 2;
      if (isOutside(low, middle))
        first = middle + 1;
      else
        in = middle;
    }
  }
  if (isOutside(high, high)) {
    int64_t in = low;
    while (in < last) {
      int64_t middle = in + (last - in + 1) / 2;
      if (isOutside(middle, high))
        last = middle - 1;
      else
        in = middle;
    }
  }
  return {first, last};
}

/// The scheme of the rows; none of them may be the best yet.
OffsetAnalysis::Outcome OffsetAnalysis::findRowScheme(OffsetBias bias,
                                                      const Expr *row,
                                                      int64_t shift,
                                                      Offsets range) {
  int64_t rows = *bias.rows;
  bool isKnown = false;
  // Libraries differ in the last place of a logarithm.
  for (int ulps : {0, 1, -1}) {
    Offsets defined = getDefinedRange(row, rows);
    std::optional<Pieces> pieces =
        findPieces(row, offset, rows, ulps, kMaxPieces);
    if (!pieces) {
      // Narrow integers wrap beyond the lengths of this program.
      defined = range;
      pieces = findPieces(row, offset, rows, ulps, kMaxPieces, range.low,
                          range.high);
    }
    if (!pieces)
      continue;
    isKnown = true;
    bias.scheme =
        findScheme(mlirContext, *pieces, rows, defined.low, defined.high);
    if (!isa<StepsAttr>(Attribute(bias.scheme))) {
      best = std::move(bias);
      return Outcome::Found;
    }
    if (ulps != 0)
      continue;
    // Constant ids do not say where offset 0 lies; T5's bucket 0 starts there.
    if (shift == 0)
      for (auto [start, id] : llvm::zip(pieces->starts, pieces->ids))
        if (id == 0 && start != -kMaxOffset)
          shifts.push_back(-start);
    if (!best)
      best = bias;
  }
  if (isKnown)
    return Outcome::Next;
  refusal.set("the row of the table is no step function of the offset", row);
  return Outcome::Refused;
}

OffsetAnalysis::Outcome OffsetAnalysis::tryShift(int64_t shift) {
  std::optional<OverOffset> over = toOffset(shift);
  if (!over)
    return Outcome::Refused;
  Offsets range = getRange(*over, shift);
  const Expr *pruned = openOneHots(prune(over->expr, range), range);
  // offset = key - (query + queryOffset) = key - query + symbols + shift
  Linear queryOffset = Linear().plus(over->symbols, -1);
  queryOffset.constant -= shift;

  // One read of one table.
  const Expr *leaf = nullptr;
  unsigned leaves = 0;
  bool isOneHot = false;
  forEachNode(pruned, [&](const Expr *node) {
    isOneHot |= node->is("rowOrZero");
    if (node->kind == Expr::Kind::Element && node->tensor &&
        isa<FloatType>(node->type)) {
      leaf = node;
      ++leaves;
    }
  });
  if (leaves == 0) {
    refusal.set("the bias reads no table", pruned);
    return Outcome::Refused;
  }
  if (std::optional<OffsetBias> alibi = findAlibi(pruned)) {
    alibi->queryOffset = queryOffset;
    best = std::move(alibi);
    return Outcome::Found;
  }
  if (isOneHot) {
    refusal.set("a one-hot row may be beyond the table", pruned);
    return Outcome::Refused;
  }
  if (leaves != 1 || !isOffsetInTheRowAlone(pruned, leaf)) {
    // ALiBi may have its 0 elsewhere.
    needsStrip = true;
    return Outcome::Next;
  }

  std::optional<unsigned> rowDim = findRow(leaf);
  if (!rowDim)
    return Outcome::Refused;
  const Expr *row = leaf->operands[*rowDim];
  OffsetBias bias;
  bias.rows =
      cast<RankedTensorType>(leaf->tensor.getType()).getDimSize(*rowDim);
  bias.row = context.addVariable(*bias.rows);
  auto indices = llvm::to_vector(leaf->operands);
  indices[*rowDim] = context.getIndex(Linear::var(bias.row), {});
  bias.operand = context.replace(
      pruned, {{leaf, context.getElement(leaf->tensor, indices)}});
  for (unsigned var : getVariables(bias.operand))
    if (var != bias.row)
      bias.heads.push_back(var);
  llvm::sort(bias.heads);
  bias.queryOffset = queryOffset;
  bias.isInBounds = isInside(row, offset, range.low, range.high, *bias.rows);
  if (!bias.isInBounds && range.low != -kMaxOffset) {
    refusal.set("the bias reads beyond the table", row);
    return Outcome::Refused;
  }
  return findRowScheme(std::move(bias), row, shift, range);
}

/// Whether the bias reads floats at a position.
bool OffsetAnalysis::readsPosition() {
  return findNode(expr, [&](const Expr *node) {
    if (node->kind != Expr::Kind::Element || !node->tensor)
      return false;
    Variables used = getVariables(node);
    return used.contains(key) || (query && used.contains(*query));
  });
}

/// Any other function of the offset, spread over the offsets of this program.
std::optional<OffsetBias> OffsetAnalysis::makeStrip(const OverOffset &over) {
  if (!queries || !keys) {
    refusal.set("the bias is no row of a table, and the lengths are not known",
                over.expr);
    return std::nullopt;
  }
  OffsetBias bias;
  bias.scheme =
      cast<BiasSchemeAttrInterface>(Attribute(StripAttr::get(mlirContext)));
  bias.rows = *queries + *keys - 1;
  bias.row = context.addVariable(bias.rows);
  bias.zero = *queries - 1;
  // t = key - query + symbols, and key - query = row - zero.
  Linear t = Linear::var(bias.row).plus(over.symbols);
  t.constant -= *bias.zero;
  bias.operand = context.substitute(over.expr, {{offset, t}});
  Variables used = getVariables(bias.operand);
  for (unsigned var : used)
    if (var != bias.row && !context.getVariable(var).symbol)
      bias.heads.push_back(var);
  llvm::sort(bias.heads);
  return bias;
}

std::optional<OffsetBias> OffsetAnalysis::run() {
  readConstantIds();
  collectShifts();
  llvm::SmallDenseSet<int64_t> tried;
  // Trying one may add others.
  for (size_t next = 0; next < shifts.size(); ++next) {
    int64_t shift = shifts[next];
    if (!tried.insert(shift).second)
      continue;
    switch (tryShift(shift)) {
    case Outcome::Refused:
      return std::nullopt;
    case Outcome::Found:
      return best;
    case Outcome::Next:
      break;
    }
  }
  if (best)
    return best;
  // A row of a table, with something else: its parts are worth more alone.
  if (readsPosition()) {
    refusal.set("the bias is no single row of a table", expr);
    return std::nullopt;
  }
  if (!needsStrip)
    return std::nullopt;
  return makeStrip(*toOffset(/*shift=*/0));
}

std::optional<OffsetBias>
relattn::analyzeOffsetBias(ExprContext &context, MLIRContext *mlirContext,
                           const Expr *expr, std::optional<unsigned> query,
                           unsigned key, Mismatch &refusal) {
  return OffsetAnalysis(context, mlirContext, expr, query, key, refusal).run();
}
