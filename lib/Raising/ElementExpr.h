//===- ElementExpr.h - What an element of a tensor is computed from -*- C++
//-*-//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Frontends spread attention over elementwise ops, fused or not, with reshapes,
// transposes, broadcasts and copies between. The raising passes look at one
// element of a tensor, at symbolic indices, as a scalar expression: there all
// of these vanish, and what is left is the formula.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_ELEMENTEXPR_H
#define RELATTN_LIB_RAISING_ELEMENTEXPR_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/FoldingSet.h"
#include "llvm/ADT/SetVector.h"
#include <map>
#include <memory>
#include <optional>

namespace mlir::relattn {

/// Offsets beyond these do not occur: 2^30 positions.
constexpr int64_t kMaxOffset = int64_t(1) << 30;

/// An integer that is linear in variables: sum of coefficient * variable, plus
/// a constant. Sorted by variable; no coefficient is 0.
struct Linear {
  SmallVector<std::pair<unsigned, int64_t>, 2> terms;
  int64_t constant = 0;

  static Linear get(int64_t constant) { return {{}, constant}; }
  static Linear var(unsigned id) { return {{{id, 1}}, 0}; }
  Linear plus(const Linear &other, int64_t factor = 1) const;
  int64_t coefficient(unsigned id) const;
  bool isConstant() const { return terms.empty(); }
  /// The one variable that it is, if it is one.
  std::optional<unsigned> getVar() const;
  bool operator==(const Linear &other) const {
    return terms == other.terms && constant == other.constant;
  }
};

/// A scalar expression. Equal expressions are one node.
struct Expr : public llvm::FoldingSetNode {
  enum class Kind {
    Number,  ///< `number`.
    Index,   ///< `linear`, an integer.
    Apply,   ///< The operation `name` (and `predicate`) on `operands`.
    Element, ///< `tensor` (or a scalar) at the indices `operands`.
  };
  Kind kind;
  Type type;
  Attribute number;
  Linear linear;
  /// One of the operations that compute this.
  Operation *op = nullptr;
  StringRef name;
  int64_t predicate = 0;
  Value tensor;
  SmallVector<const Expr *, 3> operands;

  bool is(StringRef opName) const {
    return kind == Kind::Apply && name == opName;
  }
  void Profile(llvm::FoldingSetNodeID &id) const;
};

/// Owns the expressions, and the variables in them.
class ExprContext {
public:
  /// What a variable ranges over: [0, size) if the size is known; a symbol is a
  /// scalar of the program.
  struct Variable {
    std::optional<int64_t> size;
    Value symbol;
    /// The tensor dimension that has this size, for dynamic ones.
    Value sizedBy;
    int64_t sizedByDim = 0;
  };

  unsigned addVariable(std::optional<int64_t> size, Value symbol = {});
  /// A variable over a dimension of a tensor.
  unsigned addVariable(Value tensor, int64_t dim);
  const Variable &getVariable(unsigned id) const { return variables[id]; }

  const Expr *getNumber(TypedAttr number);
  const Expr *getIndex(const Linear &linear, Type type);
  const Expr *getElement(Value tensor, ArrayRef<const Expr *> indices);
  /// `op` on operands, simplified: integer sums are linear, constants fold.
  const Expr *getApply(Operation *op, ArrayRef<const Expr *> operands);

  /// Operations without an operation of the program:
  ///   not(x), and(x, y)           on booleans
  ///   neg(x), add(x, y)           on floats
  ///   select(c, x, y)             a float
  ///   clamp(id)                   the integer in [0, number)
  ///   rowOrZero(id, x)            x if id is in [0, number), else 0
  const Expr *getNamed(StringRef name, Type type, int64_t number,
                       ArrayRef<const Expr *> operands);
  const Expr *getNot(const Expr *x) { return getNamed("not", x->type, 0, x); }
  const Expr *getAnd(const Expr *x, const Expr *y) {
    return getNamed("and", x->type, 0, {x, y});
  }
  const Expr *getNegation(const Expr *x);
  const Expr *getSum(const Expr *x, const Expr *y) {
    return getNamed("add", x->type, 0, {x, y});
  }

  /// How far to look.
  enum class Depth {
    Layout, ///< Through moves alone.
    Full    ///< Through all elementwise computation.
  };
  /// The element of `tensor` at `indices`. Stops at reductions, arguments and
  /// what else is not elementwise.
  const Expr *element(Value tensor, ArrayRef<const Expr *> indices,
                      Depth depth);
  /// A scalar outside of any body.
  const Expr *scalar(Value value);

  /// A reduction, opened: the element is the combination by `combiner` of
  /// `init` and `value` over the `bound` variables.
  struct Reduction {
    Operation *combiner;
    const Expr *init, *value;
    SmallVector<unsigned> bound;
    /// For a sum of products: the two factors, and the elements that they are
    /// before any computation (null where a factor is computed in the body).
    const Expr *factors[2] = {nullptr, nullptr};
    const Expr *leaves[2] = {nullptr, nullptr};
    linalg::LinalgOp op;
  };
  /// Opens the element `leaf` of a reduction's result, if it is one.
  std::optional<Reduction> openReduction(const Expr *leaf);
  /// Opens result `number` of `op` at new variables for its loops, which are
  /// appended to `loops`.
  std::optional<Reduction> openReduction(linalg::LinalgOp op, unsigned number,
                                         ArrayRef<const Expr *> loops);
  /// New variables (or 0, for loops of size 1) for the loops of `op`.
  SmallVector<const Expr *> makeLoops(linalg::LinalgOp op);

  /// The expression with variables replaced.
  const Expr *substitute(const Expr *expr,
                         const llvm::DenseMap<unsigned, Linear> &values);

  /// The expression with some nodes replaced.
  const Expr *replace(const Expr *expr,
                      const llvm::DenseMap<const Expr *, const Expr *> &nodes);
  /// A constant vector, read at `index`.
  const Expr *getLookup(DenseElementsAttr values, const Expr *index);
  /// The linalg ops whose bodies assert something, that expressions went
  /// through.
  const llvm::SetVector<Operation *> &getAsserting() const { return asserting; }

  /// The variables that were split into quotient and remainder on the way, as
  /// substitutions; apply them to everything before comparing.
  const Expr *resolveSplits(const Expr *expr);

  /// Splits `linear`, in [0, outer * inner), in quotient and remainder by
  /// `inner`.
  std::optional<std::pair<Linear, Linear>> split(const Linear &linear,
                                                 int64_t inner);

private:
  struct Body {
    linalg::LinalgOp op;
    ArrayRef<const Expr *> loops;
    Depth depth;
    llvm::DenseMap<Value, const Expr *> known;
    Body(linalg::LinalgOp op, ArrayRef<const Expr *> loops, Depth depth)
        : op(op), loops(loops), depth(depth) {}
  };
  const Expr *unique(Expr &expr);
  /// Whether an integer of `type` holds `linear` at all values of its
  /// variables. Positions are far below 2^31.
  bool fits(const Linear &linear, Type type) const;
  /// An element of a constant whose numbers rise evenly along one dimension.
  const Expr *readProgression(DenseElementsAttr values,
                              ArrayRef<const Expr *> indices);
  /// Whether one-hot products were taken as reads of a row: outside of the
  /// table they give 0, and reads anything.
  bool hasOneHot = false;
  bool isBroadcastGuard(ArrayRef<const Expr *> select) const;
  const Expr *rewrite(const Expr *root,
                      llvm::DenseMap<const Expr *, const Expr *> done,
                      llvm::function_ref<const Expr *(const Expr *)> onIndex);
  const Expr *rebuild(const Expr *expr, ArrayRef<const Expr *> operands);
  const Expr *scalarInBody(Value value, Body &body);
  const Expr *readOperand(linalg::LinalgOp op, OpOperand &operand,
                          ArrayRef<const Expr *> loops, Depth depth);
  bool bindLoops(linalg::LinalgOp op, AffineMap map,
                 ArrayRef<const Expr *> indices,
                 SmallVectorImpl<const Expr *> &loops);
  using Indices = SmallVector<const Expr *>;
  std::optional<Indices> getSourceOf(tensor::ExpandShapeOp op,
                                     ArrayRef<const Expr *> indices);
  std::optional<Indices> getSourceOf(tensor::CollapseShapeOp op,
                                     ArrayRef<const Expr *> indices);
  std::optional<Indices> getSourceOf(tensor::ReshapeOp op,
                                     ArrayRef<const Expr *> indices);
  std::optional<Indices> getSourceOf(tensor::ExtractSliceOp op,
                                     ArrayRef<const Expr *> indices);
  bool splitDown(Linear index, RankedTensorType type, ArrayRef<int64_t> dims,
                 SmallVectorImpl<const Expr *> &source);
  const Expr *elementOfLinalg(linalg::LinalgOp op, OpResult result,
                              ArrayRef<const Expr *> indices, Depth depth);
  const Expr *elementOfOp(Operation *op, OpResult result,
                          ArrayRef<const Expr *> indices, Depth depth);

  const Expr *selectRow(linalg::LinalgOp contraction, OpResult result,
                        ArrayRef<const Expr *> indices);

  llvm::SetVector<Operation *> asserting;
  std::map<std::tuple<void *, Depth, std::vector<const Expr *>>, const Expr *>
      elements;
  std::vector<Variable> variables;
  llvm::DenseMap<Value, unsigned> symbols;
  std::vector<std::unique_ptr<Expr>> nodes;
  llvm::FoldingSet<Expr> set;
  llvm::DenseMap<unsigned, Linear> splitValues;
};

/// An affine expression of dimensions and symbols (which follow them in
/// `loops`), if it is a sum of multiples.
std::optional<Linear> getAffine(AffineExpr expr, ArrayRef<const Expr *> loops,
                                unsigned dimensions = 0);

/// Whether `op` sums products of two things, perhaps computed in its body.
bool isSumOfProducts(linalg::LinalgOp op);

/// Calls `function` for each node of `root` once, users first.
void forEachNode(const Expr *root,
                 llvm::function_ref<void(const Expr *)> function);

/// A node of `root` that `predicate` holds for, or null.
const Expr *findNode(const Expr *root,
                     llvm::function_ref<bool(const Expr *)> predicate);

/// The variables that `expr` depends on.
using Variables = llvm::SmallDenseSet<unsigned>;
Variables getVariables(const Expr *expr);

/// The element type of an integer or float constant as a number, or none.
std::optional<double> getFloat(const Expr *expr);
std::optional<int64_t> getInteger(const Expr *expr);

/// Through casts between float types.
const Expr *skipFloatCasts(const Expr *expr);

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_ELEMENTEXPR_H
