//===- ScoresTrace.cpp - From an elementwise op to its contraction --------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See the header.
//
//===----------------------------------------------------------------------===//

#include "ScoresTrace.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/ManagedStatic.h"
#include "llvm/Support/Mutex.h"

using namespace mlir;
using namespace mlir::relattn;
using linalg::LinalgOp;

//===----------------------------------------------------------------------===//
// The trace
//===----------------------------------------------------------------------===//

/// Sums of products of floats or integers. Booleans (or, and) and complex
/// numbers are contractions to linalg too; neither has a bias to fold.
static bool isRealContraction(linalg::LinalgOp op) {
  if (op->getNumResults() != 1 || !linalg::isaContractionOpInterface(op))
    return false;
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  return isa<FloatType>(element) ||
         (element.isSignlessInteger() && !element.isInteger(1));
}

/// A move of the layout; what it moves is its first operand.
static bool isMove(Operation *op) {
  return isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
                         tensor::CastOp, linalg::TransposeOp>(op);
}

bool relattn::isFloatContraction(linalg::LinalgOp op) {
  return isRealContraction(op) &&
         isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType()));
}

std::optional<ScoresTrace> relattn::traceScores(Value value) {
  ScoresTrace trace;
  while (Operation *op = value.getDefiningOp()) {
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
      if (isRealContraction(linalgOp)) {
        trace.contraction = linalgOp;
        std::reverse(trace.moves.begin(), trace.moves.end());
        return trace;
      }
    }
    if (!isMove(op))
      return std::nullopt;
    value = op->getOperand(0);
    trace.moves.push_back(op);
  }
  return std::nullopt;
}

bool relattn::isConvertedScores(Value value) {
  Operation *op = value.getDefiningOp();
  while (isMove(op))
    op = op->getOperand(0).getDefiningOp();
  if (auto linalgOp = dyn_cast_or_null<LinalgOp>(op)) {
    auto yield =
        dyn_cast<linalg::YieldOp>(linalgOp.getBlock()->getTerminator());
    op = yield ? yield.getOperand(0).getDefiningOp() : nullptr;
    if (!isa_and_nonnull<CastOpInterface>(op))
      return false;
    auto argument = dyn_cast<BlockArgument>(op->getOperand(0));
    return argument && argument.getOwner() == linalgOp.getBlock() &&
           traceScores(linalgOp->getOperand(argument.getArgNumber()));
  }
  return isa_and_nonnull<arith::ExtFOp, arith::TruncFOp>(op) &&
         traceScores(op->getOperand(0));
}

bool relattn::startsAtZero(linalg::LinalgOp contraction) {
  Value init = contraction.getDpsInits()[0];
  while (auto cast = init.getDefiningOp<tensor::CastOp>())
    init = cast.getSource();
  auto isZero = [](Value value) {
    return matchPattern(value, m_AnyZeroFloat()) ||
           matchPattern(value, m_Zero());
  };
  if (auto fill = init.getDefiningOp<linalg::FillOp>())
    return isZero(fill.value());
  if (auto splat = init.getDefiningOp<tensor::SplatOp>())
    return isZero(splat.getInput());
  if (auto generic = init.getDefiningOp<linalg::GenericOp>()) {
    std::optional<Value> fill = linalg::isaFillOpInterface(generic);
    if (fill)
      return isZero(*fill);
    // A body that yields a constant, with no input at all.
    return generic.getNumDpsInputs() == 0 &&
           isZero(generic.getBody()->getTerminator()->getOperand(0));
  }
  DenseElementsAttr values;
  if (!matchPattern(init, m_Constant(&values)) || !values.isSplat())
    return false;
  if (isa<FloatType>(values.getElementType()))
    return values.getSplatValue<APFloat>().isZero();
  return isa<IntegerType>(values.getElementType()) &&
         values.getSplatValue<APInt>().isZero();
}

Refusal relattn::checkTrace(const ScoresTrace &trace, OpOperand &scores,
                            bool staysInBlock) {
  // Another reader of the product, or of a value on the way, would see the
  // change.
  if (!trace.getResult().hasOneUse() ||
      llvm::any_of(trace.moves, [](Operation *move) {
        return !move->getResult(0).hasOneUse();
      }))
    return "the product has another user";
  if (staysInBlock)
    return {};
  // The contraction moves down to the op. Into a loop it would run many times.
  Block *block = scores.getOwner()->getBlock();
  if (trace.getContraction()->getBlock() != block ||
      llvm::any_of(trace.moves,
                   [&](Operation *move) { return move->getBlock() != block; }))
    return "the contraction stands in another block";
  return {};
}

Value relattn::replayMoves(RewriterBase &rewriter, ArrayRef<Operation *> moves,
                           Value value) {
  for (Operation *move : moves) {
    IRMapping mapping;
    mapping.map(move->getOperand(0), value);
    value = rewriter.clone(*move, mapping)->getResult(0);
  }
  return value;
}

//===----------------------------------------------------------------------===//
// The body
//===----------------------------------------------------------------------===//

AdditionChain relattn::followAdditions(BlockArgument scores) {
  AdditionChain chain;
  Value current = scores;
  while (current.hasOneUse()) {
    OpOperand &use = *current.getUses().begin();
    Operation *addition = use.getOwner();
    if (!isa<arith::AddFOp, arith::AddIOp>(addition))
      break;
    chain.additions.push_back(addition);
    chain.leaves.push_back(addition->getOperand(1 - use.getOperandNumber()));
    current = addition->getResult(0);
  }
  return chain;
}

LogicalResult relattn::getBodySlice(ArrayRef<Value> values, Block *body,
                                    SmallVectorImpl<Operation *> &slice) {
  llvm::SetVector<Operation *> needed;
  SmallVector<Value> worklist(values);
  while (!worklist.empty()) {
    Operation *op = worklist.pop_back_val().getDefiningOp();
    if (!op || op->getBlock() != body || !needed.insert(op))
      continue;
    if (!isMemoryEffectFree(op) || op->getNumRegions() != 0)
      return failure();
    llvm::append_range(worklist, op->getOperands());
  }
  for (Operation &op : *body)
    if (needed.contains(&op))
      slice.push_back(&op);
  return success();
}

//===----------------------------------------------------------------------===//
// Remarks
//===----------------------------------------------------------------------===//

static remark::RemarkOpts getRemarkOptions(Operation *op, StringRef rewrite) {
  StringRef function;
  if (auto parent = op->getParentOfType<FunctionOpInterface>())
    function = parent.getName();
  return remark::RemarkOpts::name(rewrite).category("relattn").function(
      function);
}

// The remark engine takes no lock, and passes on functions run side by side.
static llvm::ManagedStatic<llvm::sys::Mutex> remarkMutex;

void relattn::emitPassedRemark(Operation *op, StringRef rewrite,
                               StringRef text) {
  llvm::sys::ScopedLock lock(*remarkMutex);
  remark::passed(op->getLoc(), getRemarkOptions(op, rewrite))
      << remark::add("{0}", text);
}

void relattn::emitMissedRemark(Operation *op, StringRef rewrite,
                               StringRef reason) {
  llvm::sys::ScopedLock lock(*remarkMutex);
  remark::missed(op->getLoc(), getRemarkOptions(op, rewrite))
      << remark::reason("{0}", reason);
}
