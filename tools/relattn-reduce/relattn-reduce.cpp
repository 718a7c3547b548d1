//===- relattn-reduce.cpp - Test case reducer -----------------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mlir-reduce that knows the relattn dialect and passes.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/MLIRContext.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "relattn/InitAll.h"
#include "llvm/Support/FileSystem.h"

using llvm::ArrayRef;
using llvm::StringRef;

/// An empty input is an error, as it is for relattn-opt.
static bool hasEmptyInput(int argc, char **argv) {
  for (StringRef argument : ArrayRef(argv, argc).drop_front()) {
    uint64_t size = 1;
    if (!argument.starts_with("-") &&
        !llvm::sys::fs::file_size(argument, size) && size == 0) {
      llvm::errs() << "relattn-reduce: error: the input '" << argument
                   << "' is empty\n";
      return true;
    }
  }
  return false;
}

int main(int argc, char **argv) {
  if (hasEmptyInput(argc, argv))
    return 1;
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerAllPasses();
  mlir::relattn::registerAllDialects(registry);
  mlir::relattn::registerAllPasses();
  mlir::MLIRContext context(registry);
  return llvm::failed(mlir::mlirReduceMain(argc, argv, context));
}
