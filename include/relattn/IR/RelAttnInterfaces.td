//===- RelAttnInterfaces.td - relattn attribute interfaces -*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one interface behind every way to read a bias. A new bucketing
// implements one method of it, `getStepFunction`.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_IR_RELATTNINTERFACES_TD
#define RELATTN_IR_RELATTNINTERFACES_TD

include "mlir/IR/OpBase.td"

def RelAttn_BiasSchemeAttrInterface : AttrInterface<"BiasSchemeAttrInterface"> {
  let cppNamespace = "::mlir::relattn";
  let description = [{
    Says how a bias operand is read. A scheme is one of

    - a *bucketing*: a step function of the offset; the operand is a table
      `[num_buckets, H]`, or `[num_buckets]` shared by the heads;
    - another function of the offset, such as ALiBi's slopes or a strip;
    - dense: no function of the offset (`isOffsetFunction` is false).

    A bucketing overrides `getStepFunction` alone: the verification of the
    table, the strip, the bucket op's folder and every lowering follow from
    the intervals. `test/Bucketing/toy-scheme.mlir` adds one from a plugin of a
    single source file.
  }];
  let methods = [
    InterfaceMethod<
      "The bucketing's step function of the offset; none for other schemes.",
      "std::optional<StepFunction>", "getStepFunction", (ins), "",
      [{ return std::nullopt; }]>,
    InterfaceMethod<
      "The number of rows of the table; none where there is no table. "
      "Override it where it is known without building the step function.",
      "std::optional<int64_t>", "getNumBuckets", (ins), "",
      [{
        std::optional<StepFunction> steps = $_attr.getStepFunction();
        if (!steps)
          return std::nullopt;
        return steps->getNumBuckets();
      }]>,
    InterfaceMethod<
      "Whether the bias depends on the head and the offset alone.",
      "bool", "isOffsetFunction", (ins), "", [{ return true; }]>,
    InterfaceMethod<
      "Whether a `zero` operand says where offset 0 lies in the bias operand.",
      "bool", "needsZero", (ins), "", [{ return false; }]>,
    InterfaceMethod<
      "Whether one head's bias is every head's: a table `[num_buckets]` or a "
      "strip `[L]`. A bias operand of rank 1 alone does not say it: slopes are "
      "`[H]`.",
      "bool", "isSharedByHeads", (ins "::mlir::RankedTensorType":$biasType), "",
      [{
        return ($_attr.getNumBuckets() || $_attr.needsZero()) &&
               biasType.getRank() == 1;
      }]>,
    InterfaceMethod<
      "Checks the rank and the sizes of the bias operand for `heads` query "
      "heads (dynamic if unknown).",
      "::llvm::LogicalResult", "verifyBiasType",
      (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError,
           "::mlir::RankedTensorType":$biasType, "int64_t":$heads), "",
      [{
        return detail::verifyTableType(emitError, biasType,
                                       *$_attr.getNumBuckets(), heads);
      }]>,
    InterfaceMethod<
      "Builds the bucket id (index) of `offset` (index). Only for bucketings.",
      "::mlir::Value", "buildBucket",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$offset), "",
      [{
        return detail::buildStepFunction(builder, loc,
                                         *$_attr.getStepFunction(), offset);
      }]>,
    InterfaceMethod<
      "Builds the bias of `head` at `offset`, a scalar of the operand's element "
      "type or of its accumulator type. `zero` is null unless `needsZero`. Not for dense schemes.",
      "::mlir::Value", "buildBias",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$bias, "::mlir::Value":$zero,
           "::mlir::Value":$head, "::mlir::Value":$offset), "",
      [{
        ::mlir::Value bucket = $_attr.buildBucket(builder, loc, offset);
        return detail::buildTableRead(builder, loc, bias, bucket, head);
      }]>,
  ];
}

#endif // RELATTN_IR_RELATTNINTERFACES_TD
