//===- RelAttnDialect.cpp - relattn dialect -------------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registration of the dialect's attributes and operations.
//
//===----------------------------------------------------------------------===//

#include "DimensionNames.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "relattn/IR/RelAttn.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::relattn;

#include "relattn/IR/RelAttnDialect.cpp.inc"

#include "relattn/IR/RelAttnAttrInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "relattn/IR/RelAttnAttributes.cpp.inc"

#define GET_OP_CLASSES
#include "relattn/IR/RelAttnOps.cpp.inc"

void RelAttnDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "relattn/IR/RelAttnAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "relattn/IR/RelAttnOps.cpp.inc"
      >();
}

/// For the folder of relattn.bucket.
Operation *RelAttnDialect::materializeConstant(OpBuilder &builder,
                                               Attribute value, Type type,
                                               Location loc) {
  return arith::ConstantOp::materialize(builder, value, type, loc);
}
