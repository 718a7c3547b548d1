//===- OffsetBias.cpp - A bias that is a function of the offset -----------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "OffsetBias.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include <cmath>

using namespace mlir;
using namespace mlir::relattn;

/// Tables of more rows are strips.
static constexpr unsigned kMaxPieces = 65536;

//===----------------------------------------------------------------------===//
// From two positions to the offset
//===----------------------------------------------------------------------===//

/// The integers of a constant tensor, a resource included.
static std::optional<SmallVector<int64_t>> readIntegers(Value tensor) {
  Attribute attribute;
  if (!matchPattern(tensor, m_Constant(&attribute)))
    return std::nullopt;
  SmallVector<int64_t> integers;
  if (auto values = dyn_cast<DenseElementsAttr>(attribute)) {
    if (!isa<IntegerType>(values.getElementType()))
      return std::nullopt;
    for (const APInt &value : values.getValues<APInt>())
      integers.push_back(value.getSExtValue());
    return integers;
  }
  if (auto values = dyn_cast<DenseI64ResourceElementsAttr>(attribute)) {
    if (std::optional<ArrayRef<int64_t>> array = values.tryGetAsArrayRef())
      return SmallVector<int64_t>(array->begin(), array->end());
  } else if (auto values = dyn_cast<DenseI32ResourceElementsAttr>(attribute)) {
    if (std::optional<ArrayRef<int32_t>> array = values.tryGetAsArrayRef())
      return SmallVector<int64_t>(array->begin(), array->end());
  } else if (auto values = dyn_cast<DenseI16ResourceElementsAttr>(attribute)) {
    if (std::optional<ArrayRef<int16_t>> array = values.tryGetAsArrayRef())
      return SmallVector<int64_t>(array->begin(), array->end());
  }
  return std::nullopt;
}

/// A constant of ids[query, key] as a vector over the offset, if it is constant
/// along its diagonals.
static const Expr *readDiagonals(ExprContext &context, MLIRContext *mlirContext,
                                 const Expr *leaf,
                                 std::optional<unsigned> query, unsigned key) {
  auto type = dyn_cast<RankedTensorType>(leaf->tensor.getType());
  if (!type || !type.hasStaticShape())
    return nullptr;
  std::optional<unsigned> queryDim, keyDim;
  int64_t queryStart = 0, keyStart = 0, base = 0;
  SmallVector<int64_t> strides(type.getRank(), 1);
  for (int64_t i = type.getRank() - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * type.getDimSize(i + 1);
  for (auto [dim, index] : llvm::enumerate(leaf->operands)) {
    if (index->kind != Expr::Kind::Index)
      return nullptr;
    const Linear &linear = index->linear;
    if (linear.isConstant()) {
      base += linear.constant * strides[dim];
    } else if (linear.terms.size() == 1 && linear.terms[0].second == 1 &&
               query && linear.terms[0].first == *query && !queryDim) {
      queryDim = dim;
      queryStart = linear.constant;
    } else if (linear.terms.size() == 1 && linear.terms[0].second == 1 &&
               linear.terms[0].first == key && !keyDim) {
      keyDim = dim;
      keyStart = linear.constant;
    } else {
      return nullptr;
    }
  }
  if (queryDim.has_value() != query.has_value() || !keyDim)
    return nullptr;
  std::optional<SmallVector<int64_t>> values = readIntegers(leaf->tensor);
  if (!values)
    return nullptr;
  int64_t queries = queryDim ? type.getDimSize(*queryDim) : 1;
  int64_t queryStride = queryDim ? strides[*queryDim] : 0;
  int64_t keys = type.getDimSize(*keyDim);
  SmallVector<int64_t> diagonals(queries + keys - 1);
  for (int64_t i = 0; i < queries; ++i) {
    for (int64_t j = 0; j < keys; ++j) {
      int64_t value = (*values)[base + i * queryStride + j * strides[*keyDim]];
      int64_t &diagonal = diagonals[j - i + queries - 1];
      if (i == 0 || j == 0)
        diagonal = value;
      else if (diagonal != value)
        return nullptr;
    }
  }
  auto vector = DenseElementsAttr::get(
      RankedTensorType::get({int64_t(diagonals.size())},
                            IntegerType::get(mlirContext, 64)),
      ArrayRef<int64_t>(diagonals));
  // Place (key + keyStart) - (query + queryStart) + queries - 1.
  Linear index = Linear::var(key);
  if (query)
    index = index.plus(Linear::var(*query), -1);
  index.constant = keyStart - queryStart + queries - 1;
  return context.getLookup(vector, context.getIndex(index, {}));
}

namespace {
/// An expression over the offset t = key - query + symbols + shift.
struct OverOffset {
  const Expr *expr;
  Linear symbols;
};
} // namespace

/// Rewrites `expr` over the new variable `offset`, or says why that is wrong.
static std::optional<OverOffset>
toOffset(ExprContext &context, const Expr *expr, std::optional<unsigned> query,
         unsigned key, unsigned offset, int64_t shift, Mismatch &refusal) {
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

/// Takes the branches that selects between values take at every offset that can
/// occur. Selects between rows stay: they say what holds beyond.
static const Expr *prune(ExprContext &context, const Expr *expr,
                         unsigned offset, int64_t low, int64_t high) {
  llvm::DenseMap<const Expr *, const Expr *> replacements;
  forEachNode(expr, [&](const Expr *node) {
    if (!node->is("arith.select") || !isa<FloatType>(node->type))
      return;
    ValueRange1 condition = evaluateRange(node->operands[0], offset, low, high);
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
static const Expr *openOneHots(ExprContext &context, const Expr *expr,
                               unsigned offset, int64_t low, int64_t high) {
  llvm::DenseMap<const Expr *, const Expr *> replacements;
  forEachNode(expr, [&](const Expr *node) {
    if (!node->is("rowOrZero"))
      return;
    const Expr *id = node->operands[0];
    if (!isInside(id, offset, low, high, node->predicate))
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
// Schemes
//===----------------------------------------------------------------------===//

/// Whether `steps` agrees with `pieces` where these are defined.
static bool agrees(const StepFunction &steps, const Pieces &pieces, int64_t low,
                   int64_t high) {
  for (auto [k, id] : llvm::enumerate(pieces.ids)) {
    int64_t first = std::max(pieces.starts[k], low);
    int64_t last =
        k + 1 < pieces.starts.size() ? pieces.starts[k + 1] - 1 : kMaxOffset;
    last = std::min(last, high);
    if (first > last)
      continue;
    // Steps inside the piece would be another bucket.
    if (steps.evaluate(first) != id || steps.evaluate(last) != id)
      return false;
    for (int64_t start : steps.getStarts())
      if (start > first && start <= last)
        return false;
  }
  return true;
}

/// The T5 attribute that agrees with the pieces over [low, high], if one does.
static BiasSchemeAttrInterface findT5(MLIRContext *context,
                                      const Pieces &pieces, int64_t rows,
                                      int64_t low, int64_t high) {
  for (bool bidirectional : {true, false}) {
    if (rows < (bidirectional ? 4 : 2) || rows > 4096 ||
        (bidirectional && rows % 2 != 0))
      continue;
    int64_t buckets = bidirectional ? rows / 2 : rows;
    int64_t exact = buckets / 2;
    // Where the last bucket of the earlier keys starts gives the distance.
    std::optional<int64_t> last;
    for (auto [k, id] : llvm::enumerate(pieces.ids))
      if (id == buckets - 1 && k + 1 < pieces.starts.size())
        last = -(pieces.starts[k + 1] - 1);
    SmallVector<int64_t> candidates = {128, 64, 32, 256, 20, exact + 1};
    if (last && *last > 0 && buckets - 1 > exact) {
      auto distance = [&](double n) {
        return exact * std::pow(n / exact, double(buckets - exact) /
                                               double(buckets - 1 - exact));
      };
      int64_t from = static_cast<int64_t>(distance(double(*last) - 1)) - 1;
      int64_t to = static_cast<int64_t>(distance(double(*last) + 1)) + 1;
      if (to - from < 100000)
        for (int64_t d = from; d <= to; ++d)
          candidates.push_back(d);
    }
    // Many distances may agree: the roundest one is meant.
    auto rank = [](int64_t d) {
      return std::make_pair(d == 128                      ? 0
                            : d > 0 && (d & (d - 1)) == 0 ? 1
                            : d % 10 == 0                 ? 2
                                                          : 3,
                            d);
    };
    llvm::sort(candidates,
               [&](int64_t a, int64_t b) { return rank(a) < rank(b); });
    for (int64_t d : candidates) {
      if (d <= exact || d >= StepFunction::kMaxT5Distance)
        continue;
      if (llvm::Error error = StepFunction::checkT5(rows, d, bidirectional)) {
        llvm::consumeError(std::move(error));
        continue;
      }
      if (agrees(StepFunction::getT5(rows, d, bidirectional), pieces, low,
                 high))
        return cast<BiasSchemeAttrInterface>(
            Attribute(T5Attr::get(context, rows, d, bidirectional)));
    }
  }
  return {};
}

/// One row for each offset between two ends, if the pieces say that.
static BiasSchemeAttrInterface findClip(MLIRContext *context,
                                        const Pieces &pieces, int64_t rows) {
  if (rows < 2 || int64_t(pieces.ids.size()) != rows)
    return {};
  for (auto [k, id] : llvm::enumerate(pieces.ids))
    if (id != int64_t(k) ||
        (k >= 2 && pieces.starts[k] != pieces.starts[k - 1] + 1))
      return {};
  int64_t lo = pieces.starts[1] - 1;
  return cast<BiasSchemeAttrInterface>(
      Attribute(ClipAttr::get(context, lo, lo + rows - 1)));
}

/// The scheme that says the pieces, which hold over [low, high], best.
static BiasSchemeAttrInterface findScheme(MLIRContext *context,
                                          const Pieces &pieces, int64_t rows,
                                          int64_t low, int64_t high) {
  if (BiasSchemeAttrInterface clip = findClip(context, pieces, rows))
    return clip;
  if (BiasSchemeAttrInterface t5 = findT5(context, pieces, rows, low, high))
    return t5;
  return cast<BiasSchemeAttrInterface>(Attribute(StepsAttr::get(
      context, rows, ArrayRef(pieces.starts).drop_front(), pieces.ids)));
}

BiasSchemeAttrInterface relattn::reverseScheme(BiasSchemeAttrInterface scheme) {
  if (isa<AlibiAttr>(Attribute(scheme)))
    return scheme;
  std::optional<StepFunction> steps = scheme.getStepFunction();
  if (!steps)
    return {};
  // [a, b) becomes (-b, -a].
  Pieces pieces;
  for (size_t k = steps->getIds().size(); k-- > 0;) {
    pieces.starts.push_back(k < steps->getStarts().size()
                                ? 1 - steps->getStarts()[k]
                                : -kMaxOffset);
    pieces.ids.push_back(steps->getIds()[k]);
  }
  return findScheme(scheme.getContext(), pieces, steps->getNumBuckets(),
                    -kMaxOffset, kMaxOffset);
}

/// The offsets at which `row` is in [0, rows): from the first to the last piece
/// that is defined.
static std::pair<int64_t, int64_t> getDefinedRange(const Expr *row,
                                                   unsigned offset,
                                                   int64_t rows, int64_t low,
                                                   int64_t high) {
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

/// slope[h] * -|t|, in any order: the slopes.
static std::optional<OffsetBias> findAlibi(ExprContext &context,
                                           MLIRContext *mlirContext,
                                           const Expr *expr, unsigned offset) {
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

/// Any other function of the offset, spread over the offsets of this program.
static std::optional<OffsetBias>
makeStrip(ExprContext &context, MLIRContext *mlirContext,
          const OverOffset &over, unsigned offset,
          std::optional<int64_t> queries, std::optional<int64_t> keys,
          Mismatch &refusal) {
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

std::optional<OffsetBias>
relattn::analyzeOffsetBias(ExprContext &context, MLIRContext *mlirContext,
                           const Expr *expr, std::optional<unsigned> query,
                           unsigned key, Mismatch &refusal) {
  // Constant ids become vectors over the offset.
  llvm::DenseMap<const Expr *, const Expr *> vectors;
  SmallVector<int64_t> shifts = {0};
  forEachNode(expr, [&](const Expr *node) {
    if (node->kind == Expr::Kind::Element && node->tensor &&
        isa<IntegerType>(node->type))
      if (const Expr *vector =
              readDiagonals(context, mlirContext, node, query, key))
        vectors[node] = vector;
  });
  if (!vectors.empty())
    expr = context.replace(expr, vectors);
  forEachNode(expr, [&](const Expr *node) {
    if (node->kind == Expr::Kind::Index && node->linear.coefficient(key) != 0)
      shifts.push_back(node->linear.coefficient(key) < 0
                           ? -node->linear.constant
                           : node->linear.constant);
  });

  unsigned offset = context.addVariable(std::nullopt);
  std::optional<int64_t> queries =
      query ? context.getVariable(*query).size : std::optional<int64_t>(1);
  std::optional<int64_t> keys = context.getVariable(key).size;
  std::optional<OffsetBias> best;
  bool needsStrip = false;
  llvm::SmallDenseSet<int64_t> tried;
  for (size_t next = 0; next < shifts.size(); ++next) {
    int64_t shift = shifts[next];
    if (!tried.insert(shift).second)
      continue;
    std::optional<OverOffset> over =
        toOffset(context, expr, query, key, offset, shift, refusal);
    if (!over)
      return std::nullopt;
    // What can occur.
    int64_t low = -kMaxOffset, high = kMaxOffset;
    if (queries && keys && over->symbols.isConstant()) {
      low = shift - (*queries - 1);
      high = shift + *keys - 1;
    }
    const Expr *pruned = prune(context, over->expr, offset, low, high);

    pruned = openOneHots(context, pruned, offset, low, high);
    // One read of one table.
    const Expr *leaf = nullptr;
    unsigned leaves = 0;
    forEachNode(pruned, [&](const Expr *node) {
      if (node->kind == Expr::Kind::Element && node->tensor &&
          isa<FloatType>(node->type)) {
        leaf = node;
        ++leaves;
      }
    });
    if (leaves == 0) {
      refusal.set("the bias reads no table", pruned);
      return std::nullopt;
    }
    if (std::optional<OffsetBias> alibi =
            findAlibi(context, mlirContext, pruned, offset)) {
      alibi->queryOffset = Linear().plus(over->symbols, -1);
      alibi->queryOffset.constant -= shift;
      return alibi;
    }
    Variables variables;
    if (leaves == 1) {
      // The offset is in the row alone.
      unsigned marker = context.addVariable(std::nullopt);
      const Expr *without = context.replace(
          pruned, {{leaf, context.getIndex(Linear::var(marker), {})}});
      variables = getVariables(without);
    }
    bool isOneHot = false;
    forEachNode(pruned,
                [&](const Expr *node) { isOneHot |= node->is("rowOrZero"); });
    if (isOneHot) {
      refusal.set("a one-hot row may be beyond the table", pruned);
      return std::nullopt;
    }
    if (leaves != 1 || variables.contains(offset)) {
      // ALiBi may have its 0 elsewhere.
      needsStrip = true;
      continue;
    }
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
    if (!rowDim || !type || type.isDynamicDim(*rowDim)) {
      refusal.set("the number of rows of the table is not known", leaf);
      return std::nullopt;
    }
    int64_t rows = type.getDimSize(*rowDim);
    const Expr *row = leaf->operands[*rowDim];
    OffsetBias bias;
    bias.row = context.addVariable(rows);
    bias.rows = rows;
    auto indices = llvm::to_vector(leaf->operands);
    indices[*rowDim] = context.getIndex(Linear::var(bias.row), {});
    bias.operand = context.replace(
        pruned, {{leaf, context.getElement(leaf->tensor, indices)}});
    Variables used = getVariables(bias.operand);
    for (unsigned var : used)
      if (var != bias.row)
        bias.heads.push_back(var);
    llvm::sort(bias.heads);
    // offset = key - (query + queryOffset) = key - query + symbols + shift
    bias.queryOffset = Linear().plus(over->symbols, -1);
    bias.queryOffset.constant -= shift;
    bias.isInBounds = isInside(row, offset, low, high, rows);
    if (!bias.isInBounds && low != -kMaxOffset) {
      refusal.set("the bias reads beyond the table", row);
      return std::nullopt;
    }

    bool isKnown = false;
    for (int ulps : {0, 1, -1}) {
      auto [first, last] =
          getDefinedRange(row, offset, rows, -kMaxOffset, kMaxOffset);
      std::optional<Pieces> pieces =
          findPieces(row, offset, rows, ulps, kMaxPieces);
      if (!pieces) {
        // Narrow integers wrap beyond the lengths of this program.
        std::tie(first, last) = std::make_pair(low, high);
        pieces = findPieces(row, offset, rows, ulps, kMaxPieces, low, high);
      }
      if (!pieces)
        continue;
      isKnown = true;
      BiasSchemeAttrInterface scheme =
          findScheme(mlirContext, *pieces, rows, first, last);
      if (!isa<StepsAttr>(Attribute(scheme))) {
        bias.scheme = scheme;
        return bias;
      }
      if (shift == 0 && ulps == 0) {
        // Constant ids do not say where offset 0 lies; T5's bucket 0 starts
        // there.
        for (auto [start, id] : llvm::zip(pieces->starts, pieces->ids))
          if (id == 0 && start != -kMaxOffset)
            shifts.push_back(-start);
      }
      if (!best && ulps == 0) {
        bias.scheme = scheme;
        best = bias;
      }
    }
    if (!isKnown) {
      refusal.set("the row of the table is no step function of the offset",
                  row);
      return std::nullopt;
    }
  }
  // A row of a table, with something else: its parts are worth more alone.
  bool readsRow = false;
  forEachNode(expr, [&](const Expr *node) {
    if (node->kind != Expr::Kind::Element || !node->tensor)
      return;
    Variables used = getVariables(node);
    readsRow |= used.contains(key) || (query && used.contains(*query));
  });
  if (readsRow && !best)
    refusal.set("the bias is no single row of a table", expr);
  if (needsStrip && !best && !readsRow) {
    std::optional<OverOffset> over =
        toOffset(context, expr, query, key, offset, /*shift=*/0, refusal);
    return makeStrip(context, mlirContext, *over, offset, queries, keys,
                     refusal);
  }
  return best;
}
