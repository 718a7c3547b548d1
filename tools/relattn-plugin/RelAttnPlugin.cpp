//===- RelAttnPlugin.cpp - Plugin for a stock mlir-opt --------------------===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dialect and passes in one shared object, for --load-dialect-plugin and
// --load-pass-plugin. Flags of plugin passes do not exist in mlir-opt 22:
// name them in --pass-pipeline.
//
//===----------------------------------------------------------------------===//

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "relattn/InitAll.h"

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "RelAttn", LLVM_VERSION_STRING,
          [](mlir::DialectRegistry *registry) {
            mlir::relattn::registerAllDialects(*registry);
          }};
}

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "RelAttn", LLVM_VERSION_STRING,
          []() { mlir::relattn::registerAllPasses(); }};
}
