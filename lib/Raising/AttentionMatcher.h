//===- AttentionMatcher.h - Matching one attention --------------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The steps of matching, in the order in which they run: the scores are taken
// apart (AttentionScores.cpp), dimensions get their roles (AttentionMatch.cpp),
// terms become operands (AttentionTerms.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_LIB_RAISING_ATTENTIONMATCHER_H
#define RELATTN_LIB_RAISING_ATTENTIONMATCHER_H

#include "AttentionMatch.h"

namespace mlir::relattn {

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
          Mismatch &refusal)
      : context(context), options(options), refusal(refusal) {}

  std::optional<AttentionMatch> run(Operation *root);

private:
  std::optional<AttentionMatch>
  matchProduct(Operation *root, const ExprContext::Reduction &values,
               unsigned side, const Expr *sum, ArrayRef<const Expr *> output);
  bool matchScores(AttentionMatch &match, const Expr *scores, const Expr *leaf,
                   unsigned key, ArrayRef<const Expr *> output, bool isSafe);
  bool isComputable(const AttentionMatch &match);
  bool hidesARow(const AttentionMatch &match);
  bool everyRowSeesAKey(const AttentionMatch &match);
  std::optional<int64_t> getSize(const AttentionMatch &match, unsigned role);
  bool readOutput(AttentionMatch &match, ArrayRef<const Expr *> output);
  void addParts(const Expr *expr, SmallVector<const Expr *> wrappers,
                ScoresParts &parts);
  bool takeApart(const Expr *expr, const Expr *product,
                 SmallVector<const Expr *> wrappers, ScoresParts &parts);
  bool isProduct(const Expr *leaf, unsigned key);
  SmallVector<const Expr *> findProducts(const Expr *scores, unsigned key);
  const Expr *wrap(const Expr *expr, ArrayRef<const Expr *> wrappers);
  bool assignRoles(AttentionMatch &match, unsigned key, const Expr *depth);
  bool addTerms(AttentionMatch &match, ScoresParts &parts);
  bool addTerm(AttentionMatch &match, const Expr *term,
               SmallVectorImpl<const Expr *> &rest);
  bool addBiasOp(AttentionMatch &match, const Expr *term);
  void addFiniteBands(AttentionMatch &match,
                      SmallVectorImpl<const Expr *> &rest);
  bool addCondition(AttentionMatch &match, const Expr *condition, bool isTrue);
  Value matchKeyLengths(const AttentionMatch &match, const Expr *condition,
                        bool isTrue);
  bool setQueryOffset(AttentionMatch &match, const Linear &offset);
  bool readUsers(AttentionMatch &match, const Expr *product,
                 const Expr *scores);
  bool isLogSumExp(AttentionMatch &match, Operation *op, const Expr *product,
                   const Expr *scores);
  bool canComeAfterRoot(const AttentionMatch &match, Operation *op);
  std::optional<BandAttr> matchBand(AttentionMatch &match,
                                    const Expr *condition, bool isTrue);
  template <typename Culprit> bool fail(StringRef reason, Culprit *culprit) {
    refusal.set(reason, culprit);
    return false;
  }
  template <typename Culprit>
  std::nullopt_t refuse(StringRef reason, Culprit *culprit) {
    refusal.set(reason, culprit);
    return std::nullopt;
  }

  ExprContext &context;
  const AttentionMatchOptions &options;
  Mismatch &refusal;
  bool hasQueryOffset = false;
};

} // namespace mlir::relattn

#endif // RELATTN_LIB_RAISING_ATTENTIONMATCHER_H
