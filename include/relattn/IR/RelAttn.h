//===- RelAttn.h - relattn dialect, attributes and ops ----------*- C++ -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Everything of the dialect in one include: it is small.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_IR_RELATTN_H
#define RELATTN_IR_RELATTN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "relattn/Bucketing/StepFunction.h"

namespace mlir::relattn::detail {

/// What default methods of BiasSchemeAttrInterface are made of; see there.
LogicalResult
verifyTableType(llvm::function_ref<InFlightDiagnostic()> emitError,
                RankedTensorType tableType, int64_t numBuckets, int64_t heads);
/// Numbers of i64 as a tensor.
Value buildConstants(OpBuilder &builder, Location loc,
                     llvm::ArrayRef<int64_t> values);
/// The number (index) of the interval that `offset` (index) lies in, by a
/// binary search; and its bucket.
Value buildInterval(OpBuilder &builder, Location loc, const StepFunction &steps,
                    Value offset);
Value buildStepFunction(OpBuilder &builder, Location loc,
                        const StepFunction &steps, Value offset);
Value buildTableRead(OpBuilder &builder, Location loc, Value table,
                     Value bucket, Value head);

} // namespace mlir::relattn::detail

namespace mlir::relattn {
/// The caches of whoever computes.
struct CacheResource : public SideEffects::Resource::Base<CacheResource> {
  StringRef getName() override { return "RelAttn_Cache"; }
};
} // namespace mlir::relattn

#include "relattn/IR/RelAttnDialect.h.inc"

#include "relattn/IR/RelAttnAttrInterfaces.h.inc"

#define GET_ATTRDEF_CLASSES
#include "relattn/IR/RelAttnAttributes.h.inc"

#define GET_OP_CLASSES
#include "relattn/IR/RelAttnOps.h.inc"

#endif // RELATTN_IR_RELATTN_H
