//===- Passes.td - relattn transform passes ----------------*- tablegen -*-===//
//
// Part of relattn, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Passes that stay at their level.
//
//===----------------------------------------------------------------------===//

#ifndef RELATTN_TRANSFORMS_PASSES_TD
#define RELATTN_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def MarkManualDeallocation : Pass<"relattn-mark-manual-deallocation"> {
  let summary = "Leave the memory that a program frees itself to the program";
  let description = [{
    Upstream's ownership-based buffer deallocation frees what bufferisation
    allocates, but refuses a program that frees a buffer of its own. This pass,
    run before bufferisation, marks every op that frees a memref, and the op
    that allocated it, with `bufferization.manual_deallocation`, which makes
    that pass leave them alone. Nothing else is changed.

    Before:

    ```mlir
    func.func @before() {
      %0 = memref.alloc() : memref<4xf32>
      memref.dealloc %0 : memref<4xf32>
      return
    }
    ```

    After:

    ```mlir
    func.func @after() {
      %0 = memref.alloc() {bufferization.manual_deallocation} : memref<4xf32>
      memref.dealloc %0 {bufferization.manual_deallocation} : memref<4xf32>
      return
    }
    ```

    Test: `test/Transforms/mark-manual-deallocation.mlir`.
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect"];
  let statistics = [
    Statistic<"numMarked", "num-marked", "Number of ops marked">
  ];
}

#endif // RELATTN_TRANSFORMS_PASSES_TD
