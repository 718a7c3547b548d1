// RUN: relattn-opt %s --relattn-mark-manual-deallocation | FileCheck %s
// RUN: relattn-opt %s --relattn-to-cpu | FileCheck %s --check-prefix=LOWERED

// CHECK-LABEL: func @own_memory
// CHECK: memref.alloc() {bufferization.manual_deallocation} : memref<4xf32>
// CHECK: memref.alloc() : memref<5xf32>
// CHECK: memref.dealloc %{{.*}} {bufferization.manual_deallocation} : memref<4xf32>
// CHECK: memref.dealloc %{{.*}} {bufferization.manual_deallocation} : memref<6xf32>

// The buffer that nobody freed is freed by the pipeline.
// LOWERED-LABEL: llvm.func @own_memory
// LOWERED-COUNT-2: llvm.call @malloc
// LOWERED-COUNT-3: llvm.call @free
// LOWERED: llvm.return
func.func private @use(memref<*xf32>)
func.func @own_memory(%argument: memref<6xf32>) {
  %freed = memref.alloc() : memref<4xf32>
  %forgotten = memref.alloc() : memref<5xf32>
  %freed_any = memref.cast %freed : memref<4xf32> to memref<*xf32>
  %forgotten_any = memref.cast %forgotten : memref<5xf32> to memref<*xf32>
  call @use(%freed_any) : (memref<*xf32>) -> ()
  call @use(%forgotten_any) : (memref<*xf32>) -> ()
  memref.dealloc %freed : memref<4xf32>
  memref.dealloc %argument : memref<6xf32>
  return
}
