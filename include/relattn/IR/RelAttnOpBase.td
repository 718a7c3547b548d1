//===- RelAttnOpBase.td - what relattn operations share ----*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_IR_RELATTNOPBASE_TD
#define RELATTN_IR_RELATTNOPBASE_TD

include "mlir/IR/BuiltinAttributes.td"
include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/TilingInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "relattn/IR/RelAttnAttributes.td"
include "relattn/IR/RelAttnDialect.td"

class RelAttn_Op<string mnemonic, list<Trait> traits = []>
    : Op<RelAttn_Dialect, mnemonic, traits>;

class RelAttn_DestinationStyleOp<string mnemonic, list<Trait> traits = []>
    : RelAttn_Op<mnemonic, !listconcat(traits, [
        Pure,
        DestinationStyleOpInterface,
        DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
                                  ["reifyResultShapes"]>])> {
  code dpsDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitsMutable();
    }
  }];
}

#endif // RELATTN_IR_RELATTNOPBASE_TD
