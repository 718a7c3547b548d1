//===- consumer.cpp - A user of the installed libraries -------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Asks a bucketing, parses and prints an op.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "relattn/InitAll.h"

int main() {
  using namespace mlir::relattn;
  llvm::outs() << "bucket of offset -20: "
               << StepFunction::getT5(32, 128, true).evaluate(-20) << "\n";

  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  registry.insert<mlir::func::FuncDialect>();
  mlir::MLIRContext context(registry);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(
      R"(func.func @f(%q: tensor<4x8xf32>) {
           relattn.attention causal ins(%q, %q, %q : tensor<4x8xf32>,
             tensor<4x8xf32>, tensor<4x8xf32>) outs(%q : tensor<4x8xf32>)
           return
         })",
      &context);
  if (!module)
    return 1;
  module->print(llvm::outs());
  return 0;
}
