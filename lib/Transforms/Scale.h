//===- Scale.h - A factor of a whole tensor and where it can go -*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two questions of relattn-remove-scaling: which op multiplies a tensor by
// one number, and where on the way to a tensor can that be done for less.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_TRANSFORMS_SCALE_H
#define RELATTN_LIB_TRANSFORMS_SCALE_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"
#include <optional>

namespace mlir::relattn {

/// A factor, of float type.
struct Scale {
  /// What to multiply by, if known at compile time. A divisor is inverted.
  std::optional<APFloat> constant;
  /// Otherwise: the number in the body of `owner`, or a tensor of it. Null once
  /// it is `value` alone.
  Value value;
  linalg::LinalgOp owner;
  bool isDivisor = false;
  /// Whether it may be applied elsewhere although that rounds differently.
  bool mayReassociate = false;
  /// The fast-math flags of the multiplication that outlive a move: none that
  /// says something about its values.
  arith::FastMathFlags flags = arith::FastMathFlags::none;

  bool isOne() const;
  /// Whether it is a power of two of moderate size (its exponent at most a
  /// quarter of the type's range): multiplying by it rounds only where
  /// numbers are subnormal or overflow.
  bool isPowerOfTwo() const;
  /// Whether the scores' scale may be applied to an operand instead.
  bool mayMove() const { return isPowerOfTwo() || mayReassociate; }
  /// Whether x * this * other may be x * (this * other).
  bool mayMergeWith(const Scale &other) const;
};

/// The scale that `op` (arith.mulf or divf; in the body of `owner`, or on
/// tensors and `owner` null) applies to its operand `scaled`, if it is one. A
/// constant that is zero, subnormal or not finite is none.
std::optional<Scale> matchScale(Operation *op, unsigned scaled,
                                linalg::LinalgOp owner,
                                bool allowReassociation);

/// An op that does nothing but scale a tensor.
struct ScaleOp {
  OpOperand *source;
  Scale scale;
};
std::optional<ScaleOp> matchScaleOp(Operation *op, bool allowReassociation);

/// The same number as a scalar at the insertion point.
Value materialize(RewriterBase &rewriter, Location loc, FloatType type,
                  const Scale &scale);

/// Both factors in one. Expects mayMergeWith; run-time ones are materialised.
Scale mergeScales(RewriterBase &rewriter, Location loc, FloatType type,
                  const Scale &lhs, const Scale &rhs);

/// The same scale with its number at the insertion point, independent of the
/// op that it comes from.
Scale detach(RewriterBase &rewriter, Location loc, FloatType type,
             const Scale &scale);

/// Where a tensor can be scaled.
struct ScaleSite {
  enum class Kind {
    Constant, ///< The tensor is a constant.
    Merge,    ///< The tensor is scaled already.
    Fill,     ///< The tensor is filled with a scalar.
    Body,     ///< An elementwise op computes it: one multiplication there.
    NewOp     ///< A pass over the tensor of its own.
  };
  Kind kind;
  /// The use whose value is to be scaled; changing it changes the tensor that
  /// was asked for, and nothing else.
  OpOperand *use;

  bool isFree() const { return kind < Kind::Body; }
};

/// The best place on the way to `use`: through ops that only it reads
/// (reshapes, transposes, broadcasts, gathers from a smaller table,
/// contractions with a constant weight).
ScaleSite findScaleSite(OpOperand &use, const Scale &scale,
                        bool allowReassociation);

/// Scales the tensor at `site`. A run-time scale must dominate the owner of
/// its use.
void applyScale(RewriterBase &rewriter, const ScaleSite &site,
                const Scale &scale, bool allowReassociation);

/// Follows `use` up through layout moves that only it reads; the last use
/// before anything else.
OpOperand *skipLayoutMoves(OpOperand &use);

/// Number of elements, if static.
std::optional<int64_t> getStaticSize(Value tensor);

} // namespace mlir::relattn

#endif // RELATTN_LIB_TRANSFORMS_SCALE_H
